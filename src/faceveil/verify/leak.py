"""What a file may hold beside its picture, and the words for what it should not."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from dataclasses import dataclass

Data = bytes | mmap.mmap
"""A whole file: read into memory, or mapped where it may be larger than that."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something in a file that is neither picture nor on the allow-list.

    what: in words. offset, size: where, in bytes from the start of the file. setting: whether it is a camera setting in
    good order, which `all-but-identifying` lets stay.
    """

    what: str
    offset: int
    size: int
    setting: bool = False


Range = tuple[int, int]
"""[start, end) in bytes from the start of the file."""

SOUND = "a sound track"
"""How the name of a track of sound begins: a voice identifies, so it is a leak unless sound is allowed."""

TOOL = re.compile(
    r"(?:Lav[cf](?:\d[\d.]*)?(?: [a-z][\w-]{1,15})?|libebml v[\d.]+ \+ libmatroska v[\d.]+|libwebm-[\d.]+)?"
)
"""Names that muxers and encoders leave by themselves: FFmpeg's, libebml's, libwebm's. They tell of no person."""

_STEP = 1 << 20
_ZEROS = bytes(_STEP)


def unclaimed(data: Data, claimed: Iterable[Range], what: str, end: int | None = None) -> list[Leak]:
    """Bytes before `end` (of the file) that nothing in the file refers to. Runs of zeros are padding."""
    leaks, last = [], len(data) if end is None else min(end, len(data))
    done = 0
    for start, stop in [*sorted(claimed), (last, last)]:
        if start > done and not blank(data, done, min(start, last)):
            leaks.append(Leak(what, done, min(start, last) - done))
        done = max(done, stop)
    return leaks


def blank(data: Data, start: int, end: int) -> bool:
    """Whether a range holds zeros alone."""
    return all(data[at : min(at + _STEP, end)] == _ZEROS[: end - at] for at in range(start, end, _STEP))


def printable(load: bytes, length: int = 40) -> str:
    """The beginning of a piece of text, for a message; other bytes become dots."""
    text = "".join(chr(b) if 32 <= b < 127 else "." for b in load[:length])
    return text + ("…" if len(load) > length else "")
