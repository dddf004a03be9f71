"""Licence plates by Haar cascades, as OpenCV ships them. Weak; made for Russian plates."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from faceveil.detect import boxes, cascade
from faceveil.detect.base import Detector
from faceveil.detect.convention import Curve, unscaled
from faceveil.types import Frame, Regions

CASCADES = ("russian_plate_number", "license_plate_rus_16stages")
SAME = 0.5  # of the smaller box: the cascades disagree on how much of the margin is plate
CURVE = Curve(1.5, 1)  # not fitted: 20 drawn plates have sums of 2.3 to 4.7, 14 false ones (27 pictures) of .7 to 4.7


class PlateHaar(Detector):
    """Finds light licence plates seen from the front, of the long European shape, by two cascades; misses many.

    Regions are labelled "plate"; their boxes reach a little beyond the plate.
    Source: Viola and Jones, Rapid Object Detection using a Boosted Cascade of Simple Features, 2001; the cascades
    russian_plate_number and license_plate_rus_16stages, as shipped by OpenCV 4.
    """

    name: ClassVar[str] = "plate-haar"
    licence: ClassVar[str] = (
        "Apache-2.0: free for any use, commercial too; cascades of contributors to OpenCV, trained on pictures "
        "of Russian plates that they did not publish."
    )
    labels: ClassVar[tuple[str, ...]] = ("plate",)

    scale_factor: float = Field(1.05, ge=1.01, le=2)
    """Step between two sizes of the window; nearer to 1 finds more and takes longer."""
    min_neighbors: int = Field(3, ge=0, le=100)
    """How many windows must agree; fewer find more, right and wrong."""
    min_size: int = Field(60, ge=60, le=4096)
    """Width in pixels of the smallest plate that is looked for; the cascades know none below 60."""
    size: int = Field(2048, ge=64, le=4096)
    """Longest side in pixels that a larger picture is reduced to; bounds time and memory."""

    def __call__(self, frame: Frame) -> Regions:
        """Plates of one frame, best score first."""
        picture, scale = cascade.grey(frame, self.size)
        smallest = self.min_size * float(scale.min())
        looks = [
            cascade.look(
                cascade.read(name), picture, step=self.scale_factor, neighbours=self.min_neighbors, smallest=smallest
            )
            for name in CASCADES
        ]
        xyxy = np.concatenate([found for found, _ in looks])
        score = CURVE.score(np.concatenate([sums for _, sums in looks]))
        kept = boxes.best(xyxy, score, SAME, "smaller")
        return Regions(unscaled(xyxy[kept], scale), score[kept], label=np.full(len(kept), "plate"))
