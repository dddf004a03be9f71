"""ISO base media files (HEIF, AVIF, MP4) and JPEG 2000: boxes and items by allow-list, every byte accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faceveil.verify import tiff
from faceveil.verify.leak import Leak, Range, printable, unclaimed

_CONTAINERS = frozenset((b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"jp2h", b"moof"))
_LEAKS = {
    b"uuid": "a private box", b"udta": "user data", b"xml ": "XML", b"XMP_": "XMP", b"asoc": "associated data",
    b"jumb": "content credentials (C2PA)", b"uinf": "user data",
}  # fmt: skip
_PADDING = (b"free", b"skip", b"wide")
_ITEMS = frozenset((b"hvc1", b"av01", b"grid", b"iden", b"iovl", b"jpeg", b"avc1", b"unci", b"j2k1", b"tili", b"tmap"))
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:avc:2015:auxid:1")
_TRACKS = {b"soun": "a sound track", b"text": "a text track", b"sbtl": "subtitles", b"subt": "subtitles",
           b"meta": "a track of timed metadata", b"tmcd": "a time code"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type, where it starts, where its load starts and where it ends."""

    kind: bytes
    start: int
    load: int
    end: int


def boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    """The boxes of one level. Stops at the first that does not fit."""
    while at + 8 <= end:
        size, load = int.from_bytes(data[at : at + 4]), at + 8
        if size == 1:
            size, load = int.from_bytes(data[at + 8 : at + 16]), at + 16
        stop = end if size == 0 else at + size
        if stop > end or stop < load:
            return
        yield Box(data[at + 4 : at + 8], at, load, stop)
        at = stop


def carve(data: bytes) -> list[Leak]:
    """Leaks of a file made of boxes."""
    leaks = _walk(data, 0, len(data))
    top = list(boxes(data, 0, len(data)))
    end = top[-1].end if top else 0
    if end < len(data):
        leaks.append(Leak("data after the end of the file's structure", end, len(data) - end))
    meta = next((box for box in top if box.kind == b"meta"), None)
    if meta is not None:
        leaks += _items(data, meta, any(box.kind == b"moov" for box in top))
    return leaks


def _walk(data: bytes, at: int, end: int) -> list[Leak]:
    leaks: list[Leak] = []
    for box in boxes(data, at, end):
        if box.kind in _LEAKS:
            leaks.append(Leak(_LEAKS[box.kind], box.start, box.end - box.start))
        elif box.kind in _PADDING and data[box.load : box.end].strip(b"\0"):
            leaks.append(Leak("data in padding", box.load, box.end - box.load))
        elif box.kind == b"hdlr" and data[box.load + 8 : box.load + 12] in _TRACKS and at:
            leaks.append(Leak(_TRACKS[data[box.load + 8 : box.load + 12]], box.start, box.end - box.start))
        elif box.kind in _CONTAINERS:
            # HEIF's meta box has a version before its boxes, QuickTime's has none.
            version = 4 if box.kind == b"meta" and data[box.load + 4 : box.load + 8] != b"hdlr" else 0
            leaks += _walk(data, box.load + version, box.end)
    return leaks


# --- items of HEIF and AVIF (ISO/IEC 23008-12) ------------------------------------------------------------------------


def _items(data: bytes, meta: Box, has_movie: bool) -> list[Leak]:
    inside = {box.kind: box for box in boxes(data, meta.load + 4, meta.end)}
    kinds = dict(_infos(data, inside[b"iinf"])) if b"iinf" in inside else {}
    places = dict(_locations(data, inside[b"iloc"])) if b"iloc" in inside else {}
    references = list(_references(data, inside[b"iref"])) if b"iref" in inside else []
    primary = int.from_bytes(data[inside[b"pitm"].load + 4 : inside[b"pitm"].end]) if b"pitm" in inside else 0
    needed = _needed(primary, kinds, references, _alphas(data, inside.get(b"iprp")))
    leaks = []
    for item, kind in kinds.items():
        if item in needed:
            continue
        spans = places.get(item, [(meta.start, meta.start)])
        if kind == b"Exif" and len(spans) == 1:
            leaks += _exif(data, *spans[0])
            continue
        what = _item_name(item, kind, references)
        leaks.append(Leak(what, spans[0][0], sum(stop - start for start, stop in spans)))
    if not has_movie:
        claimed = [span for spans in places.values() for span in spans]
        claimed += [(box.start, box.load) for box in boxes(data, 0, len(data)) if box.kind == b"mdat"]
        claimed += [(box.start, box.end) for box in boxes(data, 0, len(data)) if box.kind != b"mdat"]
        structure_end = max((stop for _, stop in claimed), default=0)
        leaks += unclaimed(data[:structure_end], claimed, "bytes that nothing in the file refers to")
    return leaks


