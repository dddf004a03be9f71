"""ISO base media files (HEIF, AVIF, MP4) and JPEG 2000: boxes and items by allow-list, every byte accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceveil.verify import headers, samples, tiff, tracks
from faceveil.verify.boxes import Box, boxes, number, within
from faceveil.verify.leak import Data, Leak, Range, blank, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONTAINERS = frozenset(
    b"moov trak tapt edts mdia minf dinf stbl moof traf mvex mfra gmhd iprp ipco grpl jp2h".split()
) | {b"res "}
_PLAIN = frozenset(
    # films: ISO/IEC 14496-12 and QuickTime
    b"ftyp styp mvhd tkhd elst mdhd hdlr vmhd smhd hmhd nmhd sthd dref stsd stts ctts cslg stsc stsz stz2 stco co64 "
    b"stss stps sdtp sgpd sbgp padb stdp iods load clef prof enof gmin mehd trex leva mfhd tfhd tfdt trun tfra mfro "
    b"sidx ssix pdin mdat udta "
    # pictures: ISO/IEC 23008-12 and its neighbours
    b"pitm iinf iloc iref ipma idat ispe pixi colr pasp irot imir clap auxC av1C hvcC avcC vvcC lsel a1op a1lx rloc "
    b"clli mdcv cclv amve ndwt uncC cmpd jpgC j2kH altr ster "
    # JPEG 2000: ITU-T T.800
    b"ihdr bpcc pclr cmap cdef resc resd jp2c rreq".split()
) | {b"jP  "}
_LEAKS = {
    b"uuid": "a private box", b"xml ": "XML", b"XMP_": "XMP", b"asoc": "associated data", b"emsg": "an event message",
    b"jumb": "content credentials (C2PA)", b"uinf": "user data", b"prft": "a date (prft)", b"pssh": "protection data",
    b"elng": "a language", b"tref": "a reference to another track", b"cmov": "a compressed header, which hides tracks",
    b"udes": "a description", b"crtt": "a date", b"mdft": "a date", b"matt": "a matte", b"kmat": "a matte",
}  # fmt: skip
_PADDING = (b"free", b"skip", b"wide")
_DEPTH = 12  # films have 7 levels
_MOST = 1 << 22  # boxes: ten hours of film in fragments of a second have 400,000
_FINDS = 10_000  # more are not listed
_NOBODYS = "bytes that nothing in the file refers to"
_ITEMS = frozenset((b"hvc1", b"av01", b"grid", b"iden", b"iovl", b"jpeg", b"avc1", b"unci", b"j2k1", b"tili", b"tmap"))
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:avc:2015:auxid:1")


HEADS = frozenset((b"ftyp", b"moov", b"mdat", *_PADDING))
"""Types of the first box of a film."""


@dataclass(slots=True)
class _Walk:
    """What a walk over the boxes has found: leaks, tracks, and the boxes of the first two levels."""

    leaks: list[Leak] = field(default_factory=list)
    tracks: list[Box] = field(default_factory=list)
    movie: list[Box] = field(default_factory=list)
    count: int = 0


def carve(data: Data) -> list[Leak]:
    """Leaks of a file made of boxes."""
    walk = _Walk()
    _level(data, Box(b"", 0, 0, len(data)), walk, 0)
    leaks = walk.leaks
    found = {box.kind: box for box in reversed(walk.movie)}
    claimed: list[Range] = []
    if b"meta" in found and _is_pictures(data, found[b"meta"]):
        items, claimed = _items(data, found[b"meta"])
        leaks += items
    ranges = [np.array(claimed, np.int64).reshape(-1, 2)]
    if walk.tracks:
        film, more = _film(data, walk, found.get(b"mvhd"))
        leaks += film
        ranges += more
    mdats = [box for box in walk.movie if box.kind == b"mdat"]
    return leaks + _orphans(data, mdats, np.concatenate(ranges))


def _level(data: Data, outer: Box, walk: _Walk, depth: int, skip: int = 0) -> None:
    """Walk the boxes inside another, each of which must be on the allow-list."""
    at = outer.load + skip
    for box in boxes(data, at, outer.end):
        at = box.end
        walk.count += 1
        if depth > _DEPTH or walk.count > _MOST or len(walk.leaks) > _FINDS:
            walk.leaks.append(Leak("more boxes than a film or a picture has", box.start, outer.end - box.start))
            return
        if depth < 2:
            walk.movie.append(box)
        if depth == 0 and box.kind in (b"ftyp", b"moov") and any(b.kind == box.kind for b in walk.movie[:-1]):
            walk.leaks.append(Leak("a second film or picture", box.start, box.size))
        _box(data, box, walk, depth)
    if at < outer.end and (depth == 0 or not blank(data, at, outer.end)):  # QuickTime ends a list with 4 zeros
        where = "the file's structure" if depth == 0 else f"a box '{printable(outer.kind)}'"
        cut = depth == 0 and data[at + 4 : at + 8] in _PLAIN | _CONTAINERS
        what = (
            f"a box '{printable(data[at + 4 : at + 8])}' that is cut off" if cut else f"data after the end of {where}"
        )
        walk.leaks.append(Leak(what, at, outer.end - at))


def _box(data: Data, box: Box, walk: _Walk, depth: int) -> None:
    if box.kind == b"trak":
        walk.tracks.append(box)  # walked once it is known which tracks are needed
    elif box.kind == b"meta":
        if _is_pictures(data, box):
            _level(data, box, walk, depth + 1, 4)
        else:
            walk.leaks += headers.metadata(data, box)
    elif box.kind in _CONTAINERS:
        _level(data, box, walk, depth + 1)
    elif box.kind in _PADDING:
        if not blank(data, box.load, box.end):
            walk.leaks.append(Leak("data in padding", box.load, box.end - box.load))
    elif box.kind in _PLAIN:
        walk.leaks += headers.leaves(data, box)
    else:
        what = _LEAKS.get(box.kind, f"a box of unknown type '{printable(box.kind)}'")
        walk.leaks.append(Leak(what, box.start, box.size))


def _is_pictures(data: Data, meta: Box) -> bool:
    """Whether a `meta` box lists pictures, as HEIF's does, or describes a film."""
    handler = within(data, meta, 4).get(b"hdlr")
    return handler is not None and data[handler.load + 8 : handler.load + 12] == b"pict"


