"""TIFF files, and the TIFF structure inside EXIF: every tag by allow-list, every byte accounted for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from faceveil.verify import settings
from faceveil.verify.leak import Leak, Range, printable, unclaimed

# TIFF 6.0 and its supplements: what is needed to show the picture, its colours, resolution and orientation.
PICTURE = frozenset(
    [int(tag) for tag in (
        "254 255 256 257 258 259 262 263 264 265 266 273 274 277 278 279 280 281 282 283 284 290 291 292 293 296 297 "
        "301 317 318 319 320 321 322 323 324 325 332 334 338 339 340 341 342 347 512 513 514 515 517 518 519 520 521 "
        "529 530 531 532 34675"
    ).split()]
)  # fmt: skip
EXIF = frozenset((274, 282, 283, 296, 531))
"""What EXIF may hold in a file that keeps its orientation as a tag."""
_LONGEST = 8
"""Bytes of any of these: one rational number."""

_NAMES = {
    270: "a description", 271: "the camera's maker", 272: "the camera's model", 305: "the software", 306: "a date",
    315: "the artist", 316: "the host computer", 330: "more pictures (SubIFDs)", 513: "a thumbnail", 700: "XMP",
    33432: "a copyright notice", 33723: "IPTC", 34377: "Photoshop resources", 34665: "EXIF", 34853: "GPS",
    36867: "the date of the picture", 36868: "a date", 37500: "a maker note", 37510: "a user comment",
    40965: "interoperability", 37396: "where the subject is", 41492: "where the subject is",
    42016: "the picture's own number",
    42032: "the owner", 42033: "the camera's serial number", 42035: "the lens's maker", 42036: "the lens's model",
    42037: "the lens's serial number",
}  # fmt: skip
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MAX_IFDS = 10_000  # a loop or a bomb
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 34665, 34853, 40965


@dataclass(slots=True)
class _Layout:
    """Where things are in classic TIFF and in BigTIFF."""

    data: bytes
    base: int
    order: str = "<"
    big: bool = False
    first: int = 0
    claimed: list[Range] = field(default_factory=list)

    def read(self, form: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data, self.base + offset)

    def claim(self, offset: int, size: int) -> None:
        self.claimed.append((self.base + offset, self.base + offset + size))


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    kind: int
    count: int
    offset: int
    size: int


def carve(data: bytes) -> list[Leak]:
    """Leaks of a TIFF file: tags beyond the allow-list, reduced copies, and bytes that no tag refers to."""
    layout = _open(data, 0)
    if layout is None:
        return [Leak("a damaged TIFF header", 0, 8)]
    leaks: list[Leak] = []
    layout.claim(0, 16 if layout.big else 8)
    for number, entries in enumerate(_ifds(layout)):
        for entry in entries:
            layout.claim(entry.offset, entry.size)
            if entry.tag not in PICTURE:
                leaks += _found(layout, entry)
        values = {e.tag: _numbers(layout, e) for e in entries if e.tag in (254, 255, 273, 279, 324, 325, 513, 514)}
        for starts, counts in ((273, 279), (324, 325), (513, 514)):
            for start, count in zip(values.get(starts, ()), values.get(counts, ()), strict=False):
                layout.claim(start, count)
        if number and (values.get(254, (0,))[:1] == (1,) or values.get(255, (0,))[:1] == (2,)):
            leaks.append(Leak("a reduced copy of the picture", layout.base + entries[0].offset, 0))
    return leaks + unclaimed(data, layout.claimed, "bytes that nothing in the file refers to")


def exif(data: bytes, start: int, end: int) -> list[Leak]:
    """Leaks of an EXIF block at data[start:end], which begins with the TIFF header.

    Tag by tag, in the directories below the first ones too; and bytes of the block that no tag refers to.
    """
    data = data[:end]
    layout = _open(data, start)
    if layout is None:
        return [Leak("EXIF that cannot be read", start, end - start)]
    layout.claimed += [(0, start), (start, start + (16 if layout.big else 8))]
    leaks: list[Leak] = []
    for number, entries in enumerate(_ifds(layout)):
        for entry in entries:
            layout.claim(entry.offset, entry.size)
            if entry.tag not in EXIF:
                leaks += _found(layout, entry)
            elif entry.size > _LONGEST:
                leaks.append(_leak(layout, entry))
        if number and any(entry.tag in (513, 273) for entry in entries):
            leaks.append(Leak("an EXIF thumbnail", start, end - start))
            layout.claim(0, end - start)
    return leaks + unclaimed(data, layout.claimed, "bytes of EXIF that no tag refers to")


def parts(data: bytes) -> frozenset[int]:
    """Where strips, tiles and JPEG tables of a TIFF file begin."""
    layout = _open(data, 0)
    if layout is None:
        return frozenset()
    found = set[int]()
    for entries in _ifds(layout):
        for entry in entries:
            if entry.tag in (273, 324):
                found |= set(_numbers(layout, entry))
            elif entry.tag == 347:
                found.add(entry.offset)
    return frozenset(found)


def _open(data: bytes, base: int) -> _Layout | None:
    head = data[base : base + 4]
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return None
    layout = _Layout(data, base, order)
    try:
        (magic,) = layout.read("H", 2)
        layout.big = magic == 43
        (layout.first,) = layout.read("Q", 8) if layout.big else layout.read("I", 4)
    except struct.error:
        return None
    return layout if magic in (42, 43) else None


def _ifds(layout: _Layout) -> Iterator[list[_Entry]]:
    offset, seen = layout.first, set[int]()
    while offset and offset not in seen and len(seen) < _MAX_IFDS:
        seen.add(offset)
        try:
            entries, following = _ifd(layout, offset)
        except struct.error:
            return
        if entries:
            yield entries
        offset = following


def _ifd(layout: _Layout, offset: int) -> tuple[list[_Entry], int]:
    counter, step, inline, number = ("Q", 20, 8, "Q") if layout.big else ("H", 12, 4, "I")
    (count,) = layout.read(counter, offset)
    first = offset + struct.calcsize(counter)
    entries = []
    for i in range(min(count, 4096)):
        at = first + i * step
        tag, kind = layout.read("HH", at)
        (items,) = layout.read(number, at + 4)
        size = _SIZES.get(kind, 1) * items
        value_at = at + 4 + inline
        where = value_at if size <= inline else layout.read(number, value_at)[0]
        entries.append(_Entry(tag, kind, items, where, size))
    end = first + count * step
    (following,) = layout.read(number, end)
    layout.claim(offset, end + inline - offset)
    return entries, following


def _numbers(layout: _Layout, entry: _Entry) -> tuple[int, ...]:
    form = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(entry.kind)
    if form is None:
        return ()
    try:
        return layout.read(f"{entry.count}{form}", entry.offset)
    except struct.error:
        return ()


def _found(layout: _Layout, entry: _Entry) -> list[Leak]:
    """The leaks of a tag that no picture needs: of a directory below, those of its tags."""
    below = {_EXIF_IFD: "EXIF", _GPS_IFD: "GPS", _INTEROP_IFD: "interoperability"}.get(entry.tag)
    if below is None:
        return [_leak(layout, entry)]
    try:
        (offset,) = _numbers(layout, entry)
        entries, _ = _ifd(layout, offset)
    except (struct.error, ValueError):
        return [_leak(layout, entry)]
    leaks: list[Leak] = []
    for inner in entries:
        layout.claim(inner.offset, inner.size)
        if entry.tag != _EXIF_IFD:
            leaks.append(_leak(layout, inner, f"{below}, tag {inner.tag}"))
        elif inner.tag == _INTEROP_IFD:
            leaks += _found(layout, inner)
        elif name := settings.name(inner.tag):
            leaks.append(_setting(layout, inner, name))
        else:
            leaks.append(_leak(layout, inner))
    return leaks


def _setting(layout: _Layout, entry: _Entry, name: str) -> Leak:
    """A camera setting, in order or not."""
    where = layout.base + entry.offset
    load = layout.data[where : where + entry.size]
    if settings.sound(entry.tag, entry.kind, entry.count, load, layout.order):
        return Leak(f"the camera setting {name}", where, entry.size, setting=True)
    return Leak(f"{name} that is no plain number in its range", where, entry.size)


def _leak(layout: _Layout, entry: _Entry, what: str = "") -> Leak:
    what = what or _NAMES.get(entry.tag, f"tag {entry.tag}")
    where = layout.base + entry.offset
    if entry.kind == 2:
        what += f" ({printable(layout.data[where : where + entry.size].rstrip(bytes(1)))})"
    return Leak(what, where, entry.size)