def _exif(data: bytes, start: int, stop: int) -> list[Leak]:
    """Leaks of an Exif item: four bytes that say how many to pass over, and the block (ISO/IEC 23008-12, A.2.1)."""
    skipped = int.from_bytes(data[start : start + 4])
    block = start + 4 + skipped
    if block >= stop or data[start + 4 : block] not in (b"", b"Exif\0\0"):
        return [Leak("EXIF that cannot be read", start, stop - start)]
    return tiff.exif(data, block, stop)


def _item_name(item: int, kind: bytes, references: list[tuple[bytes, int, list[int]]]) -> str:
    names = {b"Exif": "EXIF", b"mime": "XMP or other metadata", b"uri ": "metadata"}
    if kind not in _ITEMS:
        return names.get(kind, f"an item of type {printable(kind)}")
    by = {name for name, source, _ in references if source == item}
    return (
        "a thumbnail"
        if b"thmb" in by
        else "an auxiliary picture (depth or gain)"
        if b"auxl" in by
        else "one more picture"
    )


def _needed(
    primary: int, kinds: dict[int, bytes], references: list[tuple[bytes, int, list[int]]], alphas: set[int]
) -> set[int]:
    """The primary picture, what it is derived from, and its alpha plane."""
    needed, todo = set[int](), [primary]
    while todo:
        item = todo.pop()
        if item in needed or kinds.get(item) not in _ITEMS:
            continue
        needed.add(item)
        todo += [to for name, source, targets in references if name == b"dimg" and source == item for to in targets]
        todo += [s for name, s, targets in references if name == b"auxl" and item in targets and s in alphas]
    return needed


def _infos(data: bytes, box: Box) -> Iterator[tuple[int, bytes]]:
    wide = data[box.load] > 0
    for entry in boxes(data, box.load + (8 if wide else 6), box.end):
        version = data[entry.load]
        size = 4 if version == 3 else 2
        at = entry.load + 4
        yield int.from_bytes(data[at : at + size]), data[at + size + 2 : at + size + 6]


def _locations(data: bytes, box: Box) -> Iterator[tuple[int, list[Range]]]:
    version, at = data[box.load], box.load + 4
    offset_size, length_size = data[at] >> 4, data[at] & 15
    base_size, index_size = data[at + 1] >> 4, data[at + 1] & 15 if version else 0
    wide = 4 if version == 2 else 2

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at])

    at += 2
    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base, spans = number(base_size), []
        for _ in range(number(2)):
            number(index_size)
            start = base + number(offset_size)
            spans.append((start, start + number(length_size)))
        if method == 0:  # 1 is inside the meta box itself, which is accounted for as a whole
            yield item, spans


def _references(data: bytes, box: Box) -> Iterator[tuple[bytes, int, list[int]]]:
    size = 4 if data[box.load] else 2
    for entry in boxes(data, box.load + 4, box.end):
        at = entry.load + size + 2
        count = int.from_bytes(data[at - 2 : at])
        targets = [int.from_bytes(data[at + i * size : at + (i + 1) * size]) for i in range(count)]
        yield entry.kind, int.from_bytes(data[entry.load : entry.load + size]), targets


def _alphas(data: bytes, properties: Box | None) -> set[int]:
    """Items whose auxC property says that they are an alpha plane."""
    if properties is None:
        return set()
    inside = list(boxes(data, properties.load, properties.end))
    listed = [b for box in inside if box.kind == b"ipco" for b in boxes(data, box.load, box.end)]
    alpha = {i for i, b in enumerate(listed, 1) if b.kind == b"auxC" and data[b.load + 4 : b.end].startswith(_ALPHA)}
    return {item for box in inside if box.kind == b"ipma" for item, used in _associations(data, box) if used & alpha}


def _associations(data: bytes, box: Box) -> Iterator[tuple[int, set[int]]]:
    version, flags, at = data[box.load], data[box.load + 3], box.load + 8
    wide, step = (4 if version else 2), (2 if flags & 1 else 1)
    for _ in range(int.from_bytes(data[box.load + 4 : box.load + 8])):
        item = int.from_bytes(data[at : at + wide])
        count = data[at + wide] if at + wide < len(data) else 0
        at += wide + 1
        mask = 0x7FFF if step == 2 else 0x7F
        yield item, {int.from_bytes(data[at + i * step : at + (i + 1) * step]) & mask for i in range(count)}
        at += count * step
