"""Coded pictures on the disk, a fixed number to a file: what a run that died has finished, the next one keeps.

Layout, in little endian: MAGIC; for each picture `_RECORD` (time, duration, key, size) and its bytes; `_FOOTER` (how
many, by how many pictures decoding runs ahead, CRC-32 of all before) and MAGIC again. A file without a right end is not
there. Containers are not used for this: none holds each codec with each time base.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from faceveil.errors import OutputError
from faceveil.media import atomic

if TYPE_CHECKING:
    from faceveil.media.video.encoder import Coded

SEGMENT = 1000
"""Pictures in a segment: 40 s at 25 a second. A run that dies loses at most these; a key picture more in 1,000 costs
less than 1 % in size, since encoders put one every 250."""

_MAGIC = b"faceveil segment"
_RECORD = struct.Struct("<qqBI")
_FOOTER = struct.Struct("<III")


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished segment: its file, how many pictures, and the delay that its decoding order needs."""

    path: Path
    frames: int
    delay: int

    @classmethod
    def read(cls, path: Path) -> Segment | None:
        """The segment, by its end; None where there is none, or not a whole one."""
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                tail = _FOOTER.size + len(_MAGIC)
                if size < tail + len(_MAGIC):
                    return None
                file.seek(size - tail)
                footer = file.read(tail)
        except FileNotFoundError:
            return None
        if footer[_FOOTER.size :] != _MAGIC:
            return None
        frames, delay, _ = _FOOTER.unpack(footer[: _FOOTER.size])
        return cls(path, frames, delay)

    def times(self) -> list[tuple[int, int]]:
        """(time, duration) in ticks of each picture, in decoding order."""
        found = []
        with self.path.open("rb") as file:
            file.seek(len(_MAGIC))
            for _ in range(self.frames):
                pts, duration, _, size = _RECORD.unpack(file.read(_RECORD.size))
                found.append((pts, duration))
                file.seek(size, os.SEEK_CUR)
        return found

    def pictures(self) -> Iterator[Coded]:
        """The pictures in decoding order. Raises `OutputError` at the end where the file was changed."""
        from faceveil.media.video.encoder import Coded  # noqa: PLC0415

        with self.path.open("rb") as file:
            crc = zlib.crc32(file.read(len(_MAGIC)))
            for _ in range(self.frames):
                head = file.read(_RECORD.size)
                pts, duration, key, size = _RECORD.unpack(head)
                data = file.read(size)
                crc = zlib.crc32(data, zlib.crc32(head, crc))
                yield Coded(pts, duration, bool(key), data)
            if _FOOTER.unpack(file.read(_FOOTER.size))[2] != crc:
                raise OutputError(
                    f"the segment {self.path} is damaged", hint=f"remove the folder {self.path.parent} and run again"
                )


class SegmentWriter:
    """A segment in the making; `finish` gives it its name."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._target = target
        self._times: list[int] = []
        with atomic.in_words(target):
            self._file: IO[bytes] = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
            self._file.write(_MAGIC)
        self._crc = zlib.crc32(_MAGIC)

    @property
    def frames(self) -> int:
        """Pictures so far."""
        return len(self._times)

    def add(self, coded: Coded) -> None:
        """Write one picture. Raises `OutputError`, for example on a full disk."""
        head = _RECORD.pack(coded.pts, coded.duration, coded.key, len(coded.data))
        self._crc = zlib.crc32(coded.data, zlib.crc32(head, self._crc))
        self._times.append(coded.pts)
        with atomic.in_words(self._target):
            self._file.write(head)
            self._file.write(coded.data)

    def finish(self) -> Segment:
        """The finished segment, on the disk."""
        delay = _delay(self._times)
        with atomic.in_words(self._target), self._file:
            self._file.write(_FOOTER.pack(len(self._times), delay, self._crc) + _MAGIC)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._path)
        return Segment(self._path, len(self._times), delay)

    def abandon(self) -> None:
        """Close the file; what it holds is worth nothing."""
        try:
            self._file.close()
        except OSError:  # a full disk: closing tries to write the rest once more
            return


def _delay(times: list[int]) -> int:
    """By how many pictures decoding must run ahead, so that each is decoded before it is shown."""
    shown = {pts: position for position, pts in enumerate(sorted(times))}
    return max((position - shown[pts] for position, pts in enumerate(times)), default=0)
