"""mask: a bar, glasses or a mask over a part of the face."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import cv2
import numpy as np

from faceveil.deidentify.base import Deidentifier, Faces, Patch, Privacy

if TYPE_CHECKING:
    from collections.abc import Callable

    from faceveil.types import Floats, Pixels
    from faceveil.types import Mask as Plane

SMALLEST_SPAN = 0.35  # of the face's width: in profile the eyes nearly coincide, and the bar must not vanish
FIXED_POINT = 4  # bits after the point in OpenCV's polygon corners
# Parts of a face from its landmarks, judged by eye on some twenty portraits: `across` in spans, `down` from the eyes to
# the mouth. A surgical mask lies on the bridge of the nose, over the cheeks and under the chin.
LOWER = ((-0.3, 0.3), (0.3, 0.3), (0.95, 0.5), (0.95, 1.1), (0.5, 1.75), (-0.5, 1.75), (-0.95, 1.1), (-0.95, 0.5))
LENS = (0.46, 0.38)  # half its width and height, in spans: glasses reach from the brows to the cheekbones
ROUND = 0.6  # between a rectangle (0) and an ellipse (1)
BRIDGE = 0.07  # half the height of what joins them


class _Axes(NamedTuple):
    """A face upright in itself: the middle of its eyes, one span to its side, and the way down to its mouth, (2,) each.

    A span is the distance of the eyes, or as much as a face in profile should have. nose, mouth: landmarks; wide: the
    width of the mouth in pixels.
    """

    eyes: Floats
    across: Floats
    mouth: Floats
    nose: Floats
    wide: float

    @property
    def down(self) -> Floats:
        """One span downwards, at right angles to `across`."""
        return np.array([-self.across[1], self.across[0]], np.float32)

    def bar(self, middle: Floats, reach: float, thick: float) -> Floats:
        """A bar around a point, half as long and thick as given in spans: corners (4, 2)."""
        x, y = self.across * reach, self.down * thick
        return np.stack([middle - x - y, middle + x - y, middle + x + y, middle - x + y]).astype(np.float32)


def _eyes(face: _Axes) -> list[Floats]:
    return [face.bar(face.eyes, 0.95, 0.32)]


def _nose(face: _Axes) -> list[Floats]:
    half = float(np.linalg.norm(face.nose - face.eyes) / np.linalg.norm(face.across)) / 2
    middle = np.asarray((face.eyes + face.nose) / 2, np.float32)
    return [face.bar(middle, 0.45, half + 0.3)]


def _mouth(face: _Axes) -> list[Floats]:
    half = face.wide / float(np.linalg.norm(face.across)) / 2
    return [face.bar(face.mouth, half + 0.3, 0.4)]


def _lower(face: _Axes) -> list[Floats]:
    """As masks are worn: it turns with the eyes and leans with the line from the eyes to the mouth."""
    return [np.stack([face.eyes + x * face.across + y * (face.mouth - face.eyes) for x, y in LOWER])]


def _glasses(face: _Axes) -> list[Floats]:
    """Two lenses and their bridge."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False, dtype=np.float32)
    x, y = (np.sign(part) * np.abs(part) ** ROUND for part in (np.cos(angle)[:, None], np.sin(angle)[:, None]))
    lens = LENS[0] * x * face.across + LENS[1] * y * face.down
    lenses = [np.asarray(face.eyes + side * face.across / 2 + lens, np.float32) for side in (-1, 1)]
    return [*lenses, face.bar(face.eyes, 0.5, BRIDGE)]


Over = Literal["eyes", "glasses", "nose", "mouth", "lower"]
_PARTS: dict[Over, Callable[[_Axes], list[Floats]]] = {
    "eyes": _eyes,
    "glasses": _glasses,
    "nose": _nose,
    "mouth": _mouth,
    "lower": _lower,
}


class Mask(Deidentifier):
    """A black bar from the landmarks, as newspapers once used it, or glasses or a mask. It hides next to nothing.

    A face without landmarks, or with landmarks that lie outside of it, gets its whole cover filled, and so does
    everything that is no face.
    """

    name: ClassVar[str] = "mask"
    privacy: ClassVar[Privacy] = "cosmetic"
    evidence: ClassVar[str] = "97 % [95, 98] of 79 people are recognised behind an eye bar"
    needs_landmarks: ClassVar[bool] = True

    over: Over = "eyes"
    """What it lies over: eyes, nose or mouth, each a bar; glasses; lower, nose to chin as masks are worn."""

    def area(self, cover: Plane, faces: Faces) -> Plane:
        """The part, or the whole cover where the landmarks do not say where it belongs."""
        face = _axes(faces)
        if face is None:
            return cover
        plane = np.zeros(cover.shape, np.uint8)
        for corners in _PARTS[self.over](face):
            # OpenCV fills every pixel that the outline crosses.
            cv2.fillConvexPoly(plane, np.rint((corners - 0.5) * 2**FIXED_POINT).astype(np.int32), 1, shift=FIXED_POINT)
        return plane.astype(bool)

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch in black; `area` is the part."""
        return np.zeros_like(patch.pixels)


def _axes(faces: Faces) -> _Axes | None:
    """Where the parts of a face lie; None where its landmarks do not say."""
    if faces.landmarks is None or not np.isfinite(faces.landmarks[0]).all():
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
    wide = max(float(np.linalg.norm(mouth_right - mouth_left)), SMALLEST_SPAN * width)
    return _Axes(eyes, along / np.linalg.norm(along) * span, mouth, nose, wide)
