"""What a file may hold beside its picture, and the words for what it should not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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


def unclaimed(data: bytes, claimed: Iterable[Range], what: str) -> list[Leak]:
    """Bytes that nothing in the file refers to. Runs of zeros are padding."""
    leaks, end = [], 0
    for start, stop in [*sorted(claimed), (len(data), len(data))]:
        if start > end and data[end:start].strip(b"\0"):
            leaks.append(Leak(what, end, start - end))
        end = max(end, stop)
    return leaks


def printable(load: bytes, length: int = 40) -> str:
    """The beginning of a piece of text, for a message; other bytes become dots."""
    text = "".join(chr(b) if 32 <= b < 127 else "." for b in load[:length])
    return text + ("…" if len(load) > length else "")
