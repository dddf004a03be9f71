"""What each method costs for one face, beside two well-known ways of hiding it.

    python benchmarks/methods.py

One thread. Faces of 0.8 the height in width, with the default cover (1.8 x 1.5, regular), on a 1600 x 1200 picture of
noise and gradients; the time is that of `paint` less that of a plan that keeps all faces, the least of several rounds
in which every method has its turn, so that a busy machine slows all of them alike. For reference, on the same covers:
OpenCV's Telea inpainting (radius 3) and a plain cv2.GaussianBlur of the cover's rectangle at sigma 0.4.
Writes benchmarks/results/methods.json and methods.png.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from PIL import Image

from faceveil.deidentify.cover import clip, place
from faceveil.deidentify.paint import paint
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Regions

RESULTS = Path(__file__).resolve().parent / "results"
SIZES = (25, 50, 100, 200, 400)
ROUNDS = 15
SLOW = 2_000  # ms that one method may take at one size; slow ones get fewer rounds
WIDTH, HEIGHT = 1600, 1200
METHODS = (
    "veil",
    "solid",
    "solid:color=ring",
    "image",
    "blur",
    "blur:kernel=31",
    "mosaic",
    "mosaic:b=40",
    "noise",
    "mask",
)
REFERENCE = ("cv2.inpaint Telea", "cv2.GaussianBlur")


def picture() -> Frame:
    """Something with structure at every scale."""
    rng = np.random.default_rng(0)
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for scale in (2, 8, 32, 128):
        part = rng.random((HEIGHT // scale + 1, WIDTH // scale + 1, 3)).astype(np.float32)
        total += cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    pixels: Any = (total * 63).astype(np.uint8)
    return Frame(pixels)


def faces(height: int) -> Regions:
    """As many faces as fit without touching, 24 at most."""
    w = 0.8 * height
    xs, ys = (np.arange(1.1 * s, n - 1.1 * s, 2.6 * s) for s, n in ((height, WIDTH), (height, HEIGHT)))
    boxes = np.array([[x - w / 2, y - height / 2, x + w / 2, y + height / 2] for y in ys for x in xs], np.float32)[:24]
    marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    return Regions(boxes, np.ones(len(boxes), np.float32), boxes[:, None, :2] + marks * (w, height))


def peers(frame: Frame, regions: Regions) -> dict[str, Callable[[], object]]:
    """The references, face by face on the rectangle of the cover with a ring of 8 px."""
    covers = place(regions.xyxy, Area())
    jobs = []
    for i, (rect, box) in enumerate(zip(covers.rects(), regions.xyxy, strict=True)):
        window = clip(rect + np.array([-8, -8, 8, 8]), frame.width, frame.height)
        x1, y1, x2, y2 = window
        mask = (covers.norm(i, window) < 1).view(np.uint8)
        patch: Any = np.ascontiguousarray(frame.pixels[y1:y2, x1:x2])
        jobs.append((patch, mask, 0.4 * float(box[2] - box[0])))

    def telea() -> None:
        for patch, mask, _ in jobs:
            cv2.inpaint(patch, mask, 3, cv2.INPAINT_TELEA)

    def gaussian() -> None:
        for patch, _, sigma in jobs:
            cv2.GaussianBlur(patch, (0, 0), sigma)

    return dict(zip(REFERENCE, (telea, gaussian), strict=True))


def measure(frame: Frame, height: int, sticker: Path) -> dict[str, float]:
    """Milliseconds for one face, by method."""
    regions = faces(height)
    n = len(regions)
    calls: dict[str, Callable[[], object]] = {}
    for name in ("keep", *METHODS):
        spec = f"image:path={sticker}" if name == "image" else name
        plan = FramePlan(regions, (spec,) * n, (WIDTH, HEIGHT))
        calls[name] = lambda plan=plan: paint(frame, plan, Area(), seed=0)  # type: ignore[misc]
    calls |= peers(frame, regions)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            if sum(times[name]) > SLOW:
                continue
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e3)
    base = min(times.pop("keep"))
    return {name: round(max(0.0, min(t) - (0 if name in REFERENCE else base)) / n, 4) for name, t in times.items()}


def draw(results: dict[int, dict[str, float]], path: Path) -> None:
    """One line for each method over the height of the face."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a display

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name in results[SIZES[0]]:
        style: dict[str, Any] = {"ls": "--", "color": "0.5" if "Telea" in name else "0.75"} if name in REFERENCE else {}
        weight = 2.6 if name == "veil" else 1.3
        axes.plot(SIZES, [results[s][name] for s in SIZES], marker="o", ms=3, lw=weight, label=name, **style)
    axes.set(xscale="log", yscale="log", xlabel="height of the face, px", ylabel="ms for one face, one thread")
    axes.set_xticks(SIZES, [str(s) for s in SIZES])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    cv2.setNumThreads(1)
    frame = picture()
    with tempfile.TemporaryDirectory() as folder:
        sticker = Path(folder) / "sticker.png"
        Image.new("RGBA", (256, 256), (200, 160, 0, 128)).save(sticker)
        results = {height: measure(frame, height, sticker) for height in SIZES}
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "opencv": cv2.__version__}
    RESULTS.mkdir(exist_ok=True)
    record = {"what": "ms for one face, one thread", "machine": machine, "ms": results}
    (RESULTS / "methods.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(results, RESULTS / "methods.png")
    print("face px".ljust(20), *(f"{s:>9}" for s in SIZES))
    for name in results[SIZES[0]]:
        print(name.ljust(20), *(f"{results[s][name]:9.3f}" for s in SIZES))


if __name__ == "__main__":
    main()
