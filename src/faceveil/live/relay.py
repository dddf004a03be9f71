"""A process that sends pictures to an address.

Not a thread: PyAV holds Python's lock while it connects, so a receiver that hangs would hang everything.

It reads from standard input one JSON line (the address, the muxer, how to encode, seconds of patience), then pictures:
eight bytes of time in microseconds and the samples of 4:2:0. When it cannot go on it says why, in one line on standard
output. It ends when standard input does, as it does when its parent dies.
"""

from __future__ import annotations

import json
import signal
import sys
from fractions import Fraction

import av
import numpy as np

from faceveil.live.encode import Coding, Writer
from faceveil.live.sources import reason


def main() -> int:
    """Send until standard input ends."""
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # there was nothing to send
    given = json.loads(line)
    coding = Coding(*given["coding"])
    patience = float(given["timeout"])
    writer: Writer | None = None
    try:
        while head := sys.stdin.buffer.read(8):
            data = sys.stdin.buffer.read(coding.width * coding.height * 3 // 2)
            samples = np.frombuffer(data, np.uint8).reshape(coding.height * 3 // 2, coding.width)
            frame = av.VideoFrame.from_ndarray(samples, "yuv420p")
            _limit(patience)
            if writer is None:
                writer = Writer(given["url"], given["form"], coding)
            writer.add(frame, Fraction(int.from_bytes(head, "little"), 1_000_000))
            _limit(0)
        if writer is not None:
            _limit(patience)
            writer.finish()
    except (av.error.FFmpegError, OSError) as error:
        sys.stdout.write(reason(error) + "\n")
        return 1
    return 0


def _limit(seconds: float) -> None:
    """End this process unless it comes back here in time: the signal's default action needs no Python to run."""
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    sys.exit(main())
