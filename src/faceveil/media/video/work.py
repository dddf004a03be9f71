"""The hidden folder of a video in the making: finished segments and the journal of the run that makes it.

.faceveil-TARGET-work/     TARGET is a hash of the final name, as for all unfinished files
    lock                   held while a run lives; the system drops it when the process dies, however it dies
    key                    what is being made; another key, or another version of this layout, starts anew
    journal                lines of the caller, for example what was detected
    000000.segment         coded pictures, whole: `.part` until then
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from faceveil.errors import OutputError
from faceveil.media import atomic
from faceveil.media.video.segments import SEGMENT, Segment

_LAYOUT = f"faceveil-work 2 {SEGMENT}"


class Work:
    """An open work folder; one run at a time has it.

    lines: the journal of the earlier run, whole lines without their ends. finished: pictures in finished segments.
    It is removed once the video is published, and where the block ends in an error, which another run would meet
    again; it stays where the run is interrupted or dies, and the next run goes on from it.
    """

    def __init__(self, target: Path, folder: Path, lock: IO[bytes], key: str) -> None:
        self.target = target
        self.folder = folder
        self.done = False
        self._lock = lock
        wanted = f"{_LAYOUT}\n{key}\n"
        key_file = folder / "key"
        if not key_file.is_file() or key_file.read_text(encoding="utf-8") != wanted:
            self._clear()
            _write(key_file, wanted)
        self._journal, self.lines = self._read_journal()
        self.segments: list[Segment] = list(self._finished())

    @classmethod
    def open(cls, target: str | os.PathLike[str], key: str) -> Work:
        """The work folder of `target`: as an earlier run with the same key left it, or empty.

        key: a fingerprint of everything that decides about the result: the source's digest and all settings. Raises
        `OutputError` where the folder cannot be made, or another run is making the same video.
        """
        target = Path(target)
        folder = target.parent / f"{atomic.prefix(target)}work"
        with atomic.in_words(target):
            return cls(target, folder, _locked(target, folder), key)

    @property
    def finished(self) -> int:
        """Pictures in finished segments; they need not be encoded again."""
        return sum(segment.frames for segment in self.segments)

    def write(self, line: str) -> None:
        """Add a line to the journal, handed to the system before this returns. Raises `OutputError`."""
        if "\n" in line:
            raise ValueError("a line of the journal must not contain a line break")
        with atomic.in_words(self.target):
            self._journal.write(line.encode() + b"\n")
            self._journal.flush()

    def segment_path(self, number: int) -> Path:
        """Where the segment of this number stands."""
        return self.folder / f"{number:06}.segment"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keep = not self.done and (kind is None or not issubclass(kind, Exception))
        self.close(remove=not keep)

    def close(self, *, remove: bool) -> None:
        """Let the folder go, for the next run or for good."""
        with suppress(OSError):
            self._journal.close()
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _clear(self) -> None:
        for entry in self.folder.iterdir():
            if entry.name != "lock":
                entry.unlink()

    def _read_journal(self) -> tuple[IO[bytes], list[str]]:
        path = self.folder / "journal"
        data = path.read_bytes() if path.is_file() else b""
        whole = data[: data.rfind(b"\n") + 1]
        journal = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        journal.truncate(len(whole))
        journal.seek(len(whole))
        return journal, whole.decode().splitlines()

    def _finished(self) -> Iterator[Segment]:
        """Segments from the first on, until one is missing or not whole; what comes after it is removed."""
        number = 0
        while (segment := Segment.read(self.segment_path(number))) is not None:
            yield segment
            number += 1
        for path in sorted(self.folder.glob("*.segment*")):
            if path.name >= self.segment_path(number).name:
                path.unlink()


def _locked(target: Path, folder: Path) -> IO[bytes]:
    """The lock of the folder, which is made if need be. Raises `OutputError` where another run has it."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        except FileNotFoundError:
            continue  # another run removed the folder in this moment
        if not atomic.lock(lock, wait=False):
            lock.close()
            raise OutputError(f"{target} is being made by another run")
        if os.fstat(lock.fileno()).st_nlink:
            return lock
        lock.close()


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
