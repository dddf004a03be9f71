"""Writing: frames become a file that is complete or absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from faceveil.errors import OutputError
from faceveil.media.atomic import publish
from faceveil.media.codecs import encode
from faceveil.media.info import Info
from faceveil.types import Frame

Inspect = Callable[[bytes], None]


class Sink:
    """A file in the making. `append` encodes; leaving the block well publishes, leaving it by an error does not.

    Nothing touches the folder before the block ends, so there is nothing to clean up when it fails.
    """

    def __init__(self, path: Path, info: Info, *, overwrite: bool = False, inspect: Inspect | None = None) -> None:
        self.path = path
        self._info = info
        self._overwrite = overwrite
        self._inspect = inspect
        self._data: bytes | None = None

    def append(self, frame: Frame) -> None:
        """Encode the frame. Raises `OutputError` for a second one: these formats hold one picture here."""
        if self._data is not None:
            raise OutputError(f"{self.path} can hold one frame only")
        self._data = encode(frame, self._info)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        data, self._data = self._data, None
        if kind is not None:
            return
        if data is None:
            raise OutputError(f"{self.path} got no frame, so nothing was written")
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
