"""Any network that a manifest describes: faces, plates, people, screens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, PrivateAttr

from faceveil.detect.manifest import Manifest, read
from faceveil.detect.network import NetworkDetector, Order
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame

TRIAL = 256  # px: a picture that every network must be able to look at


class Onnx(NetworkDetector):
    """Finds what a network of the user's own finds, described by a manifest (docs/detectors.md)."""

    name: ClassVar[str] = "onnx"
    licence: ClassVar[str] = "as its manifest says: whoever brings a network answers for its terms."

    manifest: Path
    """The YAML file that describes the network."""
    size: int | None = Field(None, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to; the manifest's where unset."""
    score_threshold: float | None = Field(None, ge=0.01, le=1)
    """What is below this score is dropped; the manifest's where unset."""

    _described: Manifest = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Read the manifest. Raises `RequestError`."""
        super().model_post_init(context)
        self._described = read(self.manifest)

    @property
    def files(self) -> tuple[Path, ...]:
        """The manifest and the network that it names."""
        return (*super().files, self._described.file)

    @property
    def order(self) -> Order:
        """What to run, and on what."""
        said = self._described
        size = said.size if self.size is None else self.size
        threshold = said.score_threshold if self.score_threshold is None else self.score_threshold
        return Order(said.file, said, threshold, said.enlarge, size)

    def on(self, runtime: Runtime) -> Self:
        """This detector bound to an execution provider and a number of threads.

        Raises `RequestError` if the network does not fit its manifest: that shows before anything is started.
        """
        bound = super().on(runtime)
        bound(Frame(np.zeros((TRIAL, TRIAL, 3), np.uint8)))
        return bound
