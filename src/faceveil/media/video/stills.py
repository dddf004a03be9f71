"""A video as an animated GIF, or as a row of pictures: upright RGB of 8 bits, or 16 where both have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from faceveil.errors import OutputError, RequestError
from faceveil.media import atomic, codecs
from faceveil.media.faults import FRAME_CAP
from faceveil.media.gif import Writer
from faceveil.media.info import Animation, Info
from faceveil.media.kinds import KINDS
from faceveil.media.video import pixels
from faceveil.media.video.info import VideoInfo
from faceveil.media.video.sink import Inspect
from faceveil.media.video.work import Work
from faceveil.planes import upright
from faceveil.types import Frame, Planes

_NUMBER = re.compile(r"%0?[0-9]*d")
_TICK = Fraction(1, 100)  # GIF's unit of time
_FASTEST = 50  # pictures a second: browsers show durations below two hundredths as ten
_ROWS = ("PNG", "JPEG", "WebP", "TIFF", "BMP", "PNM")
_COLOURSPACES = {"bt601": "itu601", "bt709": "itu709", "bt2020": "bt2020"}
_HIGH_RANGE = (16, 18)  # H.273's transfers PQ and HLG


def rgb(planes: Planes) -> Frame:
    """The picture in RGB, upright, converted by FFmpeg. Tones stay as they are stored, those of HDR too."""
    matrix = _COLOURSPACES.get(planes.matrix, "itu709")
    span = 2 if planes.full else 1
    stored = pixels.frame_of(planes)
    deep = planes.bits > 8
    shown = stored.reformat(
        format="rgb48le" if deep else "rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=span,
        dst_color_range=2,
        interpolation="BICUBIC",
    )
    samples = np.ascontiguousarray(shown.to_ndarray())
    return Frame(upright(samples, planes.orientation), index=planes.index, time=planes.time)


def gif(path: Path, info: VideoInfo) -> Callable[[Work], Gif]:
    """What makes an animation. Raises `RequestError` where GIF is too slow for it."""
    if info.rate is not None and info.rate > _FASTEST:
        raise RequestError(
            f"a GIF shows {_FASTEST} pictures a second at most; this video has {float(info.rate):g}",
            hint="write a video instead",
        )
    return lambda _work: Gif(path, info)


class Gif:
    """An animation that repeats for ever. What is held are its packed pictures."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self._path = path
        self._writer = Writer(Info("GIF", *info.size, animation=Animation((), 0)))
        self._held: Planes | None = None  # its duration is known when the next one comes
        self._durations: tuple[Fraction, ...] = ()
        self._start = Fraction(0)
        self.notes = (*_notes(info), "A GIF has hundredths of a second and 256 colours in each picture.")

    def append(self, planes: Planes) -> None:
        """Pack the picture before this one, whose duration is known now."""
        if len(self._durations) >= FRAME_CAP:
            raise OutputError(f"{self._path} would have more than {FRAME_CAP} pictures, which is the cap for a GIF")
        if self._held is None:
            self._start = planes.time
        else:
            self._add(self._held, planes.time)
        self._held = planes

    def publish(self, inspect: Inspect | None, *, overwrite: bool) -> None:
        """Write the animation."""
        if self._held is not None:
            self._add(self._held, self._held.time + (self._held.duration or Fraction(1, 25)))
        with atomic.making(self._path, overwrite=overwrite) as part:
            part.write_bytes(self._writer.finish())
            if inspect is not None:
                inspect(part)

    def abandon(self) -> None:
        """Let the last picture go."""
        self._held = None

    def _add(self, planes: Planes, end: Fraction) -> None:
        """Show the picture until `end`, rounded so that errors do not add up."""
        ticks = round((end - self._start) / _TICK) - sum(self._durations) / _TICK
        self._durations += (ticks * _TICK,)
        self._writer.info = replace(self._writer.info, animation=Animation(self._durations, 0))
        self._writer.append(rgb(planes))


def row(path: Path, info: VideoInfo) -> Callable[[Work], Row]:
    """What makes one picture for each frame. Raises `RequestError` for a name that numbers none."""
    form = next((name for name in _ROWS if path.suffix.lower() in KINDS[name].suffixes), None)
    if form is None or len(_NUMBER.findall(path.name)) != 1 or path.name.count("%") != 1:
        raise RequestError(f"no pictures are called {path.name}", hint="use a name like %05d.png or %05d.jpg")
    return lambda work: Row(path, form, info, work)


class Row:
    """Numbered pictures, from 1. They stand in the work folder until all are there."""

    def __init__(self, path: Path, form: str, info: VideoInfo, work: Work) -> None:
        self._path = path
        self._form = form
        self._work = work
        self._count = 0
        self.notes = _notes(info)

    def append(self, planes: Planes) -> None:
        """Encode one picture into the work folder."""
        frame = rgb(planes)
        data = codecs.encode(frame, Info.plain(self._form, frame))
        with atomic.in_words(self._path):
            self._part(self._count).write_bytes(data)
        self._count += 1

    def publish(self, inspect: Inspect | None, *, overwrite: bool) -> None:
        """Give all pictures their names, or none."""
        targets = [self._path.with_name(self._path.name % (number + 1)) for number in range(self._count)]
        for target in targets:
            atomic.expect_free(target, overwrite=overwrite)
        if inspect is not None:
            for number in range(self._count):
                inspect(self._part(number))
        made: list[Path] = []
        try:
            for number, target in enumerate(targets):
                atomic.publish(target, self._part(number).read_bytes(), overwrite=overwrite)
                made.append(target)
        except BaseException:
            for target in made:
                with suppress(OSError):
                    target.unlink()
            raise

    def abandon(self) -> None:
        """Nothing is open."""

    def _part(self, number: int) -> Path:
        return self._work.folder / f"{number + 1:08}{self._path.suffix}"


def _notes(info: VideoInfo) -> tuple[str, ...]:
    sound = ("The sound is dropped.",) if info.audio else ()
    high = ("High dynamic range is written without tone mapping.",) if info.colours.transfer in _HIGH_RANGE else ()
    return sound + high
