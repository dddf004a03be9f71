"""Sample tables of films (ISO/IEC 14496-12, 8.6 to 8.8): which bytes of the file belong to a track, and when they show.

Arrays, because an hour of film has 10^5 samples; every count is checked against the file before memory is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceveil.verify.boxes import Box, boxes, number
from faceveil.verify.leak import Data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


class DamagedError(Exception):
    """Tables that contradict each other or the file; the message says which."""


def _none() -> Numbers:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Samples:
    """Where a track's samples lie.

    ranges: int64 (m, 2), start and end of runs of samples in the file, in bytes.
    starts, sizes: int64 (n,) of each sample; empty for sound of samples of one size (PCM has 48,000 a second).
    shown: int64 (n,), when each is shown, in ticks of the track; empty in fragments. lasting: int64 (n,), its duration.
    """

    ranges: Numbers = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    starts: Numbers = field(default_factory=_none)
    sizes: Numbers = field(default_factory=_none)
    shown: Numbers = field(default_factory=_none)
    lasting: Numbers = field(default_factory=_none)

    @property
    def total(self) -> int:
        """Bytes of all samples."""
        return int((self.ranges[:, 1] - self.ranges[:, 0]).sum())

    def joined(self, other: Samples) -> Samples:
        """With samples of a fragment."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("ranges", "starts", "sizes"))
        return Samples(*(np.concatenate(pair) for pair in pairs))


def read(data: Data, table: dict[bytes, Box], unit: tuple[int, int] = (1, 1)) -> Samples:
    """The samples of a track's tables (`stbl`).

    unit: (bytes, samples) where samples have size 1: QuickTime counts sound by what a loudspeaker plays.

    Raises:
        DamagedError: the tables do not fit each other, or the file.
    """
    missing = [kind for kind in (b"stsz", b"stz2") if kind in table]
    if not missing or b"stsc" not in table:
        raise DamagedError("a track without tables of its samples")
    sizes, each, count = _sizes(data, table[missing[0]])
    chunks = _chunks(data, table)
    per_chunk = _per_chunk(data, table[b"stsc"], len(chunks))
    if int(per_chunk.sum()) != count:
        raise DamagedError("tables of samples that do not fit each other")
    if each:
        lengths = per_chunk * each if each > 1 else per_chunk * unit[0] // unit[1]
        ranges = np.stack([chunks, chunks + lengths], axis=1)
        if int(lengths.sum()) > len(data):
            raise DamagedError("samples larger than the file")
        if each == 1 or count * 16 > len(data):
            return Samples(ranges)
        sizes = np.full(count, each, np.int64)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    first = np.cumsum(per_chunk) - per_chunk
    starts = before[:-1] - np.repeat(before[first], per_chunk) + np.repeat(chunks, per_chunk)
    ranges = np.stack([chunks, chunks + before[first + per_chunk] - before[first]], axis=1)
    if len(ranges) and ranges[:, 1].max() > len(data):
        raise DamagedError("samples beyond the end of the file")
    return Samples(ranges, starts, sizes, *_times(data, table, count))


def _table(data: Data, box: Box, skip: int, form: str, columns: int) -> Numbers:
    """The rows of a table box as int64, (rows, columns). skip: bytes before the count of rows."""
    at = box.load + skip + 4
    rows = number(data, box.load + skip, 4)
    width = np.dtype(form).itemsize * columns
    if at + rows * width > box.end:
        raise DamagedError(f"a table '{box.kind.decode('latin-1')}' that is cut off")
    return np.frombuffer(data[at : at + rows * width], form).astype(np.int64).reshape(rows, columns)


