"""The boxes of HEIF and AVIF files (ISO/IEC 14496-12 and 23008-12), as far as they say what decoders do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from struct import unpack_from

from faceveil.media.faults import FRAME_CAP, cut_off, damaged, too_many

Box = tuple[bytes, int, int]  # type, start and stop of the load

_TOP = frozenset(
    b"ftyp meta mdat moov moof mfra free skip wide uuid idat styp sidx emsg pdin jumb mpvd sefd".split()
)  # the last two are Samsung's


@dataclass(frozen=True, slots=True)
class Primary:
    """Properties of the primary item, and what stands beside it.

    clap: the clean aperture as (left, top, right, bottom), stored pixels; None if there is none.
    bits: of one channel, of AV1. chroma: subsampling, of AV1, 420, 422 or 444.
    sequence: whether the file has a film track. video: whether a motion photo's film follows.
    rest: bytes after the last box.
    """

    clap: tuple[int, int, int, int] | None = None
    bits: int = 8
    chroma: int = 420
    sequence: bool = False
    video: bool = False
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Track:
    """The picture track of an image sequence.

    durations: seconds of each frame. endless: whether it repeats for ever, None where it does not say.
    bits, chroma: as in `Primary`. moved: whether it is cropped, turned or mirrored.
    """

    durations: tuple[Fraction, ...]
    endless: bool | None
    bits: int
    chroma: int
    moved: bool


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """The boxes in a range. Raises `UnreadableError` for one that reaches beyond it."""
    stop = len(data) if stop is None else stop
    at = start
    while at + 8 <= stop:
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = stop - at
        if size < head:
            damaged()
        if at + size > stop:
            cut_off()
        yield data[at + 4 : at + 8], at + head, at + size
        at += size


def _top(data: bytes) -> list[Box]:
    """The outermost boxes, up to the first of an unknown type: what follows is no part of the format."""
    found: list[Box] = []
    at = 0
    while data[at + 4 : at + 8] in _TOP:
        found.append(next(boxes(data, at)))
        at = found[-1][2]
    return found or damaged()


def primary(data: bytes) -> Primary:
    """What the boxes say about the primary picture."""
    top = _top(data)
    kinds = [kind for kind, *_ in top]
    meta = next(((a, b) for kind, a, b in top if kind == b"meta"), None)
    found = _properties(data, meta) if meta else []
    clap = None
    bits, chroma, size = 8, 420, (0, 0)
    for kind, a, b in found:
        if kind == b"ispe" and b - a >= 12:
            size = unpack_from(">II", data, a + 4)
        elif kind == b"av1C" and b - a >= 4:
            bits, chroma = _av1(data[a + 2])
    for kind, a, b in found:
        if kind == b"clap" and b - a >= 32 and all(size):
            clap = _aperture(unpack_from(">IIIIiIiI", data, a), size)
    return Primary(clap, bits, chroma, b"moov" in kinds, b"mpvd" in kinds, len(data) - top[-1][2])


def _properties(data: bytes, meta: tuple[int, int]) -> list[Box]:
    """The property boxes that belong to the primary item."""
    inside = {kind: (a, b) for kind, a, b in boxes(data, meta[0] + 4, meta[1])}
    if b"pitm" not in inside or b"iprp" not in inside:
        return []
    at = inside[b"pitm"][0]
    item = int.from_bytes(data[at + 4 : at + (8 if data[at] else 6)], "big")
    parts = {kind: (a, b) for kind, a, b in boxes(data, *inside[b"iprp"])}
    if b"ipco" not in parts or b"ipma" not in parts:
        return []
    known = list(boxes(data, *parts[b"ipco"]))
    indices = _associations(data, parts[b"ipma"][0], item)
    return [known[i - 1] for i in indices if 0 < i <= len(known)]


def _associations(data: bytes, at: int, wanted: int) -> list[int]:
    """Indices of the properties of one item, from 1, in ipma."""
    version, wide = data[at], data[at + 3] & 1
    count, at = int.from_bytes(data[at + 4 : at + 8], "big"), at + 8
    for _ in range(count):
        id_size, step = (4 if version else 2), (2 if wide else 1)
        item, number = int.from_bytes(data[at : at + id_size], "big"), data[at + id_size]
        at += id_size + 1
        if item == wanted:
            mask = 0x7FFF if wide else 0x7F
            places = range(at, at + step * number, step)
            return [int.from_bytes(data[i : i + step], "big") & mask for i in places]
        at += step * number
    return []


def _aperture(values: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Clean aperture in whole pixels, rounded outward; None where its numbers make no sense."""
    (wn, wd, hn, hd, xn, xd, yn, yd), (width, height) = values, size
    if not (wd and hd and xd and yd):
        return None
    w, h = wn / wd, hn / hd
    left, top = (width - w) / 2 + xn / xd, (height - h) / 2 + yn / yd
    box = max(0, int(left)), max(0, int(top)), min(width, -int(-(left + w))), min(height, -int(-(top + h)))
    return box if box[0] < box[2] and box[1] < box[3] and box != (0, 0, width, height) else None


