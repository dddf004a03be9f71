"""The directories of a TIFF (TIFF 6.0, and BigTIFF): counted before a decoder sees them, and joined into one file.

Counting takes a few microseconds for each directory, so a file of a hundred thousand pages is refused at once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from faceveil.media import camera, exif
from faceveil.media.faults import FRAME_CAP, cut_off, damaged, too_many

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, PHOTOMETRIC, SUB_IFDS, DNG = 254, 255, 256, 257, 262, 330, 50706
RAW_COLOURS = (32803, 34892)  # colour filter array, linear raw
_REDUCED_OR_MASK = 1 | 4  # bits of NewSubfileType: a smaller copy, a transparency mask
_OLD_REDUCED = 2  # of SubfileType
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # integer types
_OFFSETS = (273, 324)  # StripOffsets, TileOffsets
_FIRST_ENTRIES = 1000  # entries of a directory; cameras write some sixty


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: where it starts, and the first value and the count of every integer tag."""

    at: int
    first: dict[int, int]
    counts: dict[int, int]

    @property
    def small(self) -> bool:
        """Whether it is a smaller copy of another page, or a mask."""
        return bool(self.first.get(SUBFILE, 0) & _REDUCED_OR_MASK) or self.first.get(OLD_SUBFILE, 1) == _OLD_REDUCED


@dataclass(frozen=True, slots=True)
class _Shape:
    """Byte order and widths: classic or big."""

    order: str
    big: bool

    @property
    def link(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))


def _shape(data: bytes) -> _Shape:
    return _Shape("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\x00", b"\x00+"))


def first_link(data: bytes) -> tuple[int, struct.Struct]:
    """Where a TIFF's header names its first directory, and how."""
    shape = _shape(data)
    return (8 if shape.big else 4), shape.link


def directories(data: bytes) -> Iterator[Directory]:
    """The chain of directories, without those below them. Raises where it leaves the file, loops or never ends."""
    shape = _shape(data)
    place, link = first_link(data)
    seen: set[int] = set()
    try:
        at = link.unpack_from(data, place)[0]
        while at:
            if at in seen:
                damaged()
            seen.add(at)
            if len(seen) > FRAME_CAP:
                too_many("pages")
            found, after = _directory(data, at, shape)
            yield found
            at = link.unpack_from(data, after)[0]
    except struct.error:
        cut_off()
    if not seen:
        damaged()


def _directory(data: bytes, at: int, shape: _Shape) -> tuple[Directory, int]:
    """The directory at a place, and where the link to the next one stands."""
    entries = shape.count.unpack_from(data, at)[0]
    if entries > _FIRST_ENTRIES:
        damaged()
    entry, start = shape.entry, at + shape.count.size
    first, counts = {}, {}
    for i in range(entries):
        tag, kind, count, load = entry.unpack_from(data, start + i * entry.size)
        if kind not in _CODES or not count:
            continue
        counts[tag] = count
        if count * _SIZES[kind] <= len(load):
            first[tag] = struct.unpack_from(shape.order + _CODES[kind], load)[0]
        else:
            first[tag] = struct.unpack_from(shape.order + _CODES[kind], data, shape.link.unpack(load)[0])[0]
    return Directory(at, first, counts), start + entries * entry.size


def is_raw(data: bytes) -> bool:
    """Whether this is a camera RAW in TIFF's clothes (DNG, NEF, ARW), by its first directory."""
    shape = _shape(data)
    place, link = first_link(data)
    try:
        tags = _directory(data, link.unpack_from(data, place)[0], shape)[0].first
    except Exception:  # whatever is wrong here, the decoder says in the right words
        return False
    reduced = tags.get(SUBFILE, 0) & 1 and SUB_IFDS in tags
    return DNG in tags or tags.get(PHOTOMETRIC) in RAW_COLOURS or bool(reduced)


def join(files: list[bytes]) -> bytes:
    """One TIFF of several pages from classic little-endian TIFFs of one page each, as our encoders write them.

    Each file is laid behind the one before, and what points into it is moved along. Raises `ValueError` for files that
    are made otherwise or exceed 4 GiB together.
    """
    out, link = bytearray(struct.pack("<2sHI", b"II", 42, 0)), 4
    for file in files:
        if file[:4] != b"II*\x00":
            raise ValueError("not a little-endian TIFF")
        out += bytes(-len(out) % 2)
        base = len(out) - 8  # the file's own header stays behind
        if base + len(file) >= 1 << 32:
            raise ValueError("beyond the 4 GiB of a TIFF")
        out += memoryview(file)[8:]
        at = base + struct.unpack_from("<I", file, 4)[0]
        struct.pack_into("<I", out, link, at)
        link = _move(out, at, base)
    return bytes(out)


def with_settings(file: bytes, settings: camera.Settings) -> bytes:
    """A classic little-endian TIFF with camera settings beside its first page; the same bytes where there are none.

    The first directory is written anew behind everything else, and zeros take its place.
    """
    if not settings:
        return file
    out = bytearray(file) + bytes(len(file) % 2)
    at = struct.unpack_from("<I", out, 4)[0]
    size = 2 + 12 * struct.unpack_from("<H", out, at)[0]
    entries = [bytes(out[i : i + 12]) for i in range(at + 2, at + size, 12)]
    start = len(out)
    place = start + size + 12 + 4
    entries.append(struct.pack("<HHII", camera.EXIF_POINTER, 4, 1, place))
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    out += struct.pack("<H", len(entries)) + b"".join(entries) + out[at + size : at + size + 4]
    out += exif.directory(camera.entries(settings), place)
    if len(out) >= 1 << 32:
        raise ValueError("beyond the 4 GiB of a TIFF")
    out[at : at + size + 4] = bytes(size + 4)
    struct.pack_into("<I", out, 4, start)
    return bytes(out)


def _move(out: bytearray, at: int, by: int) -> int:
    """Add `by` to all offsets of the directory at a place; where its link to the next one stands."""
    (entries,) = struct.unpack_from("<H", out, at)
    for place in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count, value = struct.unpack_from("<HHII", out, place)
        inside = count * _SIZES[kind] <= 4
        if not inside:
            value += by
            struct.pack_into("<I", out, place + 8, value)
        if tag in _OFFSETS:
            if kind != 4:
                raise ValueError("offsets of another width")
            start = place + 8 if inside else value
            moved = [v + by for v in struct.unpack_from(f"<{count}I", out, start)]
            struct.pack_into(f"<{count}I", out, start, *moved)
    end: int = at + 2 + 12 * entries
    struct.pack_into("<I", out, end, 0)
    return end
