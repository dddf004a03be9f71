"""How fast videos are veiled: against decoding and encoding alone, and against deface. Whole processes, one run.

    python benchmarks/video.py --peer /path/to/venv/bin/deface [--runs 3]

Clips of ../shared/data/video are looped so that a start-up of a second does not decide; deface, which takes half a
minute and more for each, gets them unlooped. Transcoding is this machine's FFmpeg with the same codec, preset and crf,
all threads. Ratios are taken within each turn; the medians are given. Writes benchmarks/results/video.json and .png.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
from clips import FACEVEIL, RESULTS, ROOT, VIDEOS, looped, wall

from faceveil.media.video.encoders import CODECS

# Name and how many times over: about 20 s of each.
CLIPS = {"facenetpt_video": 5, "mpiigaze_video02": 3, "mpiigaze_video03": 2, "mpiigaze_video04": 3}
PRESETS = {"balanced": [], "fast": ["--preset", "fast"]}


def frame_count(clip: Path) -> int:
    with av.open(str(clip)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def turn(clip: Path, folder: Path, peer: Path | None, short: Path) -> dict[str, float]:
    """Frames a second of each contender, one after the other."""
    coding = CODECS["h264"]
    options = ["=".join(coding.speed), f"crf={coding.crf:g}"]
    count = frame_count(clip)
    plain = [sys.executable, str(ROOT / "benchmarks" / "clips.py"), str(clip), str(folder / "plain.mp4")]
    made = {"transcoding": count / wall([*plain, coding.encoder, *options])[0]}
    for name, extra in PRESETS.items():
        output = folder / f"{name}.mp4"
        seconds, memory = wall([str(FACEVEIL), str(clip), "-o", str(output), "--overwrite", "-q", *extra])
        made[name] = count / seconds
        made[f"{name} MB"] = memory
    if peer is not None:
        seconds, _ = wall([str(peer), str(short), "-o", str(folder / "theirs.mp4")])
        made["deface"] = frame_count(short) / seconds
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="deface's command")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clips", nargs="*", default=list(CLIPS))
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in arguments.clips:
            short = VIDEOS / f"{name}.mp4"
            clip = looped(short, CLIPS[name], folder / f"{name}.mp4")
            turns = []
            for run in range(arguments.runs):
                # deface takes half a minute and more for each clip: once is enough for a factor of eight.
                turns.append(turn(clip, folder, arguments.peer if run == 0 else None, short))
                print(name, {key: round(value, 1) for key, value in turns[-1].items()}, flush=True)
            results[name] = {"frames": frame_count(clip), **summary(turns)}
    print(json.dumps(results, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "video.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if set(arguments.clips) == set(CLIPS):
        draw(results)


def summary(turns: list[dict[str, float]]) -> dict[str, Any]:
    """Medians of rates, and of ratios within each turn."""
    out: dict[str, Any] = {}
    for key in turns[0]:
        out[key] = round(statistics.median(turn[key] for turn in turns if key in turn), 2)
    for preset in PRESETS:
        out[f"{preset} / transcoding"] = round(
            statistics.median(turn[preset] / turn["transcoding"] for turn in turns), 3
        )
        if "deface" in turns[0]:
            out[f"{preset} / deface"] = round(turns[0][preset] / turns[0]["deface"], 2)
    return out


def draw(results: dict[str, Any]) -> None:
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(8, 3.6))
    names = ["transcoding", "fast", "balanced", "deface"]
    for i, name in enumerate(names):
        rates = [row.get(name, 0) for row in results.values()]
        axes.bar([x + 0.2 * i for x in range(len(rates))], rates, 0.18, label=name)
    axes.set_xticks([x + 0.3 for x in range(len(results))], list(results), fontsize=8)
    axes.set_ylabel("frames per second")
    axes.legend()
    axes.set_title("Veiling videos on two cores")
    figure.tight_layout()
    figure.savefig(RESULTS / "video.png", dpi=120)


if __name__ == "__main__":
    main()
