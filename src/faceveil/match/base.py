"""What every recogniser is: settings as fields, chips of faces in, embeddings out."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import PrivateAttr

from faceveil.detect.runtime import Runtime
from faceveil.plugins import Plugin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.match.align import Alignment
    from faceveil.types import Floats

Metric = Literal["cosine", "euclidean"]


class Recogniser(Plugin, ABC):
    """Tells faces apart: `recogniser(chips)` gives one embedding for each chip; near ones are of one person.

    Subclasses are one file each. They leave the chips untouched, take any number of them, none too, and give the same
    embedding for the same chip whatever stands beside it. What they give is biometric data.
    """

    licence: ClassVar[str] = ""
    """SPDX name of the weights' licence and one plain sentence on it."""
    weights: ClassVar[tuple[str, ...]] = ()
    """The models of the catalogue that it may load."""

    _runtime: Runtime = PrivateAttr(default_factory=Runtime)

    @property
    def title(self) -> str:
        """What reports call it."""
        return self.name

    @property
    @abstractmethod
    def alignment(self) -> Alignment:
        """How a face lies in its chips."""

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """How two embeddings are compared: by the cosine of their angle, then all are of length 1, or by distance."""

    @property
    def threshold(self) -> float | None:
        """The distance below which its publisher takes two faces for one person's; None where nobody says."""
        return None

    @property
    def terms(self) -> str:
        """On which terms the weights of this very recogniser may be used."""
        return self.licence

    @property
    @abstractmethod
    def sources(self) -> tuple[str, ...]:
        """All that its embeddings depend on beside its settings, as text: sums of weights, versions of libraries."""

    @property
    def identity(self) -> str:
        """SHA-256 of all that its embeddings depend on: two recognisers of one identity give the same ones."""
        said = "\n".join((self.spec, self._runtime.provider, *self.sources))
        return hashlib.sha256(said.encode()).hexdigest()

    def on(self, runtime: Runtime) -> Self:
        """This recogniser bound to an execution provider and a number of threads."""
        bound = self.model_copy()
        bound._runtime = runtime
        return bound

    def __call__(self, chips: NDArray[np.uint8]) -> Floats:
        """Embeddings (n, d) of chips (n, side, side, 3), RGB. Raises `ValueError` for chips of another shape."""
        side = self.alignment.side
        if chips.dtype != np.uint8 or chips.ndim != 4 or chips.shape[1:] != (side, side, 3):
            raise ValueError(f"chips must be uint8 (n, {side}, {side}, 3), got {chips.dtype} {chips.shape}")
        found: Floats = np.asarray(self._embed(np.ascontiguousarray(chips)), np.float32)
        if not np.isfinite(found).all():
            raise ValueError(f"recogniser '{self.spec}' gives numbers that are not finite")
        return found

    @abstractmethod
    def _embed(self, chips: NDArray[np.uint8]) -> Floats:
        """Embeddings (n, d) of chips (n, side, side, 3), row after row in memory; n may be 0."""


def summed(path: Path) -> str:
    """SHA-256 of a file, computed once for each state of it."""
    return _summed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _summed(path: Path, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
