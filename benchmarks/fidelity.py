"""How faithful veiled videos are: times, sound, and the picture outside the covers, clip by clip.

    python benchmarks/fidelity.py [--clips NAME ...]

Every clip of ../shared/data/video is veiled with `--audio keep` by a plan, and encoded once more by the same encoder
with nothing painted. Compared with the source: each frame's time, each packet of sound, and the PSNR of luma outside
all covers of both copies. Refusals are listed in their words. Writes benchmarks/results/fidelity.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import FACEVEIL, RESULTS, VIDEOS
from numpy.typing import NDArray

from faceveil import plans
from faceveil.deidentify.cover import place
from faceveil.media.video import VideoCoding, create_video, open_video
from faceveil.planes import upright
from faceveil.policy import Area
from faceveil.types import FramePlan, Planes

FEATHER = 0.15  # of half a cover: the soft edge of `veil`
SUFFIXES = (".mp4", ".mov", ".webm", ".mkv")


def packets(path: Path) -> list[bytes]:
    """The sound, packet by packet, of all tracks; not what the edit list hides, which is never copied."""
    with av.open(str(path)) as container:
        tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
        shown = (packet for packet in container.demux(tracks) if packet.size and not packet.is_discard)
        return [bytes(packet) for packet in shown] if tracks else []


def outside(moment: Planes, plan: FramePlan) -> NDArray[np.bool_]:
    """Where no cover and no soft edge lies, as stored, (H, W)."""
    width, height = moment.size
    free = np.ones((height, width), bool)
    if len(plan.regions):
        for x1, y1, x2, y2 in place(plan.regions.xyxy, Area(), tracked=True).rects(FEATHER).tolist():
            free[max(0, int(y1) - 2) : max(0, int(y2) + 3), max(0, int(x1) - 2) : max(0, int(x2) + 3)] = False
    back = {6: 8, 8: 6}.get(moment.orientation, moment.orientation)
    return np.asarray(upright(free.view(np.uint8), back)).view(bool)


def compare(source: Path, veiled: Path, plain: Path, lines: dict[int, FramePlan]) -> dict[str, Any]:
    """Times, and PSNR of luma outside the covers, of the veiled and of the plain copy."""
    errors, count, same_times, frames = [0.0, 0.0], 0, True, 0
    white = 255.0
    for original, *copies in zip(open_video(source), open_video(veiled), open_video(plain), strict=True):
        free = outside(original, lines[original.index])
        white = float(2**original.bits - 1)
        luma = original.planes[0].astype(np.float32)
        for i, copy in enumerate(copies):
            height, width = luma.shape  # x264 takes odd sizes as 4:4:4
            errors[i] += float((np.square(copy.planes[0][:height, :width] - luma) * free).sum())
        count += int(free.sum())
        frames += 1
        same_times &= copies[0].time == original.time
    psnr = [round(10 * float(np.log10(white**2 * count / max(error, 1e-9))), 2) for error in errors]
    return {"frames": frames, "times_equal": same_times, "psnr_veiled": psnr[0], "psnr_plain": psnr[1]}


def row(clip: Path, folder: Path) -> dict[str, Any]:
    """One clip."""
    plan, veiled, plain = folder / "plan.jsonl", folder / f"veiled{clip.suffix}", folder / f"plain{clip.suffix}"
    for path in (plan, veiled, plain):
        path.unlink(missing_ok=True)
    done = subprocess.run(
        [str(FACEVEIL), str(clip), "--plan", str(plan), "-q"], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        command = [str(FACEVEIL), "apply", str(plan), "-o", str(veiled), "-q"]
        header, *rest = plan.read_text().splitlines()
        settings = json.loads(header)
        settings["policy"]["audio"] = "keep"
        plan.write_text("\n".join([json.dumps(settings), *rest, ""]))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"refused": done.stderr.strip().replace(str(clip), clip.name)}
    source = open_video(clip)
    with create_video(plain, source.info, coding=VideoCoding(), source=source) as sink:
        for moment in source:
            sink.append(moment)
    (planned,) = plans.read(plan)
    made = compare(clip, veiled, plain, {line.index: line for line in planned})
    theirs, ours = packets(clip), packets(veiled)
    return {**made, "sound_packets": len(theirs), "sound_equal": ours == theirs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="*", help="names without suffix")
    arguments = parser.parse_args()
    clips = sorted(path for path in VIDEOS.rglob("*") if path.suffix.lower() in SUFFIXES)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            if arguments.clips and clip.stem not in arguments.clips:
                continue
            rows[clip.name] = row(clip, Path(folder))
            print(clip.name, rows[clip.name], flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "fidelity.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
