"""Measure what detectors' scores mean, and write it where `faceveil.detect.scores` reads it.

    python -m tools.calibrate_scores                     # all detectors whose networks are there
    python -m tools.calibrate_scores mtcnn yunet-n       # only these rows
    python -m tools.calibrate_scores --data ../shared/data/detection -j 2

Each detector looks at the completely labelled pictures of the test data, with half of its usual threshold; regions
that mean a labelled face (IoU of at least .5) are right, others wrong, those on faces that are not to be judged count
neither way. Two numbers are fitted (Platt), on all pictures. How well they predict is measured on halves of the
pictures that took no part in a fit of their own: the log loss, beside that of isotonic regression and that of the share
alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from faceveil import detect
from faceveil.detect.runtime import Runtime
from faceveil.detect.scores import TABLE, log_odds, logistic
from faceveil.errors import MissingExtra
from faceveil.evaluate.tally import IOU, Tally
from faceveil.evaluate.truth import Truth, load
from faceveil.types import Frame, Regions

TARGET = Path(__file__).resolve().parent.parent / "src" / "faceveil" / "detect" / TABLE
FEWEST = 200  # regions; two numbers from fewer are guesses
ROWS = {
    "centerface": "centerface:score_threshold=0.1",
    "mtcnn": "mtcnn(min_size=20, network_thresholds=[0.6;0.7;0.35], score_threshold=0.35)",
    "vote": detect.PRESETS["thorough"].replace("score_threshold=0.183", "score_threshold=0.1"),
    "yunet": "yunet:score_threshold=0.2",
    "yunet-n": "yunet:model=yunet-n,score_threshold=0.2",
    "yunet-s": "yunet:model=yunet-s,score_threshold=0.2",
    "scrfd-500m": "scrfd:score_threshold=0.2",
    "scrfd-2.5g": "scrfd:model=scrfd-2.5g,score_threshold=0.2",
    "retinaface-mobilenet": "retinaface:score_threshold=0.2",
    "ultraface-rfb-640": "ultraface:score_threshold=0.25",
    "ultraface-rfb-320": "ultraface:model=ultraface-rfb-320,score_threshold=0.25",
    "ultraface-slim-320": "ultraface:model=ultraface-slim-320,score_threshold=0.25",
    "ultraface-masked-640": "ultraface:model=ultraface-masked-640,score_threshold=0.25",
    "dlib-cnn": "dlib-cnn",
    "ssd-res10": "ssd",
    "blazeface-back": "blazeface",
    "blazeface-full": "blazeface:model=blazeface-full",
    "blazeface-short": "blazeface:model=blazeface-short",
}
"""What is measured, by the names that calibrations have: of the detector, or of its network where it has several.

Scores of haar and dlib-hog are made of sums by curves that were fitted in the same way; they mean a share as they are.
"""


@cache
def detector(spec: str) -> Any:
    cv2.setNumThreads(1)
    return detect.make(spec).on(Runtime(threads=1))


def found(job: tuple[str, Truth]) -> Regions:
    """Regions of one picture, their scores as the detector gives them."""
    spec, item = job
    return cast("Regions", detector(spec)(Frame(np.asarray(Image.open(item.path).convert("RGB")))))


def fitted(score: Any, right: Any) -> Any:
    """Slope and offset, float64 (2,), with the largest likelihood of which regions (n,) are right."""
    x = np.stack([log_odds(score), np.ones(len(score))], 1)
    sign = np.where(right, 1.0, -1.0)

    def loss(w: Any) -> tuple[float, Any]:
        z = x @ w
        return float(np.logaddexp(0, -sign * z).sum()), x.T @ (1 / (1 + np.exp(-z)) - right)

    return minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.05, 20), (-20, 20)]).x


def loss_of(probability: Any, right: Any) -> float:
    """Mean log loss."""
    p = np.clip(probability, 1e-4, 1 - 1e-4)
    return float(-np.where(right, np.log(p), np.log(1 - p)).mean())


def row(score: Any, right: Any, picture: Any) -> dict[str, Any]:
    """What is written of one detector."""
    slope, offset = fitted(score, right).round(2)
    losses: dict[str, list[float]] = {"platt": [], "isotonic": [], "share": []}
    for half in (0, 1):
        mine, other = picture % 2 == half, picture % 2 != half
        w = fitted(score[mine], right[mine])
        losses["platt"].append(loss_of(logistic(w[0] * log_odds(score[other]) + w[1]), right[other]))
        steps = IsotonicRegression(out_of_bounds="clip").fit(score[mine], right[mine])
        losses["isotonic"].append(loss_of(steps.predict(score[other]), right[other]))
        losses["share"].append(loss_of(np.full(int(other.sum()), right[mine].mean()), right[other]))
    told = {name: round(float(np.mean(each)), 3) for name, each in losses.items()}
    return {"slope": float(slope), "offset": float(offset), "regions": len(score), "log_loss": told}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/detection"))
    parser.add_argument("-j", "--jobs", type=int, default=2)
    asked = parser.parse_args()
    if unknown := [name for name in asked.rows if name not in ROWS]:
        parser.error(f"no row is called {unknown[0]}")
    if not asked.data.is_dir():
        print(f"no test data at {asked.data}", file=sys.stderr)
        return 2
    data = load(asked.data / "annotations.json", recall_only=("images/mask_*",))
    truths = [data.truth(i, said.size) for i, (said, _) in enumerate(data.pictures) if said.size is not None]
    whole = [truth for truth in truths if truth.complete]
    table = json.loads(TARGET.read_text(encoding="utf-8"))["detectors"]
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        for name in asked.rows or ROWS:
            try:
                detect.make(ROWS[name]).on(Runtime(threads=1))
            except MissingExtra as error:
                print(f"{name}: left as it is, {error}", file=sys.stderr)
                continue
            tally = Tally((IOU,))
            for truth, regions in zip(
                whole, pool.map(found, [(ROWS[name], truth) for truth in whole], chunksize=4), strict=True
            ):
                tally.add(truth, regions)
            seen = tally.sample().found[IOU]
            if len(seen.score) < FEWEST or seen.hit.all():
                print(f"{name}: left out, {len(seen.score)} regions say too little", file=sys.stderr)
                continue
            table[name] = row(seen.score.astype(float), seen.hit, seen.picture)
            print(name, table[name], flush=True)
            ordered = {key: table[key] for key in ROWS if key in table}
            TARGET.write_text(json.dumps({"detectors": ordered}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
