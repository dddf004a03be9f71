"""Reading: a path or bytes become frames."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from faceveil.errors import TooLargeError, UnreadableError
from faceveil.media import codecs
from faceveil.media.camera import Settings
from faceveil.media.faults import damaged, named
from faceveil.media.info import Info
from faceveil.media.kinds import HEAD
from faceveil.types import Frame

BYTE_CAP = 4 << 30  # 400 MP of 16-bit RGBA are 3.2 GB uncompressed; classic TIFF ends at 4 GiB


# O_NONBLOCK: opening a pipe would wait for its writer.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Source:
    """A picture that was opened: its header is read and judged, its pixels are decoded by iterating.

    info: what it is. digest: SHA-256 of its bytes, in hexadecimal. name: the path, or "the picture" for bytes.
    Frames come one at a time, as a viewer shows them; none is held back. Each knows its index and, in an animation,
    its time. A file's bytes are let go once they are decoded; iterating again reads the file again and refuses other
    bytes. Iterating raises `UnreadableError` where pixels are missing.
    """

    def __init__(self, origin: Path | bytes, *, max_pixels: int = codecs.PIXEL_CAP) -> None:
        self._origin = origin
        self.name = str(origin) if isinstance(origin, Path) else "the picture"
        with named(self.name):
            data = _read(origin) if isinstance(origin, Path) else origin
            self.digest = sha256(data).hexdigest()
            self.info: Info = codecs.probe(data, max_pixels)
        self._data: bytes | None = data

    def __iter__(self) -> Iterator[Frame]:
        with named(self.name):
            data, self._data = self._bytes(), None
            frames = codecs.codec(codecs.kind_of(data)).decode(data, self.info)
            del data
        starts = self.info.animation.starts if self.info.animation else (None,) * self.info.frames
        for index, time in enumerate(starts):
            with named(self.name):  # around the decoder alone: what the caller raises is the caller's
                frame = next(frames, None)
                if frame is None or (frame.width, frame.height) != self.info.of(index).size:
                    damaged()
            yield replace(frame, index=index, time=time)

    def read(self) -> bytes:
        """The bytes, from the file again once they were let go. Raises `UnreadableError` where it has changed."""
        with named(self.name):
            return self._bytes()

    def settings(self) -> Settings | None:
        """Its camera settings (`media.camera`); None where it may have some that are not read."""
        with named(self.name):
            return codecs.settings(self._bytes())

    def _bytes(self) -> bytes:
        if self._data is not None:
            return self._data
        if isinstance(self._origin, bytes):
            return self._origin
        data = _read(self._origin)
        if sha256(data).hexdigest() != self.digest:
            raise UnreadableError("has changed since it was opened")
        return data


def open(source: str | os.PathLike[str] | bytes, *, max_pixels: int = codecs.PIXEL_CAP) -> Source:
    """Open a picture by its signature, whatever its name says.

    Raises `UnreadableError` (not a picture, damaged, cut off, no permission), `UnsupportedError` (a kind that would
    be covered only in part or not at all) or `TooLargeError` (more than `max_pixels`, before decoding).
    """
    return Source(source if isinstance(source, bytes) else Path(source), max_pixels=max_pixels)


def _read(path: Path) -> bytes:
    """All bytes of a regular file that begins like a supported picture."""
    with _plainly(path), os.fdopen(os.open(path, _READ), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("is not a regular file")
        if status.st_size > HEAD:
            codecs.kind_of(file.read(HEAD))  # a large file of another kind is refused before it fills the memory
            file.seek(0)
        if status.st_size > BYTE_CAP:
            raise TooLargeError(f"has {status.st_size >> 20} MiB; the cap is {BYTE_CAP >> 20} MiB")
        return file.read(BYTE_CAP + 1)


def expect_file(path: Path) -> None:
    """Raise `UnreadableError` where the path is no regular file that can be read."""
    with _plainly(path), os.fdopen(os.open(path, _READ), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableError("is not a regular file")
        if not file.read(1):
            raise UnreadableError("is empty")


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UnreadableError("is a link to nothing" if path.is_symlink() else "does not exist") from None
    except IsADirectoryError:
        raise UnreadableError("is a folder") from None
    except PermissionError:
        raise UnreadableError("cannot be read: permission denied") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or "the name is not valid"
        raise UnreadableError(f"cannot be read: {reason.lower()}") from None
