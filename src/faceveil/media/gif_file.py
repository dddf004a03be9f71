"""The blocks of a GIF (GIF89a specification, CompuServe 1990), read and written. Pixels stay packed here."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from faceveil.media.faults import FRAME_CAP, cut_off, damaged, too_many

_IMAGE, _EXTENSION, _END = 0x2C, 0x21, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # the second is the first's name in a few old writers
_PROFILE = b"ICCRGBG1012"
_TABLE = 0x80  # flag: a colour table follows; its size in the lower three bits
_INTERLACED = 0x40


@dataclass(frozen=True, slots=True)
class Piece:
    """One image of a GIF: its rectangle, control and colour table, and where its packed pixels stand.

    table: three bytes for each colour; empty where the file has none. clear: the transparent index, -1 for none.
    delay: hundredths of a second. data: start and stop, from the code size to the empty block.
    """

    left: int
    top: int
    width: int
    height: int
    interlaced: bool
    disposal: int
    clear: int
    delay: int
    table: bytes
    data: tuple[int, int]


@dataclass(slots=True)
class GifFile:
    """width, height: of the canvas. loop: as stored, None if absent. end: behind the trailer."""

    width: int
    height: int
    loop: int | None = None
    icc: bytes = b""
    pieces: list[Piece] = field(default_factory=list)
    end: int = 0

    @property
    def canvas(self) -> tuple[int, int]:
        """Width and height that viewers use: the screen, grown to hold the first image, as old writers need it."""
        first = self.pieces[0]
        return max(self.width, first.left + first.width), max(self.height, first.top + first.height)


def read(data: bytes) -> GifFile:
    """All blocks up to the trailer. Raises where it is missing, or a block is cut off or of an unknown kind."""
    if len(data) < 13:
        cut_off()
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    common, at = _table(data, 13, flags)
    found, control = GifFile(width, height), (0, -1, 0)
    while at < len(data) and data[at] != _END:
        if data[at] == _IMAGE:
            at = _image(data, at, common, control, found)
            control = (0, -1, 0)
            if len(found.pieces) > FRAME_CAP:
                too_many()
        elif data[at] == _EXTENSION and at + 3 < len(data):
            label, blocks = data[at + 1], at + 2
            at = _skip(data, blocks)
            if label == _CONTROL and data[blocks] >= 4:
                bits, delay, clear = struct.unpack_from("<BHB", data, blocks + 1)
                control = bits >> 2 & 7, clear if bits & 1 else -1, delay
            elif label == _APPLICATION:
                _application(data[blocks + 1 : blocks + 12], data, blocks + 12, at, found)
        elif data[at] == 0:
            at += 1  # a stray empty block, which all viewers pass over
        else:
            damaged()
    if at >= len(data):
        cut_off()
    if not found.pieces:
        damaged()
    found.end = at + 1
    return found


def _table(data: bytes, at: int, flags: int) -> tuple[bytes, int]:
    """The colour table that the flags announce, and where it ends."""
    size = 3 << ((flags & 7) + 1) if flags & _TABLE else 0
    return data[at : at + size], at + size


def _image(data: bytes, at: int, common: bytes, control: tuple[int, int, int], found: GifFile) -> int:
    """Note an image; where it ends."""
    if at + 11 > len(data):
        cut_off()
    left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
    own, start = _table(data, at + 10, flags)
    stop = _skip(data, start + 1)
    rect = left, top, width, height
    found.pieces.append(Piece(*rect, bool(flags & _INTERLACED), *control, own or common, (start, stop)))
    return stop


def _skip(data: bytes, at: int) -> int:
    """The end of a chain of sub-blocks, behind the empty one."""
    try:
        while data[at]:
            at += data[at] + 1
    except IndexError:
        cut_off()
    return at + 1


def _application(name: bytes, data: bytes, start: int, stop: int, found: GifFile) -> None:
    if name in _LOOPS and stop - start >= 4 and data[start] >= 3 and data[start + 1] & 7 == 1:
        found.loop = struct.unpack_from("<H", data, start + 2)[0]
    elif name == _PROFILE:
        found.icc = _joined(data, start, stop)


def _joined(data: bytes, at: int, stop: int) -> bytes:
    """The loads of a chain of sub-blocks."""
    parts = []
    while at < stop and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return b"".join(parts)


def alone(data: bytes, piece: Piece, filling: int) -> bytes:
    """One image as a GIF of its own, for its bare indices; decoders fill with the transparent one, here `filling`."""
    start, stop = piece.data
    head = struct.pack("<6sHHBBB", b"GIF89a", piece.width, piece.height, 0xF7, 0, 0) + bytes(768)
    control = struct.pack("<BBBBHBB", _EXTENSION, _CONTROL, 4, 1, 0, filling, 0)
    flags = _INTERLACED if piece.interlaced else 0
    image = struct.pack("<BHHHHB", _IMAGE, 0, 0, piece.width, piece.height, flags)
    return b"".join([head, control, image, memoryview(data)[start:stop], b";"])


# --- writing -------------------------------------------------------------------------------------------------------


def head(size: tuple[int, int], table: bytes, *, loop: int | None, icc: bytes) -> bytes:
    """What stands before the images. table: the colours of all images without their own; a power of two of them."""
    out = struct.pack("<6sHHBBB", b"GIF89a", *size, _TABLE | 0x70 | _size(table), 0, 0) + table
    if loop is not None:
        out += struct.pack("<BBB11sBBHB", _EXTENSION, _APPLICATION, 11, _LOOPS[0], 3, 1, loop, 0)
    if icc:
        parts = (icc[i : i + 255] for i in range(0, len(icc), 255))
        out += struct.pack("<BBB11s", _EXTENSION, _APPLICATION, 11, _PROFILE)
        out += b"".join(bytes([len(part)]) + part for part in parts) + b"\x00"
    return out


def image(size: tuple[int, int], table: bytes, packed: bytes, *, disposal: int, clear: int, delay: int) -> bytes:
    """One image that fills the canvas, with its control. table: empty to use that of the head."""
    flags = disposal << 2 | (clear >= 0)
    out = struct.pack("<BBBBHBB", _EXTENSION, _CONTROL, 4, flags, delay, max(0, clear), 0)
    out += struct.pack("<BHHHHB", _IMAGE, 0, 0, *size, _TABLE | _size(table) if table else 0)
    return out + table + packed


def _size(table: bytes) -> int:
    """A colour table's size as it stands in flags: 2 to the power of it plus one."""
    return max(0, (len(table) // 3 - 1).bit_length() - 1)
