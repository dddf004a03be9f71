"""The main job as a user runs it: whole processes, side by side with a peer in one run, the median of paired ratios.

    python benchmarks/photos.py --peer /path/to/venv/bin/deface [--runs 3] [--openvino]

Writes benchmarks/results/photos.json and photos.png. The peer is deface with onnxruntime in a virtual environment of
its own (pip install deface==1.5.0 onnxruntime onnx). Pictures: the WIDER FACE part of ../shared/data/detection, copied
to a temporary folder; large ones are made from examples/portrait.jpg.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
THOROUGH_EVERY = 9
FACEVEIL = Path(sys.executable).parent / "faceveil"


def wall(command: list[str], **kwargs: Any) -> tuple[float, float]:
    """Seconds and peak resident memory in MB (the largest single process) of one command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kwargs)
    stderr = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) not in (0, 4):  # 4: verification refused a picture
        raise SystemExit(f"{' '.join(command[:3])} ... failed: {stderr.decode()[-300:]}")
    return seconds, usage.ru_maxrss / 1024


def throughput(pictures: list[Path], peer: Path | None, runs: int, openvino: bool) -> dict[str, Any]:
    """Pictures per second of each contender, run in turn; ratios are taken within each turn."""
    settings = {"fast": ["--preset", "fast"], "balanced": [], "thorough": ["--preset", "thorough"]}
    if openvino:
        settings["balanced, openvino"] = ["--provider", "openvino"]
    seconds: dict[str, list[float]] = {name: [] for name in settings}
    if peer:
        seconds["deface"] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for picture in pictures:
            shutil.copy(picture, source)
        few = Path(folder, "few")
        few.mkdir()
        for picture in pictures[::THOROUGH_EVERY]:
            shutil.copy(picture, few)
        for run in range(runs + 1):
            for name, values in seconds.items():
                if name == "thorough" and run != 1:
                    continue  # it takes seconds a picture, and no ratio hangs on it
                folder_in = few if name == "thorough" else source
                took = _once(name, settings.get(name, []), folder_in, Path(folder, "out"), peer)
                if run:  # the first turn warms the disk cache
                    values.append(took)
    out: dict[str, Any] = {}
    for name, values in seconds.items():
        count = len(pictures[::THOROUGH_EVERY]) if name == "thorough" else len(pictures)
        rate = count / statistics.median(values)
        out[name] = {"pictures_per_s": round(rate, 2), "seconds": [round(v, 2) for v in values]}
        if peer and name != "deface":
            turns = zip(seconds["deface"], values, strict=False)
            ratios = [theirs / len(pictures) / (ours / count) for theirs, ours in turns]
            out[name]["times_deface"] = round(statistics.median(ratios), 2)
    return out


def _once(name: str, options: list[str], source: Path, out: Path, peer: Path | None) -> float:
    shutil.rmtree(out, ignore_errors=True)
    if name != "deface" or peer is None:
        return wall([str(FACEVEIL), str(source), "-o", str(out), "--quiet", *options])[0]
    copy = out / "in"  # deface writes beside its inputs
    shutil.copytree(source, copy)
    return wall([str(peer), *map(str, sorted(copy.iterdir()))])[0]


def large(megapixels: float, folder: Path) -> Path:
    """A photo-like JPEG of about that size with one large face and sensor noise, made from the portrait."""
    portrait = cv2.imread(str(ROOT / "examples" / "portrait.jpg"))
    if portrait is None:
        raise SystemExit("examples/portrait.jpg is missing")
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 4) * 4
    height = width * 3 // 4
    picture = cv2.resize(portrait, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(1).integers(-4, 5, (512, 512, 3), np.int16)
    for y in range(0, height, 512):
        for x in range(0, width, 512):
            part = picture[y : y + 512, x : x + 512]
            part[:] = np.clip(part + noise[: part.shape[0], : part.shape[1]], 0, 255)
    path = folder / f"{megapixels:g}mp.jpg"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


AFTER_START = """
import sys, time, faceveil
faceveil.veil(sys.argv[1], sys.argv[3], overwrite=True, threads=1)
times = []
for _ in range(5):
    t = time.perf_counter()
    faceveil.veil(sys.argv[2], sys.argv[3], overwrite=True, threads=1)
    times.append(time.perf_counter() - t)
print(sorted(times)[2])
"""


def single() -> dict[str, Any]:
    """One picture at a time: start to first result at 2 MP; 12 MP after start-up on one core; memory at 12, 100 MP."""
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for megapixels in (2, 12, 100):
            picture = large(megapixels, folder)
            took = [wall([str(FACEVEIL), str(picture), "-o", str(folder / "o.jpg"), "--overwrite"]) for _ in range(3)]
            out[f"{megapixels} MP"] = {
                "seconds_with_start": round(statistics.median(t for t, _ in took), 3),
                "peak_rss_mb": round(max(m for _, m in took)),
            }
        arguments = [str(ROOT / "examples" / "portrait.jpg"), str(folder / "12mp.jpg"), str(folder / "o.jpg")]
        pin = ["taskset", "-c", "0"] if shutil.which("taskset") else []
        done = subprocess.run(
            [*pin, sys.executable, "-c", AFTER_START, *arguments], capture_output=True, text=True, check=True
        )
        out["12 MP"]["seconds_after_start_one_core"] = round(float(done.stdout), 3)
    return out


def draw(speed: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    names = sorted(speed, key=lambda n: speed[n]["pictures_per_s"])
    bars = axes.barh(names, [speed[n]["pictures_per_s"] for n in names], color="#5a6b7b")
    axes.bar_label(bars, padding=3)
    axes.set_xlabel("pictures per second, whole process, 2 cores (WIDER FACE, about 0.8 MP)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="the deface command of another virtual environment")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--openvino", action="store_true", help="measure the openvino extra too (must be installed)")
    options = parser.parse_args()
    folder = ROOT.parent / "shared" / "data" / "detection" / "images"
    pictures = sorted(folder.glob("wider_*.jpg"))
    if not pictures:
        raise SystemExit(f"no pictures in {folder}: nothing is measured")
    result: dict[str, Any] = {
        "command": "python benchmarks/photos.py --peer DEFACE" + (" --openvino" if options.openvino else ""),
        "pictures": len(pictures),
        "cores": os.cpu_count(),
        "throughput": throughput(pictures, options.peer, options.runs, options.openvino),
        "single": single(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "photos.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(result["throughput"], RESULTS / "photos.png")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