def _sizes(data: Data, box: Box) -> tuple[Numbers, int, int]:
    """Sizes of the samples, or the one that all have; and how many there are."""
    each, count = number(data, box.load + 4, 4), number(data, box.load + 8, 4)
    if box.kind == b"stsz":
        return (_none(), each, count) if each else (_table(data, box, 8, ">u4", 1)[:, 0], 0, count)
    form = {4: ">u1", 8: ">u1", 16: ">u2"}.get(each & 0xFF)
    if form is None:
        raise DamagedError("a table 'stz2' of an unknown width")
    if each & 0xFF == 4:
        packed = np.frombuffer(data[box.load + 12 : box.load + 12 + -(-count // 2)], np.uint8).astype(np.int64)
        sizes = np.stack([packed >> 4, packed & 15], axis=1).ravel()[:count]
    else:
        sizes = _table(data, box, 8, form, 1)[:, 0]
    if len(sizes) != count:
        raise DamagedError("a table 'stz2' that is cut off")
    return sizes, 0, count


def _chunks(data: Data, table: dict[bytes, Box]) -> Numbers:
    if b"co64" in table:
        chunks = _table(data, table[b"co64"], 4, ">i8", 1)[:, 0]
    elif b"stco" in table:
        chunks = _table(data, table[b"stco"], 4, ">u4", 1)[:, 0]
    else:
        raise DamagedError("a track without a table of its chunks")
    if len(chunks) and (chunks.min() < 0 or chunks.max() > len(data)):
        raise DamagedError("samples beyond the end of the file")
    return chunks


def _per_chunk(data: Data, box: Box, chunks: int) -> Numbers:
    """How many samples each chunk has."""
    rows = _table(data, box, 4, ">u4", 3)
    if not len(rows) or not chunks:
        return np.zeros(chunks, np.int64)
    first = rows[:, 0] - 1
    if first[0] != 0 or (np.diff(first) <= 0).any() or first[-1] >= chunks:
        raise DamagedError("a table 'stsc' that does not fit the chunks")
    return np.repeat(rows[:, 1], np.diff(np.append(first, chunks)))


def _times(data: Data, table: dict[bytes, Box], count: int) -> tuple[Numbers, Numbers]:
    """When each sample is shown and for how long, in ticks of the track."""
    if b"stts" not in table:
        raise DamagedError("a track without a table of its times")
    lasting = _runs(_table(data, table[b"stts"], 4, ">u4", 2), count, "stts")
    shown = np.cumsum(lasting) - lasting
    if b"ctts" in table:  # version 0 has unsigned numbers, and files with negative ones all the same
        shown = shown + _runs(_table(data, table[b"ctts"], 4, ">i4", 2), count, "ctts")
    return shown, lasting


def _runs(rows: Numbers, count: int, name: str) -> Numbers:
    runs = rows[:, 0] & 0xFFFFFFFF
    if int(runs.sum()) != count:
        raise DamagedError(f"a table '{name}' that does not fit the samples")
    return np.repeat(rows[:, 1], runs)


# --- fragments ----------------------------------------------------------------------------------------------------


def fragments(data: Data, moof: Box, defaults: dict[int, int]) -> dict[int, Samples]:
    """The samples of one movie fragment by track.

    defaults: size of a sample by track, where a fragment names none (`trex`).

    Raises:
        DamagedError: samples beyond the end of the file.
    """
    found: dict[int, Samples] = {}
    following = moof.start
    for traf in (box for box in boxes(data, moof.load, moof.end) if box.kind == b"traf"):
        inside = list(boxes(data, traf.load, traf.end))
        head = next((box for box in inside if box.kind == b"tfhd"), None)
        if head is None:
            raise DamagedError("a fragment of no track")
        flags, track, at = number(data, head.load + 1, 3), number(data, head.load + 4, 4), head.load + 8
        base = moof.start if flags & 0x20000 or not found else following
        if flags & 1:
            base, at = number(data, at, 8), at + 8
        at += 4 * sum(bool(flags & bit) for bit in (2, 8))
        each = number(data, at, 4) if flags & 0x10 else defaults.get(track, 0)
        following = base
        for run in (box for box in inside if box.kind == b"trun"):
            samples = _run(data, run, base, following, each)
            found[track] = found[track].joined(samples) if track in found else samples
            following = int(samples.ranges[0, 1])
    return found


def _run(data: Data, box: Box, base: int, following: int, each: int) -> Samples:
    """The samples of one run, which lie one behind the other."""
    flags, count, at = number(data, box.load + 1, 3), number(data, box.load + 4, 4), box.load + 8
    start = following
    if flags & 1:
        start = base + int.from_bytes(data[at : at + 4], signed=True)
    at += 4 * sum(bool(flags & bit) for bit in (1, 4))
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if at + 4 * count * len(columns) > box.end or (not columns and count * each > len(data)):
        raise DamagedError("a fragment that is cut off")
    if 0x200 in columns:
        rows = np.frombuffer(data[at : at + 4 * count * len(columns)], ">u4").reshape(count, len(columns))
        sizes = rows[:, columns.index(0x200)].astype(np.int64)
    else:
        sizes = np.full(count if each else 0, each, np.int64)
    ends = start + np.cumsum(sizes)
    end = int(ends[-1]) if len(ends) else start
    if start < 0 or end > len(data):
        raise DamagedError("samples beyond the end of the file")
    return Samples(np.array([[start, end]], np.int64), ends - sizes, sizes)


# --- what is left over --------------------------------------------------------------------------------------------


def gaps(claimed: Numbers, start: int, end: int) -> Numbers:
    """The parts of [start, end) that no range of `claimed` (n, 2) covers, as (m, 2)."""
    inside = claimed[(claimed[:, 1] > start) & (claimed[:, 0] < end)]
    inside = inside[np.argsort(inside[:, 0], kind="stable")]
    opens = np.concatenate([np.array([start]), np.maximum.accumulate(inside[:, 1])])
    closes = np.concatenate([inside[:, 0], np.array([end])])
    found = np.stack([np.maximum(opens, start), np.minimum(closes, end)], axis=1)
    return found[found[:, 1] > found[:, 0]]
