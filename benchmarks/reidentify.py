"""How often software still names people after each method: rank-1 of known attackers, beside a blackout control.

    python benchmarks/reidentify.py [--cache FOLDER] [--only NAME ...]

Data: 79 people of LFW, 10 pictures each (../shared/data/recognition/identities); recogniser: MobileFaceNet
(../shared/data/weights/recognisers). Faces are found by the detector `centerface` (fp32, at the picture's own size);
all faces of a picture are painted, the one nearest to the middle is the one in question.

Protocol. Five random halves of each person's pictures and their complements: ten folds of 5 gallery and 5 probe
pictures, never the same photo on both sides. An attack names the person of each probe among all 79. What the attacker
gets beyond the painted pixels: the landmarks of the *original* pictures, so a face that no detector finds any more
counts as no protection, and pixels that no codec has touched again. Attacks:

    naive    gallery original, probe painted          reverse  gallery painted, probe original
    parrot   both painted                             trained  classifiers trained on the painted gallery

naive, reverse and parrot compare embeddings with the mean embedding of each person. trained is the better of two
classifiers: linear discriminant analysis on embeddings, and on the first 100 principal components of the pixels. Each
is made on the face field (112 x 112 px, aligned) and on the wide field, twice as wide: hair, clothes, scene.

Intervals are 95 %: bootstrap over people, widened to Wilson's interval for as many trials as there are pictures where
that is wider (few hits make the bootstrap too narrow). Writes benchmarks/results/reidentify.json and reidentify.png,
without names or pictures. `--cache` keeps embeddings between runs: they are personal data, so nothing is kept unasked.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import onnxruntime
from attackers import (
    SEED,
    SPLITS,
    attacks,
    by_person,
    difference,
    discriminant,
    interval,
    pairwise,
    unit,
    verification,
)
from PIL import Image

import faceveil
from faceveil.deidentify.cover import place
from faceveil.deidentify.paint import method, paint
from faceveil.detect.centerface import CenterFace
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Regions

RESULTS = Path(__file__).resolve().parent / "results"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
MODEL = SHARED / "weights" / "recognisers" / "MobileFaceNet.onnx"
SIDE = 112  # px, the recogniser's input
MARGIN = SIDE // 2  # of the wide field, on each side
# Where the recogniser expects eyes, nose and corners of the mouth: the usual template of ArcFace.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
FIELDS = ("face", "wide")


def exact(width: float, height: float, shape: Any = "box", up: float = 0.0) -> Area:
    """A cover that follows the face box exactly."""
    return Area(width=width, height=height, up=up, shape=shape, regular=False)


@dataclass(frozen=True)
class Condition:
    """One way of painting: a method's spec (None: nothing), where, and what the attacker does to pictures first."""

    name: str
    spec: str | None
    area: Area = field(default_factory=Area)
    where: str = "default"
    median: int = 0


FACE, HEAD = Area(), Area.named("head")
UNSNAPPED = FACE.model_copy(update={"regular": False})
CONDITIONS = (
    Condition("original", None, where="-"),
    Condition("mask", "mask", where="the bar"),
    *(Condition(f"noise:percent={n}", f"noise:percent={n}") for n in (30, 50, 70)),
    Condition("noise:percent=50, then median 5 x 5", "noise:percent=50", median=5),
    *(Condition(f"mosaic:cells={n}", f"mosaic:cells={n}") for n in (16, 8, 4)),
    Condition("mosaic:cells=4,b=100", "mosaic:cells=4,b=100"),
    *(Condition(f"blur:sigma={s}", f"blur:sigma={s}") for s in (0.08, 0.25, 0.4)),
    Condition("solid, box 1.0", "solid", exact(1, 1), "box 1.0, exact"),
    Condition("solid, box 1.3", "solid", exact(1.3, 1.3), "box 1.3, exact"),
    Condition("solid, ellipse 1.3", "solid", exact(1.3, 1.3, "ellipse"), "ellipse 1.3, exact"),
    Condition("solid, exact", "solid", UNSNAPPED, "default, exact"),
    Condition("solid", "solid"),
    Condition("solid:color=ring", "solid:color=ring"),
    Condition("solid, head", "solid", HEAD, "head"),
    Condition("veil, exact", "veil", UNSNAPPED, "default, exact"),
    Condition("veil", "veil"),
    Condition("veil, head", "veil", HEAD, "head"),
    Condition("blackout", "solid", exact(10, 10), "the whole picture"),
)
PAIRED = (  # differences worth an interval of their own: (a, b, field)
    ("veil", "solid", "face"),
    ("veil", "solid", "wide"),
    ("veil, head", "solid, head", "wide"),
    ("solid", "solid, exact", "face"),
    ("solid", "solid, exact", "wide"),
    ("solid, head", "solid", "wide"),
    ("veil, head", "veil", "face"),
)


