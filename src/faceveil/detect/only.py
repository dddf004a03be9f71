"""only: some of what another detector finds."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from faceveil.detect.base import Detector
from faceveil.detect.compose import Composed, told
from faceveil.types import FACE, Frame, Regions


class Only(Composed):
    """What a detector finds of some labels, and nothing else."""

    name: ClassVar[str] = "only"
    positional: ClassVar[str] = "detector"

    detector: Detector
    """A detector of several labels."""
    label: tuple[str, ...] = Field((FACE,), min_length=1)
    """The labels that are passed on."""

    @property
    def gives_labels(self) -> tuple[str, ...]:
        """The labels of the detector that are passed on."""
        return tuple(label for label in self.detector.gives_labels if label in self.label)

    def __call__(self, frame: Frame) -> Regions:
        """Regions of one frame, best score first."""
        found = self.detector(frame)
        return told(self, found[np.isin(found.labels, self.label)])
