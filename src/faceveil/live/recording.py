"""A video file of what was shown."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from faceveil.errors import OutputError
from faceveil.live.encode import Coding, Writer, encodable
from faceveil.live.sinks import Sink
from faceveil.live.sources import reason
from faceveil.media import writing
from faceveil.policy import Policy
from faceveil.types import Planes


class Recording(Sink):
    """A file, complete or absent: it has its name when the run has ended, and a killed run leaves none."""

    patience: ClassVar[int] = 50  # 2 s at 25 frames a second: a slow disk should cost no frame

    def __init__(self, path: Path, policy: Policy, *, overwrite: bool) -> None:
        self.name = str(path)
        self._path, self._policy = path, policy
        self._form = "mp4" if path.suffix.lower() == ".mp4" else "matroska"
        self._stack = ExitStack()
        self._file = self._stack.enter_context(writing(path, overwrite=overwrite))
        self._writer: Writer | None = None
        self._coding: Coding | None = None

    def show(self, moment: Planes) -> None:
        """Add a picture."""
        import av  # noqa: PLC0415

        try:
            if self._coding is None or self._writer is None:
                self._coding = Coding.of(moment, self._policy, fast=False)
                self._writer = Writer(self._file, self._form, self._coding)
            self._writer.add(encodable(moment, self._coding), moment.time)
        except (av.error.FFmpegError, OSError) as error:
            raise OutputError(f"cannot write {self._path}: {reason(error)}") from error

    def close(self, *, complete: bool) -> None:
        """Give the file its name, or remove it."""
        import av  # noqa: PLC0415

        if not complete or self._writer is None:
            self._abandon()
            return
        try:
            self._writer.finish()
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            raise OutputError(f"cannot write {self._path}: {reason(error)}") from error
        self._stack.close()

    def _abandon(self) -> None:
        """Let the block that writes the file end badly, so that nothing appears."""
        try:
            with self._stack:
                raise _Abandoned
        except _Abandoned:
            return


class _Abandoned(Exception):
    """The recording is not wanted."""
