"""Writing: frames become a file that is complete or absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from faceveil.errors import OutputError
from faceveil.media import lossless
from faceveil.media.atomic import publish
from faceveil.media.codecs import Encoder
from faceveil.media.info import Info
from faceveil.types import Frame

if TYPE_CHECKING:
    from faceveil.media.source import Source
    from faceveil.policy import JpegMode
    from faceveil.types import Mask

Inspect = Callable[[bytes], None]


class Sink:
    """A file in the making. `append` encodes; leaving the block well publishes, leaving it by an error does not.

    It takes as many frames as `info` describes, in their order: one for a still picture. Frames are held encoded.
    Nothing touches the folder before the block ends, so there is nothing to clean up when it fails.
    notes: one sentence for each thing that was not done as asked for.
    """

    def __init__(
        self,
        path: Path,
        info: Info,
        *,
        overwrite: bool = False,
        inspect: Inspect | None = None,
        source: Source | None = None,
        jpeg: JpegMode = "auto",
    ) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self._frames = info.frames
        self._overwrite = overwrite
        self._inspect = inspect
        self._jpeg = jpeg
        self._name = source.name if source is not None else str(path)
        self._rewrite = lossless.rewriter(source, info, jpeg) if source is not None else None
        self._rewritten: bytes | None = None
        self._encoder = Encoder(info)

    def append(self, frame: Frame, area: Mask | None = None) -> None:
        """Encode the frame. Raises `OutputError` for one more than the picture has.

        area: (H, W), True wherever the frame may differ from the source's; what lies outside can then be kept as it
        is in the file. None: unknown.
        """
        if not self._encoder.missing or self._rewritten is not None:
            many = "one frame" if self._frames == 1 else f"{self._frames} frames"
            raise OutputError(f"{self.path} can hold {many} only")
        self._rewritten = self._without_loss(frame, area)
        if self._rewritten is None:
            self._encoder.append(frame)

    def _without_loss(self, frame: Frame, area: Mask | None) -> bytes | None:
        """The source with the area rewritten; None where the picture is to be encoded as a whole."""
        if self._rewrite is None or area is None:
            return None
        try:
            return self._rewrite(frame, area)
        except lossless.NotLossless as reason:
            if self._jpeg == "lossless":
                raise lossless.refusal(self._name, reason) from reason
            self.notes += (lossless.note(reason),)
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        data = self._rewritten if self._rewritten is not None else self._encoded()
        if self._inspect is not None:
            self._inspect(data)
        publish(self.path, data, overwrite=self._overwrite)

    def _encoded(self) -> bytes:
        missing = self._encoder.missing
        if missing:
            got = "no frame" if missing == self._frames else f"{self._frames - missing} of {self._frames} frames"
            raise OutputError(f"{self.path} got {got}, so nothing was written")
        return self._encoder.finish()


def create(
    path: str | os.PathLike[str],
    info: Info,
    *,
    overwrite: bool = False,
    inspect: Inspect | None = None,
    source: Source | None = None,
    jpeg: JpegMode = "auto",
) -> Sink:
    """A sink that writes `path` in the format of `info`, whatever the suffix says (see `output_suffix`).

    With `overwrite` false an existing file is kept and `OutputError` is raised, also when it appears meanwhile.
    inspect: sees the whole file before it is published; what it raises keeps the file from being published.
    source: what the frames come from; a JPEG can then be rewritten in part, as `jpeg` says (`Policy.jpeg`). Where that
    is demanded, `MissingExtra` is raised if it is not possible here, and `UnsupportedError` if this file forbids it.
    """
    return Sink(Path(path), info, overwrite=overwrite, inspect=inspect, source=source, jpeg=jpeg)
