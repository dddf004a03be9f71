"""Peak memory over a video's length: 10 seconds against 10 minutes of 1080p, whole processes.

    python benchmarks/memory.py [--minutes 10] [--presets balanced fast]

The clip is made here: the portrait's head walks to and fro over a wall, 25 frames a second, at a low bit rate. The long
one is the short one over and over, its packets copied. Writes benchmarks/results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import FACEVEIL, RESULTS, ROOT, looped, wall
from PIL import Image

WIDTH, HEIGHT, RATE, SECONDS = 1920, 1080, 25, 10
HEAD = (140, 20, 310, 210)  # of the portrait: hair to chin
OPTIONS = {"preset": "ultrafast", "crf": "32", "g": "50", "bf": "0"}  # without B-frames, so that loops join exactly


def walk(target: Path) -> Path:
    """Ten seconds of a head, 190 pixels high, that walks to the right and back."""
    with Image.open(ROOT / "examples" / "portrait.jpg") as portrait:
        head = np.asarray(portrait.convert("RGB").crop(HEAD))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    wall_behind = np.stack([x % 256 // 2 + 60, y % 128 + 60, (x + y) % 200 // 2 + 80], axis=2).astype(np.uint8)
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options=OPTIONS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(RATE * SECONDS):
            picture = wall_behind.copy()
            left = 100 + 12 * abs(number % (RATE * SECONDS) - RATE * SECONDS // 2)
            picture[400 : 400 + head.shape[0], left : left + head.shape[1]] = head
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--presets", nargs="*", default=["balanced", "fast"])
    arguments = parser.parse_args()
    results: dict[str, Any] = {"size": [WIDTH, HEIGHT], "rate": RATE}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        short = walk(folder / "short.mp4")
        times = max(2, round(arguments.minutes * 60 / SECONDS))
        clips = {SECONDS: short, SECONDS * times: looped(short, times, folder / "long.mp4")}
        for preset in arguments.presets:
            peaks: dict[str, float] = {}
            for seconds, clip in clips.items():
                command = [str(FACEVEIL), str(clip), "-o", str(folder / "out.mp4"), "--overwrite", "-q"]
                took, peak = wall([*command, "--preset", preset])
                peaks[f"{seconds} s"] = round(peak)
                print(f"{preset}, {seconds} s: {peak:.0f} MB, {took:.0f} s of work", flush=True)
            short_mb, long_mb = peaks.values()
            results[preset] = {"peak_mb": peaks, "growth": round(long_mb / short_mb - 1, 3)}
    print(json.dumps(results, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