@dataclass(frozen=True)
class Person:
    """One picture with its faces, the one in question and the transform of its landmarks to the template."""

    frame: Frame
    faces: Regions
    face: int
    aligned: Any


def load(path: Path, detector: CenterFace) -> Person:
    """One picture of one person. Stops where the detector finds nobody: every picture counts."""
    frame = Frame(np.asarray(Image.open(path).convert("RGB")))
    faces = detector(frame)
    if faces.landmarks is None or not len(faces):
        raise SystemExit(f"no face found in {path.name}")
    centres = (faces.xyxy[:, :2] + faces.xyxy[:, 2:]) / 2
    face = int(np.hypot(*(centres - [frame.width / 2, frame.height / 2]).T).argmin())
    return Person(frame, faces, face, similarity(faces.landmarks[face].astype(np.float64)))


def similarity(points: Any) -> Any:
    """The least-squares rotation, scale and shift (2, 3) from points (5, 2) to the template (Umeyama, 1991)."""
    source, target = points - points.mean(0), TEMPLATE - TEMPLATE.mean(0)
    u, size, vt = np.linalg.svd(target.T @ source)
    signs = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = (u * signs) @ vt * (size * signs).sum() / (source**2).sum()
    return np.hstack([turn, (TEMPLATE.mean(0) - turn @ points.mean(0))[:, None]])