# --- films ------------------------------------------------------------------------------------------------------------


def _film(data: Data, walk: _Walk, header: Box | None) -> tuple[list[Leak], list[NDArray[np.int64]]]:
    """Leaks of all tracks, and the ranges that they claim."""
    wide = header is not None and data[header.load] == 1
    scale = number(data, header.load + (20 if wide else 12), 4) if header is not None else 1
    opened = [tracks.open_track(data, box, scale or 1) for box in walk.tracks]
    opened = tracks.with_fragments(data, opened, walk.movie)
    leaks = list(tracks.leaks(data, opened))
    needed = tracks.kept(data, opened)
    for track in opened:
        if track in needed or track.handler == b"soun":
            inside = _Walk(count=walk.count)
            _level(data, track.box, inside, 2)
            leaks += inside.leaks
            leaks += tracks.descriptions(data, track)
    return leaks, [track.samples.ranges for track in opened]


def pictures(data: Data) -> frozenset[int]:
    """Where the coded pictures of a film's tracks begin."""
    walk = _Walk()
    _level(data, Box(b"", 0, 0, len(data)), walk, 0)
    opened = tracks.with_fragments(data, [tracks.open_track(data, box, 1) for box in walk.tracks], walk.movie)
    return frozenset(start for track in opened if track.handler != b"soun" for start in track.samples.starts.tolist())


def _orphans(data: Data, mdats: list[Box], claimed: NDArray[np.int64]) -> list[Leak]:
    """Bytes among the coded pictures that belong to none. Runs of zeros are padding."""
    found: list[Range] = []
    for box in mdats:
        free = samples.gaps(claimed, box.load, box.end).tolist()
        found += [(start, end) for start, end in free if not blank(data, start, end)]
    size = sum(end - start for start, end in found)
    if not found:
        return []
    return [Leak(_NOBODYS if len(found) == 1 else f"{_NOBODYS}, in {len(found)} places", found[0][0], size)]


# --- items of HEIF and AVIF (ISO/IEC 23008-12) ------------------------------------------------------------------------


def _items(data: Data, meta: Box) -> tuple[list[Leak], list[Range]]:
    """Leaks among a picture's items, and the ranges that all items claim."""
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
    return leaks, [span for spans in places.values() for span in spans]


def _exif(data: Data, start: int, stop: int) -> list[Leak]:
    """Leaks of an Exif item: four bytes that say how many to pass over, and the block (ISO/IEC 23008-12, A.2.1)."""
    skipped = int.from_bytes(data[start : start + 4])
    block = start + 4 + skipped
    if block >= stop or data[start + 4 : block] not in (b"", b"Exif\0\0"):
        return [Leak("EXIF that cannot be read", start, stop - start)]
    return tiff.exif(data if isinstance(data, bytes) else data[:], block, stop)


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


def _infos(data: Data, box: Box) -> Iterator[tuple[int, bytes]]:
    wide = data[box.load] > 0
    for entry in boxes(data, box.load + (8 if wide else 6), box.end):
        version = data[entry.load]
        size = 4 if version == 3 else 2
        at = entry.load + 4
        yield int.from_bytes(data[at : at + size]), data[at + size + 2 : at + size + 6]


def _locations(data: Data, box: Box) -> Iterator[tuple[int, list[Range]]]:
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


def _references(data: Data, box: Box) -> Iterator[tuple[bytes, int, list[int]]]:
    size = 4 if data[box.load] else 2
    for entry in boxes(data, box.load + 4, box.end):
        at = entry.load + size + 2
        count = int.from_bytes(data[at - 2 : at])
        targets = [int.from_bytes(data[at + i * size : at + (i + 1) * size]) for i in range(count)]
        yield entry.kind, int.from_bytes(data[entry.load : entry.load + size]), targets


def _alphas(data: Data, properties: Box | None) -> set[int]:
    """Items whose auxC property says that they are an alpha plane."""
    if properties is None:
        return set()
    inside = list(boxes(data, properties.load, properties.end))
    listed = [b for box in inside if box.kind == b"ipco" for b in boxes(data, box.load, box.end)]
    alpha = {i for i, b in enumerate(listed, 1) if b.kind == b"auxC" and data[b.load + 4 : b.end].startswith(_ALPHA)}
    return {item for box in inside if box.kind == b"ipma" for item, used in _associations(data, box) if used & alpha}


def _associations(data: Data, box: Box) -> Iterator[tuple[int, set[int]]]:
    version, flags, at = data[box.load], data[box.load + 3], box.load + 8
    wide, step = (4 if version else 2), (2 if flags & 1 else 1)
    for _ in range(int.from_bytes(data[box.load + 4 : box.load + 8])):
        item = int.from_bytes(data[at : at + wide])
        count = data[at + wide] if at + wide < len(data) else 0
        at += wide + 1
        mask = 0x7FFF if step == 2 else 0x7F
        yield item, {int.from_bytes(data[at + i * step : at + (i + 1) * step]) & mask for i in range(count)}
        at += count * step
