"""Reading: a path becomes the pictures of a video."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from faceveil.errors import InputError, UnreadableError, UnsupportedError
from faceveil.media.codecs import PIXEL_CAP
from faceveil.media.faults import named
from faceveil.media.kinds import KINDS, video_kind
from faceveil.media.source import expect_file
from faceveil.media.video.info import VideoInfo
from faceveil.media.video.whole import cut, expect_whole, fingerprint
from faceveil.types import Planes


class VideoSource:
    """A video that was opened: its headers and its first picture are read and judged.

    info: what it is. kind: of the file, a key of `KINDS`. name: the path as text. Iterating gives `Planes` one by one,
    with index, exact time and duration; none is held back, and the memory does not grow with the length. It may be
    iterated again.
    Iterating raises `UnreadableError` where a picture is missing or damaged, at the place where that is found: what
    came before was complete. A picture that FFmpeg conceals is never given.
    """

    def __init__(self, path: Path, *, threads: int = 0, max_pixels: int = PIXEL_CAP, partial: bool = False) -> None:
        from faceveil.media.video.probe import probe  # noqa: PLC0415

        self.path = path
        self.name = str(path)
        self._threads = threads
        self._digest = ""
        with _named(self.name):
            expect_file(path)
            self._seen = fingerprint(path)
            self.kind = _kind(path)
            self._cut = _is_cut(path, self.kind, allowed=partial)
            self.info: VideoInfo = probe(path, self.kind, max_pixels)

    @property
    def digest(self) -> str:
        """SHA-256 of the file in hexadecimal, read when first asked for."""
        if not self._digest:
            with _named(self.name):
                self._expect_same()
                with self.path.open("rb") as file:
                    self._digest = file_digest(file, "sha256").hexdigest()
        return self._digest

    def __iter__(self) -> Iterator[Planes]:
        from faceveil.media.video import decode, pixels  # noqa: PLC0415

        with _named(self.name):
            self._expect_same()
            container = decode.open_container(self.path, self.kind)
        with container:
            shown = iter(decode.Decoding(container, decode.pick(container), self.kind, self._threads))
            base = self.info.time_base
            index = 0
            while True:
                with _named(self.name):  # around the decoder alone: what the caller raises is the caller's
                    one = next(shown, None)
                    if one is None:
                        break
                    planes = pixels.planes_of(
                        one.frame,
                        orientation=self.info.orientation,
                        index=index,
                        time=one.ticks * base - self.info.origin,
                        duration=one.duration * base if one.duration > 0 else None,
                    )
                yield planes
                index += 1
            with _named(self.name):
                self._expect_same()
                if self._cut:
                    cut()

    def _expect_same(self) -> None:
        if fingerprint(self.path) != self._seen:
            raise UnreadableError("has changed since it was opened")


def open_video(
    path: str | os.PathLike[str], *, threads: int = 0, max_pixels: int = PIXEL_CAP, partial: bool = False
) -> VideoSource:
    """Open a video by its signature, whatever its name says.

    threads: of the decoder, 0 for as many as there are cores. partial: open a file that is cut off, too; iterating it
    raises at the end of what is there. Raises `UnreadableError` (no video, damaged, cut off, no
    permission), `UnsupportedError` (encrypted, or of a kind that would be shown wrongly) or `TooLargeError` (more than
    `max_pixels` in a picture).
    """
    return VideoSource(Path(path), threads=threads, max_pixels=max_pixels, partial=partial)


def _is_cut(path: Path, kind: str, *, allowed: bool) -> bool:
    """Whether a file is shorter than its container says. Raises `UnreadableError` unless that is allowed."""
    try:
        expect_whole(path, kind)
    except UnreadableError:
        if not allowed:
            raise
        return True
    return False


def _kind(path: Path) -> str:
    kind = video_kind(path)
    if kind is None:
        raise UnreadableError("is not a video")
    if not KINDS[kind].moving:
        raise UnsupportedError(f"is {KINDS[kind].one}, not a video")
    return kind


@contextmanager
def _named(name: str) -> Iterator[None]:
    """`faults.named`, and FFmpeg's own words for what it refuses."""
    with named(name):
        try:
            yield
        except InputError:
            raise
        except OSError as error:
            raise UnreadableError(f"cannot be read: {(error.strerror or 'input error').lower()}") from error
