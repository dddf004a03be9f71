"""What the video benchmarks share: the clips, longer versions of them, plain transcoding, frames by time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
VIDEOS = ROOT.parent / "shared" / "data" / "video"
FACEVEIL = Path(sys.executable).parent / "faceveil"


def wall(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident memory in MB of one command. Ends the program where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stderr = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command[:4])} ... failed: {stderr.decode()[-400:]}")
    return seconds, usage.ru_maxrss / 1024


def looped(clip: Path, times: int, target: Path) -> Path:
    """The clip so many times over, its packets copied: a start-up of a second must not decide about four."""
    with av.open(str(target), "w") as out:
        made: Any = None
        offset = 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                made = made or out.add_stream_from_template(stream)
                end = 0
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = made
                    out.mux(packet)
                offset += end
    return target


def frames(path: Path) -> Iterator[tuple[Fraction, NDArray[np.uint8]]]:
    """Time and upright RGB of each frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if frame.time_base is None or frame.pts is None:
                raise SystemExit(f"{path} has a frame without a time")
            turns = round(frame.rotation / 90) % 4
            yield frame.pts * frame.time_base, np.asarray(np.rot90(frame.to_ndarray(format="rgb24"), turns), np.uint8)


def transcode(source: Path, target: Path, codec: str, options: dict[str, str]) -> None:
    """Decode and encode all frames of a clip and nothing else, with FFmpeg's threads on both sides."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as out:
        film = opened.streams.video[0]
        film.thread_type = "AUTO"
        made: Any = out.add_stream(codec, rate=film.average_rate, options=options)
        made.width, made.height, made.pix_fmt = film.width, film.height, film.codec_context.pix_fmt
        made.codec_context.time_base = film.time_base
        for frame in opened.decode(film):
            frame.pict_type = av.video.frame.PictureType.NONE
            out.mux(made.encode(frame))
        out.mux(made.encode(None))


if __name__ == "__main__":
    source, target, codec, *pairs = sys.argv[1:]
    transcode(Path(source), Path(target), codec, dict(pair.split("=", 1) for pair in pairs))
