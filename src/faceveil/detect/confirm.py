"""confirm: a second opinion on what a detector is not sure of."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from faceveil.detect import regions
from faceveil.detect.base import Detector
from faceveil.detect.compose import Composed, Limit, told
from faceveil.types import Frame, Regions


class Confirm(Composed):
    """What the first detector is sure of, and of the rest what one of the others sees too.

    The others only look where something is unsure, and add nothing of their own.
    """

    name: ClassVar[str] = "confirm"
    positional: ClassVar[str] = "detectors"

    detectors: tuple[Detector, ...] = Field(min_length=2)
    """The detector that finds, and those that confirm."""
    sure: float = Field(0.5, ge=0, le=1)
    """Score from which a face needs no second opinion."""
    iou: Limit = 0.3
    """Overlap from which two boxes show the same."""

    @property
    def gives_labels(self) -> tuple[str, ...]:
        """What the first detector gives."""
        return self.detectors[0].gives_labels

    def _all_faces(self, give: str) -> bool:
        return bool(getattr(self.detectors[0], give))

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        found = self.detectors[0](frame)
        sure = found.score >= self.sure
        if sure.all():
            return found
        seen = Regions.concatenate([detector(frame) for detector in self.detectors[1:]])
        confirmed = (regions.overlap(found, seen) > self.iou).any(1)
        return told(self, found[sure | confirmed])
