"""rotate: faces that do not stand upright."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import regions
from faceveil.detect.base import Detector
from faceveil.detect.compose import SAME_FACE, Composed, Limit
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from faceveil.types import Floats, Pixels

Angle = Annotated[int, Field(gt=-360, lt=360)]


class Rotate(Composed):
    """The picture turned: faces that lie on their side, hang upside down or lean.

    Quarters are exact. By other angles the picture is turned into a larger one with black corners; a detector's `size`
    grows with it, so that faces are seen as large as before.
    """

    name: ClassVar[str] = "rotate"
    positional: ClassVar[str] = "detector"

    detector: Detector
    """Any detector."""
    angles: tuple[Angle, ...] = Field((0, 90, 180, 270), min_length=1)
    """Degrees counter-clockwise by which the picture is turned."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        by_quarters: dict[int, list[Regions]] = {}
        for angle in self.angles:
            by_quarters.setdefault(round(angle / 90) % 4, []).append(self._look(frame, angle))
        # Looks that lean a little have a mean box. Upside down a box lies elsewhere on its face: the best one stands.
        found = [regions.best(Regions.concatenate(looks), self.iou) for looks in by_quarters.values()]
        return regions.best(Regions.concatenate(found), self.iou, vote=False)

    def _look(self, frame: Frame, angle: int) -> Regions:
        """What the turned picture shows, in the pixels of the upright one."""
        quarters = round(angle / 90)
        pixels = np.rot90(frame.pixels, quarters)
        lean = angle - 90 * quarters
        if lean:
            leaning, back = _leaning(pixels, lean)
            larger = max(leaning.shape[:2]) / max(pixels.shape[:2])
            found = regions.leant_back(_sized(self.detector, larger)(Frame(leaning)), back)
        else:
            found = self.detector(Frame(pixels))
        return regions.turned_back(found, quarters, (frame.width, frame.height))


def _sized(detector: Detector, factor: float) -> Detector:
    """The detector for a picture whose longest side has grown by a factor, but not what it shows."""
    size: int | None = getattr(detector, "size", None)
    return detector if size is None else detector.model_copy(update={"size": round(size * factor)})


def _leaning(pixels: Pixels, angle: float) -> tuple[Pixels, Floats]:
    """The whole picture turned counter-clockwise by less than 90 degrees, and the way back: (2, 3), of points."""
    height, width = pixels.shape[:2]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    size = math.ceil(width * abs(cos) + height * abs(sin)), math.ceil(width * abs(sin) + height * abs(cos))
    back = np.array([[cos, -sin, 0], [sin, cos, 0]])
    back[:, 2] = np.array([width, height]) / 2 - back[:, :2] @ (np.array(size) / 2)
    # OpenCV counts from the centres of pixels, boxes from their corners.
    by_centres = back.copy()
    by_centres[:, 2] += back[:, :2] @ [0.5, 0.5] - 0.5
    turned = cv2.warpAffine(
        np.ascontiguousarray(pixels), by_centres, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return cast("Pixels", turned), back.astype(np.float32)
