"""Writing: frames become a file that is complete or absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from faceveil.errors import OutputError
from faceveil.media.atomic import publish
from faceveil.media.codecs import Encoder
from faceveil.media.info import Info
from faceveil.types import Frame

Inspect = Callable[[bytes], None]


class Sink:
    """A file in the making. `append` encodes; leaving the block well publishes, leaving it by an error does not.

    It takes as many frames as `info` describes, in their order: one for a still picture. Frames are held encoded.
    Nothing touches the folder before the block ends, so there is nothing to clean up when it fails.
    """

    def __init__(self, path: Path, info: Info, *, overwrite: bool = False, inspect: Inspect | None = None) -> None:
        self.path = path
        self._frames = info.frames
        self._overwrite = overwrite
        self._inspect = inspect
        self._encoder = Encoder(info)

    def append(self, frame: Frame) -> None:
        """Encode the frame. Raises `OutputError` for one more than the picture has."""
        if not self._encoder.missing:
            many = "one frame" if self._frames == 1 else f"{self._frames} frames"
            raise OutputError(f"{self.path} can hold {many} only")
        self._encoder.append(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        missing = self._encoder.missing
        if missing:
            got = "no frame" if missing == self._frames else f"{self._frames - missing} of {self._frames} frames"
            raise OutputError(f"{self.path} got {got}, so nothing was written")
        data = self._encoder.finish()
        if self._inspect is not None:
            self._inspect(data)
        publish(self.path, data, overwrite=self._overwrite)


def create(
    path: str | os.PathLike[str], info: Info, *, overwrite: bool = False, inspect: Inspect | None = None
) -> Sink:
    """A sink that writes `path` in the format of `info`, whatever the suffix says (see `output_suffix`).

    inspect: sees the whole file before it is published; what it raises keeps the file from being published.

    With `overwrite` false an existing file is kept and `OutputError` is raised, also when it appears meanwhile.
    """
    return Sink(Path(path), info, overwrite=overwrite, inspect=inspect)
