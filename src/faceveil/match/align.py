"""Faces cut out of pictures as recognisers want them: turned and scaled so that eyes, nose and mouth lie in one place.

A recogniser sees *chips*: small square pictures, RGB, (side, side, 3) uint8. The *wide* chip shows twice the field, so
hair, clothes and place as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]
    Chip = NDArray[np.uint8]

WIDER = 2  # how much wider the field of a wide chip is
COARSE = 2.0  # what shrinks by more is reduced by area first: bilinear alone would skip pixels

ARCFACE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where eyes, nose and corners of the mouth lie in chips of 112 px: Deng et al., ArcFace, 2019, and most since."""
ARCFACE_SIDE = 112


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a face lies in a recogniser's chips.

    side: of a chip, in pixels. points: where the five landmarks lie in it, in pixels of the chip; None where the box of
    the face decides: it is grown by `margin` of its sides to each side, and stretched over the chip.
    """

    side: int
    points: tuple[tuple[float, float], ...] | None = None
    margin: float = 0.0

    def transform(self, box: NDArray[Any], landmarks: NDArray[Any]) -> Doubles:
        """The affine map (2, 3) from a picture to a chip; box (4,) and landmarks (5, 2) in the picture's pixels."""
        if self.points is not None:
            return similarity(np.asarray(landmarks, np.float64), np.array(self.points))
        x1, y1, x2, y2 = np.asarray(box, np.float64)
        grown = 1 + 2 * self.margin
        scale = self.side / (np.maximum([x2 - x1, y2 - y1], 1e-3) * grown)
        middle = np.array([x1 + x2, y1 + y2]) / 2
        return np.hstack([np.diag(scale), (self.side / 2 - scale * middle)[:, None]])

    def cut(self, pixels: Chip, transform: Doubles) -> tuple[Chip, Chip]:
        """The chip and the wide chip of a face; what lies outside of the picture is black."""
        side, margin = self.side, self.side * (WIDER - 1) // 2
        shift = np.array([[0, 0, margin], [0, 0, margin]])
        large = warped(pixels, transform + shift, side + 2 * margin)
        wide = np.asarray(cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(large[margin : margin + side, margin : margin + side]), wide


def arcface(side: int = ARCFACE_SIDE) -> Alignment:
    """The usual alignment, for chips of any side."""
    return Alignment(side, tuple((x * side / ARCFACE_SIDE, y * side / ARCFACE_SIDE) for x, y in ARCFACE))


def similarity(points: Doubles, template: Doubles) -> Doubles:
    """The least-squares rotation, scale and shift (2, 3) from points (n, 2) to a template (n, 2).

    Source: Umeyama, Least-Squares Estimation of Transformation Parameters Between Two Point Patterns, 1991. Points that
    all lie in one place are scaled by 1.
    """
    source, target = points - points.mean(0), template - template.mean(0)
    u, size, vt = np.linalg.svd(target.T @ source)
    signs = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1])
    spread = (source**2).sum()
    turn = (u * signs) @ vt * ((size * signs).sum() / spread if spread > 1e-9 else 1.0)
    return np.hstack([turn, (template.mean(0) - turn @ points.mean(0))[:, None]])


def warped(pixels: Chip, transform: Doubles, side: int) -> Chip:
    """The square of `side` px that a map (2, 3) sends a part of the picture to, bilinear; black outside."""
    left, top, right, bottom = _window(transform, side, pixels.shape)
    if left >= right or top >= bottom:
        return np.zeros((side, side, 3), np.uint8)
    part, moved = pixels[top:bottom, left:right], transform.copy()
    moved[:, 2] += transform[:, :2] @ [left, top]
    shrinks = 1 / max(float(np.linalg.svd(transform[:, :2], compute_uv=False)[0]), 1e-9)
    if shrinks > COARSE and min(part.shape[:2]) >= COARSE:
        size = [max(1, round(length / shrinks)) for length in (right - left, bottom - top)]
        scale = np.array([(right - left) / size[0], (bottom - top) / size[1]])
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        # Centres of pixels: x = scale * (x' + .5) - .5
        moved[:, 2] += moved[:, :2] @ ((scale - 1) / 2)
        moved[:, :2] *= scale
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(part), moved, (side, side)), np.uint8)


def _window(transform: Doubles, side: int, shape: Sequence[int]) -> tuple[int, int, int, int]:
    """The part of a picture that a square of `side` px can show, with two pixels of its surroundings."""
    try:
        back = np.linalg.inv(transform[:, :2])
    except np.linalg.LinAlgError:
        return 0, 0, 0, 0
    corners = (np.array([[0, 0], [side, 0], [side, side], [0, side]]) - transform[:, 2]) @ back.T
    most = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(corners.min(0)) - 2, 0, most).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 2, 0, most).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