def _av1(flags: int) -> tuple[int, int]:
    """Bits and chroma subsampling from the third byte of av1C (AV1 in ISOBMFF, 2.3.3)."""
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8, {0x0C: 420, 0x08: 422}.get(flags & 0x0C, 444)


_Range = tuple[int, int]


def _inside(data: bytes, place: _Range, *path: bytes) -> _Range | None:
    """The load of the first box on a path of nested boxes; None where one is missing."""
    for name in path:
        found = next(((a, b) for kind, a, b in boxes(data, *place) if kind == name), None)
        if found is None:
            return None
        place = found
    return place


def track(data: bytes) -> Track | None:
    """The first picture track, None where there is no film. Raises where its tables are damaged or too long."""
    movie = next(((a, b) for kind, a, b in _top(data) if kind == b"moov"), None)
    if movie is None:
        return None
    for kind, start, stop in boxes(data, *movie):
        handler = _inside(data, (start, stop), b"mdia", b"hdlr") if kind == b"trak" else None
        if handler and data[handler[0] + 8 : handler[0] + 12] == b"pict":
            return _track(data, (start, stop))
    return None


def _track(data: bytes, place: _Range) -> Track:
    clock = _inside(data, place, b"mdia", b"mdhd")
    times = _inside(data, place, b"mdia", b"minf", b"stbl", b"stts")
    entry = _inside(data, place, b"mdia", b"minf", b"stbl", b"stsd")
    if not (clock and times and entry):
        damaged()
    scale = unpack_from(">I", data, clock[0] + (20 if data[clock[0]] else 12))[0]
    if not scale:
        damaged()
    # The first sample entry: 8 bytes before it, then its own box header and the 78 bytes of a visual sample entry.
    parts = {kind: a for kind, a, _ in boxes(data, entry[0] + 8 + 8 + 78, entry[1])} if entry[1] - entry[0] > 94 else {}
    bits, chroma = _av1(data[parts[b"av1C"] + 2]) if b"av1C" in parts else (8, 420)
    moved = bool({b"clap", b"irot", b"imir"} & set(parts))
    return Track(_durations(data, times, scale), _endless(data, place), bits, chroma, moved)


def _durations(data: bytes, times: _Range, scale: int) -> tuple[Fraction, ...]:
    """Seconds of each sample, from stts: pairs of a count and a duration."""
    entries = unpack_from(">I", data, times[0] + 4)[0]
    if entries * 8 > times[1] - times[0] - 8:
        damaged()
    found: list[Fraction] = []
    for place in range(times[0] + 8, times[0] + 8 + 8 * entries, 8):
        count, ticks = unpack_from(">II", data, place)
        if len(found) + count > FRAME_CAP:
            too_many()
        found += [Fraction(ticks, scale)] * count
    return tuple(found)


def _endless(data: bytes, place: _Range) -> bool | None:
    """Whether the edit list repeats (flag 1) a track without an end (a duration of all ones in tkhd)."""
    edits, head = _inside(data, place, b"edts", b"elst"), _inside(data, place, b"tkhd")
    if not edits or not head:
        return None
    if not data[edits[0] + 3] & 1:
        return False
    wide = data[head[0]] == 1
    at, size = head[0] + (28 if wide else 20), 8 if wide else 4
    return data[at : at + size] == b"\xff" * size
