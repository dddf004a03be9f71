"""Boxes of ISO base media files (ISO/IEC 14496-12), QuickTime and JPEG 2000: where each starts and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faceveil.verify.leak import Data

_FEW = 4096


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type, where it starts, where its load starts and where it ends."""

    kind: bytes
    start: int
    load: int
    end: int

    @property
    def size(self) -> int:
        """Bytes, its header included."""
        return self.end - self.start


def boxes(data: Data, at: int, end: int) -> Iterator[Box]:
    """The boxes of one level. Stops at the first that does not fit."""
    while at + 8 <= end:
        size, load = number(data, at, 4), at + 8
        if size == 1:
            size, load = number(data, at + 8, 8), at + 16
        stop = end if size == 0 else at + size
        if stop > end or stop < load:
            return
        yield Box(data[at + 4 : at + 8], at, load, stop)
        at = stop


def few(data: Data, at: int, end: int) -> Iterator[Box]:
    """As `boxes`, where a film has few. Raises `ValueError` after 4,096, which only a hostile one has."""
    for count, box in enumerate(boxes(data, at, end)):
        if count == _FEW:
            raise ValueError(f"more than {_FEW} boxes in one")
        yield box


def within(data: Data, box: Box, skip: int = 0) -> dict[bytes, Box]:
    """The boxes inside another by their type, the first of each. skip: bytes of the load before them."""
    found: dict[bytes, Box] = {}
    for inner in few(data, box.load + skip, box.end):
        found.setdefault(inner.kind, inner)
    return found


def number(data: Data, at: int, size: int) -> int:
    """A big-endian number; a range beyond the end of the file counts as far as it goes."""
    return int.from_bytes(data[at : at + size])
