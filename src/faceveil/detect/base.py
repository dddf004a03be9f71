"""What every detector is: settings as fields, a frame in, regions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from pydantic import PrivateAttr

from faceveil.detect.runtime import Runtime
from faceveil.detect.scores import Calibration, calibrations
from faceveil.plugins import Plugin
from faceveil.types import FACE, Frame, Regions


class Detector(Plugin, ABC):
    """Finds faces: `detector(frame)` gives `Regions` in the frame's pixels, best score first.

    Subclasses are one file each. They leave the frame untouched, accept every size from 1x1 up and both pixel types,
    and return boxes in the convention of `faceveil.types` (hairline to chin), whatever their network's own is.
    """

    licence: ClassVar[str] = ""
    """SPDX name of the weights' licence and one plain sentence on it; empty for compositions."""
    weights: ClassVar[tuple[str, ...]] = ()
    """The model files it may load: those of this package as `models/manifest.json` names them, others by their names in
    the catalogue."""
    landmarks: ClassVar[bool] = False
    """Whether its faces carry five landmarks; for compositions see `gives_landmarks`."""

    outline: ClassVar[bool] = False
    """Whether its faces carry an outline; for compositions see `gives_outline`."""
    labels: ClassVar[tuple[str, ...]] = (FACE,)
    """What its regions may be; for compositions see `gives_labels`."""

    _runtime: Runtime = PrivateAttr(default_factory=Runtime)

    @property
    def gives_landmarks(self) -> bool:
        """Whether the faces of this very detector carry five landmarks; compositions ask their parts."""
        return self.landmarks

    @property
    def gives_outline(self) -> bool:
        """Whether the faces of this very detector carry an outline; compositions ask their parts."""
        return self.outline

    @property
    def gives_labels(self) -> tuple[str, ...]:
        """What the regions of this very detector may be; compositions ask their parts."""
        return self.labels

    @property
    def calibration(self) -> Calibration | None:
        """What its scores mean, where that was measured; compositions ask their parts."""
        return calibrations().get(self.name)

    def on(self, runtime: Runtime) -> Self:
        """This detector bound to an execution provider and a number of threads."""
        bound = self.model_copy()
        bound._runtime = runtime
        return bound

    @abstractmethod
    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame."""
