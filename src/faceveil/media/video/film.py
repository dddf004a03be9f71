"""A film: segments of coded pictures, then one container."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import av

from faceveil.errors import OutputError, RequestError
from faceveil.media import atomic
from faceveil.media.video import mux
from faceveil.media.video.encoder import Coded, Encoder
from faceveil.media.video.encoders import Settings, settings_for
from faceveil.media.video.info import AudioMode, VideoCoding, VideoInfo
from faceveil.media.video.segments import SEGMENT, SegmentWriter
from faceveil.media.video.sink import Inspect
from faceveil.media.video.source import VideoSource
from faceveil.media.video.work import Work
from faceveil.types import Planes


def film(
    path: Path, info: VideoInfo, coding: VideoCoding, container: str, source: VideoSource | None
) -> Callable[[Work], Film]:
    """What makes the film once there is a work folder. Raises `RequestError` and `MissingExtra`."""
    settings = settings_for(info, coding, container)
    _expect_start(settings, coding, container)
    origin = (source.path, source.kind) if source is not None else None
    return lambda work: Film(path, settings, work, coding.audio, origin)


def _expect_start(settings: Settings, coding: VideoCoding, container: str) -> None:
    """What does not start is refused before the first picture is decoded."""
    try:
        Encoder(settings)
    except OutputError:
        if coding.preset is None:
            raise
        Encoder(settings_for(settings.info, replace(coding, preset=None), container))
        raise RequestError(
            f"the encoder '{settings.encoder}' knows no preset '{coding.preset}'",
            hint="without one, a fast one is used",
        ) from None


class Film:
    """Encodes into segments of `SEGMENT` pictures, each by a new encoder; `publish` joins them."""

    def __init__(
        self, path: Path, settings: Settings, work: Work, audio: AudioMode, source: tuple[Path, str] | None
    ) -> None:
        self._path = path
        self._settings = settings
        self._work = work
        self._audio: AudioMode = audio
        self._source = source
        self._encoder: Encoder | None = None
        self._writer: SegmentWriter | None = None
        self._inside = 0  # pictures in the open segment
        self.notes = settings.notes
        if mux.rounded(settings):
            self.notes += (f"{settings.container} keeps whole milliseconds: times are rounded to the nearest.",)
        if audio == "drop" and settings.info.audio:
            count = len(settings.info.audio)
            self.notes += (f"{count} sound track{'s are' if count > 1 else ' is'} dropped.",)

    def append(self, planes: Planes) -> None:
        """Encode one picture into the open segment."""
        if self._encoder is None or self._writer is None:
            self._encoder = Encoder(self._settings)
            self._writer = SegmentWriter(self._work.segment_path(len(self._work.segments)), self._path)
        self._add(self._encoder.encode(planes))
        self._inside += 1
        if self._inside == SEGMENT:
            self._finish()

    def publish(self, inspect: Inspect | None, *, overwrite: bool) -> None:
        """Join the segments with the sound, read the file back and name it."""
        if self._encoder is not None:
            self._finish()
        with atomic.making(self._path, overwrite=overwrite) as part:
            try:
                mux.mux(part, self._work.segments, self._settings, audio=self._audio, source=self._source)
            except av.error.FFmpegError as error:
                if isinstance(error, OSError):
                    raise  # a full disk, in the words of the file system
                raise OutputError(f"cannot write {self._path}: {error.strerror}") from error
            mux.expect_same(part, self._work.segments, self._settings)
            if inspect is not None:
                inspect(part)

    def abandon(self) -> None:
        """Close what is open; an unfinished segment is worth nothing."""
        if self._writer is not None:
            self._writer.abandon()
        self._encoder = self._writer = None

    def _finish(self) -> None:
        if self._encoder is None or self._writer is None:
            return
        self._add(self._encoder.finish())
        if self._inside != self._writer.frames:
            raise OutputError(f"the encoder '{self._settings.encoder}' lost a picture")
        self._work.segments.append(self._writer.finish())
        self._encoder = self._writer = None
        self._inside = 0

    def _add(self, pictures: Iterable[Coded]) -> None:
        if self._writer is not None:
            for coded in pictures:
                self._writer.add(coded)
