"""Animated PNG: frames laid over each other as viewers do it, and written whole.

Every frame is written with all of its pixels, replacing what was there: so no frame can show what another one had
beneath a cover, whatever the source's rectangles, blending and disposal were. A default picture that is no part of the
animation is dropped: the first frame takes its place in viewers that do not know animations.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from faceveil.media import png_file, png_still
from faceveil.media.canvas import CLEAR, KEEP, RESTORE, Canvas, over
from faceveil.media.faults import FRAME_CAP, cut_off, damaged, too_many
from faceveil.media.info import Animation, Info
from faceveil.media.pixels import upright_frame
from faceveil.media.png_file import CONTROL, Control, Moment, PngFile, chunk
from faceveil.types import Frame

_DISPOSALS = (KEEP, CLEAR, RESTORE)  # PNG's numbers are ours
_OVER = 1  # blend operation


@dataclass(frozen=True, slots=True)
class Moving:
    """What an animation adds to a PNG. clear: whether its canvas may be transparent somewhere, by the headers."""

    animation: Animation
    clear: bool
    notes: tuple[str, ...]

    @classmethod
    def of(cls, file: PngFile, size: tuple[int, int]) -> Moving | None:
        """The animation of a file with a canvas of this size; None for a still. Raises where its parts do not fit."""
        control = file.extra.get(b"acTL", b"")
        if not control:
            return None
        if len(control) != 8:
            damaged()
        frames, loop = struct.unpack(">II", control)
        if frames > FRAME_CAP:
            too_many()
        if not frames or len(file.moments) < frames:
            cut_off()
        if len(file.moments) > frames:
            damaged()
        _expect_order(file.moments, size)
        if not moves(file):
            return None
        notes = () if file.shown else ("The default picture beside the animation is dropped.",)
        animation = Animation(tuple(_duration(moment.control) for moment in file.moments), loop)
        return cls(animation, _clear(file.moments, size), notes)


def _expect_order(moments: list[Moment], size: tuple[int, int]) -> None:
    """Raise for a frame without data, outside of the canvas, or with operations that do not exist."""
    before = -1
    for moment in moments:
        control = moment.control
        inside = control.left + control.width <= size[0] and control.top + control.height <= size[1]
        known = control.dispose in _DISPOSALS and control.blend in (0, _OVER)
        if not (inside and known and control.width and control.height and control.sequence > before):
            damaged()
        if not moment.data:
            cut_off()
        before = control.sequence


def _duration(control: Control) -> Fraction:
    return Fraction(control.delay, control.per or 100)  # PNG, 11.3.6.2: zero stands for hundredths


def _clear(moments: list[Moment], size: tuple[int, int]) -> bool:
    """Whether something may be transparent although the colours have no alpha: not yet drawn, or cleared."""
    first = moments[0].control
    whole = (first.width, first.height) == size
    return not whole or any(m.control.dispose == CLEAR for m in moments) or first.dispose == RESTORE


def moves(file: PngFile) -> bool:
    """Whether the frames are looked at, and not the picture that everybody else sees."""
    return bool(file.moments) and not (len(file.moments) == 1 and file.shown)


def decode(data: bytes, file: PngFile, info: Info) -> Iterator[Frame]:
    """The frames of a file as shown, upright, one at a time."""
    header = file.loads(data, b"IHDR")[0]
    width, height = struct.unpack_from(">II", header)
    canvas = Canvas(width, height, bits=info.bits)
    for moment in file.moments:
        control = moment.control
        pixels, alpha = png_still.unpack(file.frame(data, moment), info.bits)
        if pixels.shape[:2] != (control.height, control.width):
            damaged()
        area = (control.left, control.top, control.left + control.width, control.top + control.height)
        place = canvas.enter(area, control.dispose)
        if control.blend == _OVER and alpha is not None:
            over(place, pixels, alpha)
        else:
            place[0][...] = pixels
            place[1][...] = np.iinfo(pixels.dtype).max if alpha is None else alpha
        frame = canvas.shown(alpha=info.alpha)
        yield upright_frame(frame.pixels, frame.alpha, info.orientation)


@dataclass(slots=True)
class Writer:
    """An animated PNG. What is held are the frames as packed PNGs."""

    info: Info
    packed: list[bytes] = field(default_factory=list)
    grey: bool = True

    def append(self, frame: Frame) -> None:
        """Encode the next frame; grey stays grey until a frame was painted in colour."""
        packed, grey = png_still.pack(frame, grey=self.info.grey)
        self.packed.append(packed)
        self.grey = self.grey and grey

    def finish(self) -> bytes:
        """The file: one header for all frames, so that grey ones become colour where others are."""
        animation = self.info.animation
        assert animation is not None  # noqa: S101  # a writer is made for animations alone
        out, number = [], 0
        for i, duration in enumerate(animation.durations):
            packed = self._alike(self.packed[i])
            file = png_file.read(packed)
            out.append(chunk(b"fcTL", _control(number, packed, duration)))
            number += 1
            for load in file.loads(packed, b"IDAT"):
                out.append(chunk(b"fdAT", struct.pack(">I", number) + load) if i else chunk(b"IDAT", bytes(load)))
                number += bool(i)
        start = self._alike(self.packed[0])[:33] + png_still.described(self.info, grey=self.grey)
        control = chunk(b"acTL", struct.pack(">II", len(animation.durations), animation.loop or 0))
        return b"".join([start, control, *out, chunk(b"IEND", b"")])

    def _alike(self, packed: bytes) -> bytes:
        """The frame in the colour type that all frames have."""
        if self.grey or packed[25] not in (0, 4):  # the colour type in IHDR
            return packed
        return png_still.pack(Frame(*png_still.unpack(packed, packed[24])), grey=False)[0]


def _control(number: int, packed: bytes, duration: Fraction) -> bytes:
    """A frame control: the whole canvas, replaced, and left as it is."""
    width, height = struct.unpack_from(">II", packed, 16)
    delay = duration.limit_denominator(65535)
    top = min(65535, delay.numerator)
    return CONTROL.pack(number, width, height, 0, 0, top, delay.denominator, KEEP, 0)
