"""The chunks of a PNG (third edition): which belong to the picture, and which to the frames of an animation."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from faceveil.media.faults import FRAME_CAP, cut_off, damaged, too_many

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FRAME = (b"fcTL", b"fdAT")
_WANTED = (b"iCCP", b"pHYs", b"eXIf", b"acTL")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # PNG, 8.2
_PIECE = 1 << 20  # bytes inflated at a time


class Control(NamedTuple):
    """A frame control chunk (PNG, 11.3.6.2): place and size in the canvas, delay, and how it meets the canvas."""

    sequence: int
    width: int
    height: int
    left: int
    top: int
    delay: int
    per: int
    dispose: int
    blend: int


CONTROL = struct.Struct(">IIIIIHHBB")


@dataclass(slots=True)
class Moment:
    """One frame of an animation: its control and where its image data stand, without sequence numbers."""

    control: Control
    data: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class PngFile:
    """The chunks of the picture as (start, stop), the useful ones among the others by type, and where it ends.

    moments: the frames of an animation. shown: whether the picture itself is the first of them.
    """

    body: list[tuple[int, int]] = field(default_factory=list)
    types: list[bytes] = field(default_factory=list)
    extra: dict[bytes, bytes] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    shown: bool = False
    end: int = 0

    def picture(self, data: bytes) -> bytes:
        """The picture alone, as a file."""
        view = memoryview(data)
        return b"".join([SIGNATURE, *(view[a:b] for a, b in self.body)])

    def loads(self, data: bytes, kind: bytes) -> list[memoryview]:
        """The loads of all chunks of one type among the picture's."""
        view = memoryview(data)
        return [view[a + 8 : b - 4] for (a, b), name in zip(self.body, self.types, strict=True) if name == kind]

    def frame(self, data: bytes, moment: Moment) -> bytes:
        """One frame of the animation as a still file: the picture's header and palette, the frame's size and data."""
        header = bytearray(self.loads(data, b"IHDR")[0])
        struct.pack_into(">II", header, 0, moment.control.width, moment.control.height)
        view = memoryview(data)
        palette = [chunk(name, bytes(load)) for name in (b"PLTE", b"tRNS") for load in self.loads(data, name)]
        body = b"".join(view[a:b] for a, b in moment.data)
        return b"".join([SIGNATURE, chunk(b"IHDR", bytes(header)), *palette, chunk(b"IDAT", body), chunk(b"IEND", b"")])


def read(data: bytes) -> PngFile:
    """All chunks up to IEND. A wrong check sum is damage in the picture's chunks and makes others count as absent."""
    found, at, view = PngFile(), len(SIGNATURE), memoryview(data)
    while not found.end:
        if at + 12 > len(data):
            cut_off()
        kind, stop = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if stop > len(data):
            cut_off()
        sound = zlib.crc32(view[at + 4 : stop - 4]) == int.from_bytes(data[stop - 4 : stop], "big")
        if not sound and kind in _PICTURE + _FRAME:
            damaged()
        if kind in _PICTURE:
            found.body.append((at, stop))
            found.types.append(kind)
        elif kind in _WANTED and sound:
            found.extra.setdefault(kind, data[at + 8 : stop - 4])
        if kind in (b"IDAT", *_FRAME):
            _place(found, kind, view, at + 8, stop - 4)
        found.end = stop if kind == b"IEND" else 0
        at = stop
    start, stop = found.body[0]
    if found.types[0] != b"IHDR" or stop - start != 25 or b"IDAT" not in found.types:
        damaged()
    return found


def _place(found: PngFile, kind: bytes, view: memoryview, start: int, stop: int) -> None:
    """Sort image data and frame controls into moments. Without an animation control before them they mean nothing."""
    if b"acTL" not in found.extra:
        return
    if kind == b"fcTL":
        if stop - start != CONTROL.size:
            damaged()
        found.moments.append(Moment(Control(*CONTROL.unpack(view[start:stop]))))
        found.shown |= b"IDAT" not in found.types
        if len(found.moments) > FRAME_CAP:
            too_many()
    elif kind == b"fdAT":
        if not found.moments or stop - start < 4:
            damaged()
        found.moments[-1].data.append((start + 4, stop))
    elif found.shown:
        found.moments[0].data.append((start, stop))


def expect_rows(header: bytes | memoryview, pieces: Sequence[memoryview]) -> None:
    """Raise where the image data inflate to less than the picture: Pillow would leave the rest black.

    header: the load of IHDR. pieces: the loads of IDAT.
    """
    width, height = struct.unpack_from(">II", header)
    bits = header[8] * _CHANNELS.get(header[9], 0)
    passes = _ADAM7 if header[12] else ((0, 0, 1, 1),)
    sizes = (((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in passes)
    missing = sum(h * (1 + (w * bits + 7) // 8) for w, h in sizes if w > 0 and h > 0)
    inflate = zlib.decompressobj()
    for piece in pieces:
        rest: bytes | memoryview = piece
        while rest and missing > 0:
            missing -= len(inflate.decompress(rest, _PIECE))
            rest = inflate.unconsumed_tail
    if missing > 0:
        cut_off()


def chunk(kind: bytes, load: bytes) -> bytes:
    """A chunk with its length and check sum."""
    return len(load).to_bytes(4, "big") + kind + load + zlib.crc32(kind + load).to_bytes(4, "big")
