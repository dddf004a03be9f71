"""JPEG without loss outside the faces: how long it takes beside Pillow, what changes, how large the file is.

    python benchmarks/lossless.py

Pictures: a 12 MP 4:2:0 photo (the motion photo of ../shared/data/tricky, or one made from examples/portrait.jpg) with
two faces of a plan, and the WIDER FACE part of ../shared/data/detection, with the faces that the preset "fast" finds.
Times are the best of alternating runs in one process: Pillow decodes to an array and encodes with the source's tables;
faceveil decodes, paints (stated apart) and rewrites, assertions included. Processor time is stated beside elapsed time,
which suffers more from what else runs. Coefficients are read from both files.
Writes benchmarks/results/lossless.json and lossless.png.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

from faceveil import Policy, media, pipeline
from faceveil.deidentify.paint import paint_area
from faceveil.media import jpeg_file, lossless, turbojpeg
from faceveil.pipeline import stills
from faceveil.types import FramePlan, Regions

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"
LARGE = DATA / "tricky" / "motion_photo" / "PXL_20200710_061629144.MP.jpg"
RUNS = 15
FACES = [[900.0, 600.0, 1220.0, 1020.0], [2300.0, 1300.0, 2560.0, 1640.0]]


def large() -> bytes:
    """The 12 MP picture without anything beside it."""
    if LARGE.exists():
        data = LARGE.read_bytes()
        return jpeg_file.read(data).picture(data)
    with Image.open(ROOT / "examples" / "portrait.jpg") as image:
        out = BytesIO()
        image.resize((4032, 3024), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90, subsampling=2)
        return out.getvalue()


def kinds(data: bytes) -> dict[str, bytes]:
    """The same coefficients in three codings."""
    with Image.open(BytesIO(data)) as image:
        image.save(out := BytesIO(), "JPEG", quality=90, subsampling=2, optimize=True)
    progressive = turbojpeg.transform(data, lambda *_: None, progressive=True)
    return {"baseline": data, "progressive": progressive, "own Huffman tables": out.getvalue()}


def by_pillow(data: bytes) -> None:
    with Image.open(BytesIO(data)) as image:
        tables: Any = image.quantization  # type: ignore[attr-defined]
        pixels = np.asarray(image)
        progressive = "progressive" in image.info
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", qtables=tables, subsampling=2, progressive=progressive)


def timing(data: bytes) -> dict[str, Any]:
    """Milliseconds, ratios to Pillow, and what changed."""
    source = media.open(data)
    (frame,) = source
    regions = Regions(np.array(FACES, np.float32), np.full(2, 0.9, np.float32))
    plan = FramePlan(regions, ("veil", "veil"), (frame.width, frame.height))
    painted, area = paint_area(frame, plan, Policy().area)
    steps: dict[str, Callable[[], Any]] = {
        "pillow": lambda: by_pillow(data),
        "open and decode": lambda: next(iter(media.open(data))),
        "paint": lambda: paint_area(frame, plan, Policy().area),
        "rewrite": lambda: lossless.rewrite(data, source.info, painted, area),
    }
    elapsed, processor = dict.fromkeys(steps, float("inf")), dict.fromkeys(steps, float("inf"))
    for _ in range(RUNS):
        for name, step in steps.items():
            start, cpu = time.perf_counter(), time.process_time()
            step()
            elapsed[name] = min(elapsed[name], time.perf_counter() - start)
            processor[name] = min(processor[name], time.process_time() - cpu)
    written = lossless.rewrite(data, source.info, painted, area)
    return {
        "elapsed": ratios(elapsed),
        "processor": ratios(processor),
        **changes(data, written, area),
        "size_ratio": round(len(written) / len(data), 4),
    }


def ratios(best: dict[str, float]) -> dict[str, Any]:
    without = (best["open and decode"] + best["rewrite"]) / best["pillow"]
    return {
        "ms": {name: round(1000 * seconds, 1) for name, seconds in best.items()},
        "ratio_to_pillow": round(without, 2),
        "ratio_to_pillow_with_paint": round(without + best["paint"] / best["pillow"], 2),
    }


def changes(data: bytes, written: bytes, area: Any) -> dict[str, int]:
    """Coefficients changed outside the MCUs that the area touches, and all outside. The orientation must be 1."""
    outside = changed = 0
    old, new = turbojpeg.coefficients(jpeg_file.read(data).picture(data)), turbojpeg.coefficients(written)
    factors = jpeg_file.read(data).components
    most_h, most_v = max(c[0] for c in factors), max(c[1] for c in factors)
    for before, after, (h, v, _) in zip(old, new, factors, strict=True):
        hit = np.zeros(before.shape[:2], bool)
        for y, x in np.unique(np.argwhere(area) // [8 * most_v, 8 * most_h], axis=0):
            hit[y * v : (y + 1) * v, x * h : (x + 1) * h] = True
        outside += 64 * int((~hit).sum())
        changed += int((before[~hit] != after[~hit]).sum())
    return {"coefficients_outside": outside, "coefficients_outside_changed": changed}


def measure(path: Path, folder: Path) -> dict[str, Any]:
    """One picture through the whole pipeline."""
    policy, data = Policy(preset="fast", jpeg="auto"), path.read_bytes()
    source = media.open(data)
    (frame,) = source
    plan = stills.look(frame, pipeline.detector_of(policy), policy)
    painted, area = paint_area(frame, plan, policy.area)
    target = folder / path.name
    with media.create(target, source.info, source=source, jpeg="auto") as sink:
        sink.append(painted, area)
    written = target.read_bytes()
    if sink.notes:
        return {"lossless": False, "why": sink.notes[0]}
    ratio = len(jpeg_file.read(written).picture(written)) / len(jpeg_file.read(data).picture(data))
    return {"lossless": True, "ratio": ratio, "share": float(area.mean()), **changes(data, written, area)}


def wider() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = sorted((DATA / "detection" / "images").glob("wider_*.jpg"))
        rows = [measure(path, Path(folder)) for path in paths]
    done = [row for row in rows if row["lossless"]]
    ratios = [row["ratio"] for row in done]
    report = {
        "pictures": len(rows),
        "lossless": len(done),
        "why_not": sorted({row["why"] for row in rows if not row["lossless"]}),
        "coefficients_outside": sum(row["coefficients_outside"] for row in done),
        "coefficients_outside_changed": sum(row["coefficients_outside_changed"] for row in done),
        "size_ratio": {
            "min": round(min(ratios), 3),
            "median": round(statistics.median(ratios), 3),
            "max": round(max(ratios), 3),
        },
    }
    return report, done


def main() -> None:
    data = large()
    report: dict[str, Any] = {"12 MP, two faces": {name: timing(file) for name, file in kinds(data).items()}}
    rows: list[dict[str, Any]] = []
    if (DATA / "detection").is_dir():
        report["wider"], rows = wider()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "lossless.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    draw(report["12 MP, two faces"], rows)
    print(json.dumps(report, indent=2))


def draw(times: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
    for i, found in enumerate(times.values()):
        left.barh(
            i + 0.2,
            found["processor"]["ms"]["pillow"],
            0.35,
            color="#bbb",
            label="Pillow decode + encode" if not i else None,
        )
        start = 0.0
        for step, colour in (("open and decode", "#99b"), ("paint", "#c96"), ("rewrite", "#556")):
            left.barh(i - 0.2, found["processor"]["ms"][step], 0.35, start, color=colour, label=step if not i else None)
            start += found["processor"]["ms"][step]
    left.set(yticks=range(len(times)), yticklabels=list(times), xlabel="processor ms, 12 MP, two faces")
    left.legend(fontsize=6)
    right.scatter([row["share"] for row in rows], [row["ratio"] for row in rows], s=6, color="#556")
    right.set(xlabel="share of the picture that is painted", ylabel="size of output / source")
    figure.savefig(RESULTS / "lossless.png", dpi=80)


if __name__ == "__main__":
    main()
