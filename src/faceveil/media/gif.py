"""GIF: blocks in `gif_file`, colours in `gif_colours`; Pillow packs and unpacks indices, the canvas is ours.

Every frame is written whole, with its own colours where it needs them. Where an animation has transparency, each frame
clears the canvas behind it; elsewhere it is covered by the next one in full. So no frame can show what another one had
beneath a cover, whatever the source's rectangles and disposal were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from faceveil.media import gif_colours, gif_file
from faceveil.media.canvas import CLEAR, KEEP, RESTORE, Canvas, put
from faceveil.media.colour import fitting
from faceveil.media.faults import cut_off, damaged
from faceveil.media.gif_file import GifFile, Piece
from faceveil.media.info import Animation, GifCoding, Info, trailer
from faceveil.media.pixels import to_uint8
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DISPOSALS = {2: CLEAR, 3: RESTORE, 4: RESTORE}  # 4 was a mistake of early writers that browsers take for 3
_CLEAR, _LEAVE = 2, 1  # disposal that we write
_LZW_BITS = range(1, 12)  # code sizes that decoders take; 2 to 8 by the specification


def probe(data: bytes) -> Info:
    """The description from the blocks."""
    file = gif_file.read(data)
    width, height = file.canvas
    for piece in file.pieces:
        if not piece.width or not piece.height or piece.width > width or piece.height > height:
            damaged()
        if not piece.table or data[piece.data[0]] not in _LZW_BITS:
            damaged()
    icc, notes = fitting(file.icc, grey=False)
    tables = dict.fromkeys(piece.table for piece in file.pieces)
    info = Info("GIF", width, height, icc=icc, alpha=_clear(file), coding=GifCoding(tuple(tables)), notes=notes)
    if len(file.pieces) > 1:
        durations = tuple(Fraction(piece.delay, 100) for piece in file.pieces)
        info = replace(info, animation=Animation(durations, file.loop))
    return info.noting(*trailer(len(data) - file.end))


def _clear(file: GifFile) -> bool:
    """Whether something may be transparent: not drawn by the first image, or cleared later."""
    first = file.pieces[0]
    whole = (first.left, first.top, first.width, first.height) == (0, 0, *file.canvas) and first.clear < 0
    return not whole or any(piece.disposal == 2 for piece in file.pieces) or first.disposal in (3, 4)


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """The frames as shown, one at a time."""
    file = gif_file.read(data)
    canvas = Canvas(*file.canvas)
    for piece in file.pieces:
        right, bottom = (min(a, b) for a, b in zip(file.canvas, _corner(piece), strict=True))
        area = (min(piece.left, right), min(piece.top, bottom), right, bottom)
        index = _indices(data, piece)[: area[3] - area[1], : area[2] - area[0]]
        place = canvas.enter(area, _DISPOSALS.get(piece.disposal, KEEP))
        put(place, _colours(piece.table)[index], index != piece.clear)
        yield canvas.shown(alpha=info.alpha)


def _corner(piece: Piece) -> tuple[int, int]:
    return piece.left + piece.width, piece.top + piece.height


def _colours(table: bytes) -> NDArray[np.uint8]:
    """A colour table as (256, 3); indices beyond its end are black."""
    return np.frombuffer(table.ljust(768, b"\x00"), np.uint8).reshape(256, 3)


def _indices(data: bytes, piece: Piece) -> NDArray[np.uint8]:
    """The image's indices (h, w). Raises where the packed data end before the last pixel.

    Pillow fills what is missing. Whether the last pixel was missing shows where it changes with the filling.
    """
    last = _last_row(piece)
    index = _unpacked(gif_file.alone(data, piece, 0))
    if index.shape != (piece.height, piece.width):
        damaged()
    if index[last, -1] == 0 and _unpacked(gif_file.alone(data, piece, 1))[last, -1] != 0:
        cut_off()
    return index


def _last_row(piece: Piece) -> int:
    """The row that is packed last: of an interlaced image the last odd one."""
    return piece.height - 1 if not piece.interlaced or piece.height < 2 else (piece.height - 2) | 1


def _unpacked(alone: bytes) -> NDArray[np.uint8]:
    from PIL import GifImagePlugin  # noqa: PLC0415

    with GifImagePlugin.GifImageFile(BytesIO(alone)) as image:
        image.load()
        return np.asarray(image)


def encode(frame: Frame, info: Info) -> bytes:
    """A GIF of one image."""
    made = Writer(info)
    made.append(frame)
    return made.finish()


def writer(info: Info) -> Writer:
    """What encodes an animation."""
    return Writer(info)


@dataclass(slots=True)
class Writer:
    """A GIF. What is held are the packed images."""

    info: Info
    table: bytes = b""
    images: list[bytes] = field(default_factory=list)

    def append(self, frame: Frame) -> None:
        """Choose the frame's colours and pack it."""
        coding = self.info.coding if isinstance(self.info.coding, GifCoding) else GifCoding()
        opaque = None if frame.alpha is None else to_uint8(frame.alpha) >= 128
        chosen = gif_colours.choose(to_uint8(frame.pixels), opaque, coding.tables)
        animation = self.info.animation
        delay = round(animation.durations[len(self.images)] * 100) if animation else 0
        own = chosen.table if chosen.table != self.table and self.images else b""
        self.table = self.table or chosen.table
        disposal = _CLEAR if animation and frame.alpha is not None else _LEAVE if animation else 0
        size, packed = (frame.width, frame.height), _packed(chosen.index)
        self.images.append(
            gif_file.image(size, own, packed, disposal=disposal, clear=chosen.clear, delay=min(65535, delay))
        )

    def finish(self) -> bytes:
        """The file; the first image's colours are the common ones."""
        animation = self.info.animation
        start = gif_file.head(self.info.size, self.table, loop=animation.loop if animation else None, icc=self.info.icc)
        return b"".join([start, *self.images, b";"])


def _packed(index: NDArray[np.uint8]) -> bytes:
    """Indices (h, w) as LZW data, from the code size to the empty block, by Pillow's encoder."""
    from PIL import GifImagePlugin, Image  # noqa: PLC0415

    height, width = index.shape
    image = Image.frombuffer("P", (width, height), np.ascontiguousarray(index), "raw", "P", 0, 1)
    return b"".join(GifImagePlugin.getdata(image))[10:]  # an image descriptor of ten bytes stands first
