"""mask: a bar over the eyes, the mouth or the nose."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cv2
import numpy as np

from faceveil.deidentify.base import Deidentifier, Faces, Patch, Privacy

if TYPE_CHECKING:
    from faceveil.types import Floats, Pixels
    from faceveil.types import Mask as Plane

SMALLEST_SPAN = 0.35  # of the face's width: in profile the eyes nearly coincide, and the bar must not vanish
FIXED_POINT = 4  # bits after the point in OpenCV's polygon corners


class Mask(Deidentifier):
    """A black bar from the landmarks, as newspapers once used it. It hides next to nothing.

    A face without landmarks, or with landmarks that lie outside of it, gets its whole cover filled.
    """

    name: ClassVar[str] = "mask"
    privacy: ClassVar[Privacy] = "cosmetic"
    evidence: ClassVar[str] = "97 % [96, 98] of 79 people are recognised behind an eye bar"
    needs_landmarks: ClassVar[bool] = True

    over: Literal["eyes", "mouth", "nose"] = "eyes"
    """What the bar lies over."""

    def area(self, cover: Plane, faces: Faces) -> Plane:
        """The bar, or the whole cover where the landmarks do not say where it belongs."""
        corners = self._bar(faces)
        if corners is None:
            return cover
        plane = np.zeros(cover.shape, np.uint8)
        # OpenCV fills every pixel that the outline crosses.
        cv2.fillConvexPoly(plane, np.rint((corners - 0.5) * 2**FIXED_POINT).astype(np.int32), 1, shift=FIXED_POINT)
        return plane.astype(bool)

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch in black; `area` is the bar."""
        return np.zeros_like(patch.pixels)

    def _bar(self, faces: Faces) -> Floats | None:
        """Corners of the bar, (4, 2) in the patch's pixels."""
        if faces.landmarks is None:
            return None
        box, marks = faces.boxes[0], faces.landmarks[0]
        width = float(box[2] - box[0])
        slack = 0.1 * (box[2:] - box[:2])
        if width <= 0 or (marks < box[:2] - slack).any() or (marks > box[2:] + slack).any():
            return None
        left, right, nose, mouth_left, mouth_right = marks
        eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
        along = right - left
        if np.linalg.norm(along) < 0.05 * width:  # no direction: upright, across the line from eyes to mouth
            along = np.array([mouth[1] - eyes[1], eyes[0] - mouth[0]], np.float32)
        if np.linalg.norm(along) == 0 or np.linalg.norm(mouth - eyes) < 0.05 * width:
            return None
        span = max(float(np.linalg.norm(right - left)), SMALLEST_SPAN * width)
        across = along / np.linalg.norm(along)
        down = np.array([-across[1], across[0]], np.float32)
        if self.over == "nose":
            middle, reach, thick = (eyes + nose) / 2, 0.45 * span, float(np.linalg.norm(nose - eyes)) / 2 + 0.3 * span
        elif self.over == "mouth":
            wide = max(float(np.linalg.norm(mouth_right - mouth_left)), SMALLEST_SPAN * width)
            middle, reach, thick = mouth, 0.5 * wide + 0.3 * span, 0.4 * span
        else:
            middle, reach, thick = eyes, 0.5 * span + 0.45 * span, 0.32 * span
        x, y = across * reach, down * thick
        return np.stack([middle - x - y, middle + x - y, middle + x + y, middle - x + y]).astype(np.float32)