def crops(people: list[Person], condition: Condition) -> dict[str, Any]:
    """What an attacker sees of each picture: (n, 112, 112, 3) uint8 for each field."""
    seen: dict[str, list[Any]] = {name: [] for name in FIELDS}
    for i, person in enumerate(people):
        pixels: Any = person.frame.pixels
        if condition.spec is not None:
            size = (person.frame.width, person.frame.height)
            plan = FramePlan(person.faces, (condition.spec,) * len(person.faces), size)
            pixels = paint(person.frame, plan, condition.area, seed=SEED + i).pixels
        if condition.median:
            pixels = cv2.medianBlur(pixels, condition.median)
        shift = np.array([[0, 0, MARGIN], [0, 0, MARGIN]])
        large = cv2.warpAffine(pixels, person.aligned + shift, (SIDE + 2 * MARGIN,) * 2)
        seen["face"].append(large[MARGIN:-MARGIN, MARGIN:-MARGIN])
        seen["wide"].append(cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return {name: np.stack(parts) for name, parts in seen.items()}


class Recogniser:
    """MobileFaceNet: 112 x 112 RGB in [-1, 1] to 128 numbers; a picture counts together with its mirror image."""

    def __init__(self, cache: Path | None) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
        self.digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
        self._cache = cache

    def __call__(self, pictures: Any) -> Any:
        """Embeddings of unit length, (n, 128)."""
        key = hashlib.sha256(self.digest.encode() + np.ascontiguousarray(pictures).tobytes()).hexdigest()
        kept = self._cache / f"{key}.npy" if self._cache else None
        if kept and kept.exists():
            return np.load(kept)
        found = unit(np.stack([unit(self._one(p)) + unit(self._one(p[:, ::-1])) for p in pictures]))
        if kept:
            np.save(kept, found)
        return found

    def _one(self, picture: Any) -> Any:
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
        return self._session.run(None, {self._session.get_inputs()[0].name: planes})[0][0].astype(np.float64)


def measure(
    condition: Condition, people: list[Person], plain: dict[str, Any], names: Any, recogniser: Recogniser
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record of one condition, and the right shares by person of the better trained attack on each field.

    plain: embeddings of the original pictures, by field.
    """
    record: dict[str, Any] = {"method": condition.spec or "none", "cover": condition.where}
    if condition.spec is not None:
        record |= {"settings": condition.area.model_dump(), "class": method(condition.spec).promise}
    trained = {}
    for name, pictures in crops(people, condition).items():
        if condition.name == "blackout" and pictures.any():
            raise SystemExit("the control is not black: it would be none")
        painted = recogniser(pictures)
        shares = attacks(painted, plain[name], pictures, names)
        record[name] = {attack: interval(value, len(names)) for attack, value in shares.items()}
        better = max(("embeddings", "pixels"), key=lambda a: float(shares[a].mean()))
        trained[name] = shares[better]
        record[name]["trained"] = record[name][better]
        record[name]["verification"] = {
            "naive": pairwise(plain[name], painted, names),
            "parrot": pairwise(painted, painted, names),
        }
    return record, trained


def geometry(people: list[Person], names: Any) -> dict[str, list[float]]:
    """Rank-1 by where the face lies in the picture alone: numbers of box, landmarks and regular covers, no pixel."""
    boxes = np.stack([p.faces.xyxy[p.face] for p in people]).astype(np.float64)
    marks = np.stack([np.asarray(p.faces.landmarks)[p.face].ravel() for p in people]).astype(np.float64)
    covers = {f"{n} cover, regular": place(boxes.astype(np.float32), c) for n, c in (("default", FACE), ("head", HEAD))}
    tables = {"box": boxes, "landmarks": marks}
    tables |= {name: np.concatenate([c.centre, c.half[:, :1]], 1) for name, c in covers.items()}
    out = {}
    for name, table in tables.items():
        rows = (table - table.mean(0)) / table.std(0)
        shares = by_person(lambda g, p, rows=rows: discriminant(rows[g], names[g], rows[p]), names)  # type: ignore[misc]
        out[name] = interval(shares, len(names))
    return out


def derivable(people: list[Person]) -> int:
    """In how many pictures a veil over the blackout gives the same bytes as a veil over the face.

    Where it does, whatever an attacker learns from a veil he could have learned from `solid` on the same cover.
    """
    same = 0
    for person in people:
        size = (person.frame.width, person.frame.height)
        veil, solid = (FramePlan(person.faces, (spec,) * len(person.faces), size) for spec in ("veil", "solid"))
        again = paint(paint(person.frame, solid, FACE), veil, FACE)
        same += bool(np.array_equal(again.pixels, paint(person.frame, veil, FACE).pixels))
    return same


def originals(detector: CenterFace, recogniser: Recogniser) -> dict[str, Any]:
    """How well the recogniser does on the pairs of LFW: a check that it is fed as it was trained."""
    rows = list(csv.DictReader((SHARED / "recognition" / "pairs.csv").open(encoding="utf-8")))
    files = sorted({row[side] for row in rows for side in "ab"})
    people = [load(SHARED / "recognition" / "lfw" / name, detector) for name in files]
    found = dict(zip(files, recogniser(crops(people, CONDITIONS[0])["face"]), strict=True))
    scores = np.array([found[row["a"]] @ found[row["b"]] for row in rows])
    mated = np.array([row["same"] == "1" for row in rows])
    return {"pairs": len(rows), "pictures": len(files), **verification(scores, mated)}


def draw(results: dict[str, Any], chance: float, path: Path) -> None:
    """Rate and interval of three attacks for each condition, the chance as a line."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a display

    figure, axes = plt.subplots(figsize=(9, 0.36 * len(results) + 1.2), layout="constrained")
    shown = (
        ("parrot", "face", "parrot, face field", "#9aa5b1"),
        ("trained", "face", "trained, face field", "#1f4e79"),
        ("trained", "wide", "trained, wide field", "#c0562f"),
    )
    for j, (attack, where, label, colour) in enumerate(shown):
        rates = np.array([record[where][attack] for record in results.values()]) * 100
        low, high = rates[:, 0] - np.maximum(rates[:, 1], 0.3), rates[:, 2] - rates[:, 0]
        places = np.arange(len(results)) + (j - 1) * 0.22
        reach = np.stack([np.maximum(low, 0), high])
        axes.errorbar(
            np.maximum(rates[:, 0], 0.3), places, xerr=reach, fmt="o", ms=4, lw=1.4, color=colour, label=label
        )
    axes.axvline(100 * chance, color="0.4", ls="--", lw=1, label=f"chance, {100 * chance:.1f} %")
    axes.set_xscale("log")
    axes.set_xlim(0.3, 110)
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    axes.set_yticks(range(len(results)), list(results))
    axes.invert_yaxis()
    axes.set_xlabel("people named rightly, %, with 95 % intervals")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, 1.045), ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs; they are personal data")
    parser.add_argument("--only", nargs="+", help="measure these conditions and write nothing")
    options = parser.parse_args()
    files = sorted((SHARED / "recognition" / "identities").glob("*/*.jpg"))
    if not files or not MODEL.exists():
        raise SystemExit("no pictures of people or no recogniser in ../shared/data: nothing is measured")
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    detector, recogniser = CenterFace(size=250, enlarge=1, precision="fp32"), Recogniser(options.cache)
    names = np.unique([f.parent.name for f in files], return_inverse=True)[1]
    people = [load(f, detector) for f in files]
    chosen = [c for c in CONDITIONS if not options.only or c.name in options.only]
    results, differences = every(chosen, people, names, recogniser)
    if options.only:
        return
    record = summary(names, recogniser, detector) | {
        "conditions": results,
        "differences": differences,
        "geometry": geometry(people, names),
        "veil_from_blackout": {"same_bytes": derivable(people), "of": len(people)},
        "seconds": round(time.perf_counter() - started),
        "embeddings_cached": bool(options.cache),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "reidentify.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(results, record["chance"], RESULTS / "reidentify.png")


def every(
    chosen: list[Condition], people: list[Person], names: Any, recogniser: Recogniser
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The records of the chosen conditions by name, and the differences between trained attacks on them."""
    plain = {name: recogniser(seen) for name, seen in crops(people, CONDITIONS[0]).items()}
    results, trained = {}, {}
    for condition in chosen:
        results[condition.name], trained[condition.name] = measure(condition, people, plain, names, recogniser)
        shown = [(f, a, results[condition.name][f][a]) for f in FIELDS for a in ("parrot", "trained")]
        print(condition.name.ljust(36), *(f"{f} {a} {100 * v[0]:.1f}" for f, a, v in shown), sep="  ", flush=True)
    differences = [
        {"a": a, "b": b, "field": name, "of": difference(trained[a][name], trained[b][name])}
        for a, b, name in PAIRED
        if a in trained and b in trained
    ]
    return results, differences


def summary(names: Any, recogniser: Recogniser, detector: CenterFace) -> dict[str, Any]:
    """What was run, on what, with what."""
    people = int(names.max()) + 1
    return {
        "what": "rank-1 as [rate, lower, upper], 95 % intervals, fractions",
        "command": "python benchmarks/reidentify.py",
        "versions": {
            "faceveil": faceveil.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "seed": SEED,
        "data": {"people": people, "pictures": len(names), "folds": 2 * SPLITS, "gallery": 5, "probe": 5},
        "detector": {"name": "centerface", **detector.model_dump()},
        "recogniser": {"file": MODEL.name, "sha256": recogniser.digest, **originals(detector, recogniser)},
        "chance": round(1 / people, 4),
    }


if __name__ == "__main__":
    main()
