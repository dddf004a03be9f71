"""Exposed frames: faces that two other networks still see in veiled videos, faceveil beside deface.

    python benchmarks/exposure.py --peer /path/to/venv/bin/deface [--keep FOLDER]

A face is exposed where YuNet (score 0.7) finds it in the output, SCRFD confirms it, and YuNet finds one at the same
place in the original frame; a grey head alone is no face. Clips: seven of ../shared/data/video. Writes
benchmarks/results/exposure.json; --keep leaves the videos and a picture of every case there, to be looked at.
"""

from __future__ import annotations

import argparse
import bisect
import json
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clips import FACEVEIL, RESULTS, VIDEOS, frames
from judge import Boxes, Judge, iou
from numpy.typing import NDArray

CLIPS = (
    "hamilton_short carphone_pristine sihan_test mpiigaze_video04 mpiigaze_video02 facenetpt_video mpiigaze_video03"
).split()
SAME_PLACE = 0.3  # IoU of a face of the output with one of the original


def faces_of(clip: Path, judge: Judge) -> dict[Fraction, Boxes]:
    """The faces of the original, by the time of their frame."""
    return {time: judge.yunet(rgb) for time, rgb in frames(clip)}


def exposed(output: Path, faces: dict[Fraction, Boxes], judge: Judge, keep: Path | None) -> dict[str, Any]:
    """The frames of an output that show a face of the original frame at their time."""
    times = sorted(faces)
    cases, shown = [], 0
    for time, rgb in frames(output):
        shown += 1
        found = judge(rgb)
        there = faces[_nearest(times, time)]
        if not len(found) or not len(there):
            continue
        for box in found[(iou(found, there) >= SAME_PLACE).any(1)]:
            cases.append({"time": round(float(time), 3), "box": [round(float(v)) for v in box]})
            if keep is not None:
                _picture(rgb, box, keep / f"{output.stem}_{len(cases):03d}_{float(time):.2f}s.png")
    return {"frames": shown, "exposed": len({case["time"] for case in cases}), "cases": cases}


def _nearest(times: list[Fraction], time: Fraction) -> Fraction:
    at = bisect.bisect_left(times, time)
    return min(times[max(0, at - 1) : at + 1], key=lambda known: abs(known - time))


def _picture(rgb: NDArray[np.uint8], box: Boxes, path: Path) -> None:
    marked = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(marked, (x1, y1), (x2, y2), (0, 0, 255), 2)
    cv2.imwrite(str(path), marked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="deface's command")
    parser.add_argument("--keep", type=Path, help="folder for videos and pictures of the cases")
    parser.add_argument("--clips", nargs="*", default=CLIPS)
    arguments = parser.parse_args()
    tools = {"balanced": [str(FACEVEIL)], "fast": [str(FACEVEIL), "--preset", "fast"]}
    if arguments.peer:
        tools["deface"] = [str(arguments.peer)]
    judge = Judge()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.clips:
            clip = VIDEOS / f"{name}.mp4"
            faces = faces_of(clip, judge)
            rows[name] = {"faces": sum(map(len, faces.values()))}
            for tool, command in tools.items():
                output = (arguments.keep or Path(folder)) / f"{name}_{tool}.mp4"
                output.parent.mkdir(parents=True, exist_ok=True)
                output.unlink(missing_ok=True)
                subprocess.run([*command, str(clip), "-o", str(output)], check=True, capture_output=True)
                rows[name][tool] = exposed(output, faces, judge, arguments.keep)
                print(name, tool, rows[name][tool]["exposed"], "of", rows[name][tool]["frames"], flush=True)
            totals = {tool: _total(rows, tool) for tool in tools}
            RESULTS.mkdir(exist_ok=True)
            text = json.dumps({"totals": totals, "clips": rows}, indent=1)
            (RESULTS / "exposure.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(totals, indent=1))


def _total(rows: dict[str, Any], tool: str) -> dict[str, Any]:
    count = sum(row[tool]["frames"] for row in rows.values())
    bad = sum(row[tool]["exposed"] for row in rows.values())
    return {"frames": count, "exposed": bad, "per_1000": round(1000 * bad / count, 2)}


if __name__ == "__main__":
    main()
