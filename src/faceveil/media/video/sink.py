"""Writing: pictures become a video that is complete or absent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from faceveil.errors import OutputError, RequestError
from faceveil.media import atomic
from faceveil.media.video.encoders import MUXERS
from faceveil.media.video.info import VideoCoding, VideoInfo
from faceveil.media.video.source import VideoSource
from faceveil.media.video.work import Work
from faceveil.types import Planes

Inspect = Callable[[Path], None]


class Maker(Protocol):
    """What makes one kind of output: a film, an animation, a row of pictures."""

    notes: tuple[str, ...]

    def append(self, planes: Planes) -> None:
        """Take the next picture."""

    def publish(self, inspect: Inspect | None, *, overwrite: bool) -> None:
        """Write the target, whole or not at all; `inspect` sees it under its temporary name."""

    def abandon(self) -> None:
        """Let go of what is open."""


class VideoSink:
    """A video in the making. Leaving the block well publishes it, leaving it by an error does not.

    Pictures are encoded as they come and kept in `work`. Pictures of segments that `work` has finished already are
    accepted and ignored. notes: one sentence for each thing that is not as in the source or not as asked for.
    """

    def __init__(
        self,
        path: Path,
        maker: Callable[[Work], Maker],
        work: Work | None,
        *,
        overwrite: bool = False,
        inspect: Inspect | None = None,
    ) -> None:
        self.path = path
        self._overwrite = overwrite
        self._inspect = inspect
        self._own = work is None
        self._work = work if work is not None else Work.open(path, secrets.token_hex(16))
        self._count = 0
        try:
            self._maker = maker(self._work)
        except BaseException:
            self._let_go()
            raise
        self.notes = self._maker.notes

    def append(self, planes: Planes) -> None:
        """Encode the next picture. Raises `OutputError` where it does not fit or cannot be written."""
        self._count += 1
        if self._count > self._work.finished:
            self._maker.append(planes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._maker.abandon()
            self._let_go()

    def _publish(self) -> None:
        if not self._count:
            raise OutputError(f"{self.path} got no picture, so nothing was written")
        if self._count < self._work.finished:
            raise OutputError(f"{self.path} got {self._count} pictures; an earlier run had {self._work.finished}")
        self._maker.publish(self._inspect, overwrite=self._overwrite)
        self._work.done = True

    def _let_go(self) -> None:
        if self._own:
            self._work.close(remove=True)


def create_video(
    path: str | os.PathLike[str],
    info: VideoInfo,
    *,
    coding: VideoCoding,
    source: VideoSource | None = None,
    work: Work | None = None,
    overwrite: bool = False,
    inspect: Inspect | None = None,
) -> VideoSink:
    """A sink that writes `path`, in the container that its suffix names: .mp4, .mov, .mkv or .webm.

    A name ending in .gif makes an animation; one with a number in it (frames/%05d.png, or .jpg) a row of pictures.
    source: what the sound comes from. work: an open folder that lets a later run go on; without it nothing is kept.
    overwrite: as in `media.create`. inspect: sees the finished file under its temporary name before it is published;
    what it raises keeps it from being published. Raises `RequestError` where the container cannot hold what is asked
    for, `MissingExtra` where a hardware encoder does not start, and `OutputError`.
    """
    path = Path(path)
    if coding.audio != "drop" and info.audio and source is None:
        raise RequestError("the sound cannot be kept without the source that it comes from")
    maker = _maker(path, info, coding, source)
    first = path.with_name(path.name % 1) if is_row(path) else path
    atomic.expect_free(first, overwrite=overwrite)
    return VideoSink(path, maker, work, overwrite=overwrite, inspect=inspect)


def is_row(path: Path) -> bool:
    """Whether a name stands for a row of pictures, as frames/%05d.png does; a film may be called 100%.mp4."""
    return "%" in path.name and path.suffix.lower() not in (*MUXERS, ".gif")


def _maker(path: Path, info: VideoInfo, coding: VideoCoding, source: VideoSource | None) -> Callable[[Work], Maker]:
    from faceveil.media.video import film, stills  # noqa: PLC0415

    suffix = path.suffix.lower()
    if is_row(path):
        return stills.row(path, info)
    if suffix == ".gif":
        return stills.gif(path, info)
    if suffix not in MUXERS:
        known = ", ".join((*MUXERS, ".gif"))
        raise RequestError(f"no video is called {path.name}", hint=f"choose a suffix of {known}")
    return film.film(path, info, coding, MUXERS[suffix], source)
