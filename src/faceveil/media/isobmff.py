"""The boxes of HEIF and AVIF files (ISO/IEC 14496-12 and 23008-12), as far as they say what decoders do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from

from faceveil.media.faults import cut_off, damaged

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
            bits = (12 if data[a + 2] & 0x20 else 10) if data[a + 2] & 0x40 else 8
            chroma = {0x0C: 420, 0x08: 422}.get(data[a + 2] & 0x0C, 444)
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
