"""JPEG in and out without any face covered: how much changes, how large the file is, and how long it takes.

    python benchmarks/jpeg.py

Pictures: the WIDER FACE part of ../shared/data/detection, the JPEGs of ../shared/data/tricky, and a 12 MP picture made
from examples/portrait.jpg or, where it is there, the 12 MP motion photo of tricky. PSNR is between source and output as
Pillow decodes them; size is against the source's image data, without its metadata. Writes benchmarks/results/jpeg.json
and jpeg.png.
"""

from __future__ import annotations

import json
import statistics
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageOps

from faceveil import media
from faceveil.errors import InputError
from faceveil.media import jpeg_file

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"
LARGE = DATA / "tricky" / "motion_photo" / "PXL_20200710_061629144.MP.jpg"


def decoded(data: bytes) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Upright RGB as another reader shows it."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(np.int32)


def measure(path: Path) -> dict[str, float] | None:
    """PSNR in dB and size ratio; None where there is nothing to compare (refused, or CMYK)."""
    data = path.read_bytes()
    try:
        source = media.open(data)
        if source.info.format != "JPEG" or any("CMYK" in note for note in source.info.notes):
            return None
        (frame,) = source
    except InputError:
        return None
    written = media.encode(frame, source.info)
    error = float(((decoded(written) - decoded(data)) ** 2).mean())
    picture = jpeg_file.read(data).picture(data)
    ratio = len(jpeg_file.read(written).picture(written)) / len(picture)
    return {"psnr": 10 * float(np.log10(255**2 / max(error, 1e-9))), "ratio": ratio}


def summary(values: list[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def timing(data: bytes, runs: int = 9) -> dict[str, float]:
    """Median milliseconds to open, decode and encode."""
    times: list[tuple[float, float, float]] = []
    for _ in range(runs):
        t0 = time.perf_counter()
        source = media.open(data)
        t1 = time.perf_counter()
        (frame,) = source
        t2 = time.perf_counter()
        media.encode(frame, source.info)
        times.append((t1 - t0, t2 - t1, time.perf_counter() - t2))
    medians = [round(1000 * statistics.median(column), 1) for column in zip(*times, strict=True)]
    return dict(zip(("open_ms", "decode_ms", "encode_ms"), medians, strict=True))


def main() -> None:
    wider = sorted((DATA / "detection" / "images").glob("wider_*.jpg"))
    tricky = sorted(p for p in (DATA / "tricky").rglob("*") if p.suffix in (".jpg", ".mpo"))
    sets = {"wider": [measure(p) for p in wider], "tricky": [measure(p) for p in tricky]}
    report: dict[str, Any] = {}
    for name, rows in sets.items():
        found = [row for row in rows if row]
        report[name] = {
            "pictures": len(found),
            "psnr_db": summary([r["psnr"] for r in found]),
            "size_ratio": summary([r["ratio"] for r in found]),
            "psnr_at_least_45": sum(r["psnr"] >= 45 for r in found),
            "size_within_10_percent": sum(0.9 <= r["ratio"] <= 1.1 for r in found),
        }
    large = LARGE.read_bytes()
    with Image.open(BytesIO(large)) as image:
        kinds: dict[str, dict[str, Any]] = {"standard tables": {"quality": 90}, "progressive": {"progressive": True}}
        report["12 MP"] = {"camera tables": timing(large)}
        for kind, options in kinds.items():
            out = BytesIO()
            image.save(out, "JPEG", subsampling=2, **options)
            report["12 MP"][kind] = timing(out.getvalue())
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "jpeg.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    draw([row for row in sets["wider"] if row])
    print(json.dumps(report, indent=2))


def draw(rows: list[dict[str, float]]) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
    for axis, key, label, bound in zip(
        axes, ("psnr", "ratio"), ("PSNR to the decoded source, dB", "size of output / source"), (45, 1.1), strict=True
    ):
        axis.hist([row[key] for row in rows], bins=30, color="#556")
        axis.axvline(bound, color="#c33", linestyle="--")
        axis.set(xlabel=label, ylabel="pictures")
    figure.savefig(RESULTS / "jpeg.png", dpi=80)


if __name__ == "__main__":
    main()
