"""Where covers lie: from face boxes to shapes, regularised so that their geometry says little about the face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.policy import Cover
    from faceveil.types import Floats

    Doubles = NDArray[np.float64]

Window = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels of the picture, half-open, inside the picture."""

FACE_ASPECT = 0.8  # width / height: median of 2,030 CenterFace boxes >= 20 px on WIDER and mask pictures (.65-.93)
SIZE_STEP = 2 ** (1 / 5)  # 33 sizes from 10 to 1000 px; 7 % of growth in the mean
CENTRE_STEP = 1 / 24  # of the cover's size, 7 % of the face's: coarser than detectors agree; 4-6 % of growth
SMALLEST_FACE = 3.0  # px; boxes without area get the cover of a face of this size
FARTHEST = 1e9  # px; boxes that reach beyond are cut there, so that sizes stay finite in float32
EXPONENT = {"ellipse": 2.0, "rounded": 4.0, "box": math.inf}
FUZZ = 2e-6  # float32 rounding must never leave out a pixel that the shape touches


@dataclass(frozen=True, slots=True, eq=False)
class Covers:
    """The covers of n faces in picture coordinates, before rounding and clipping.

    centre, half: float64 (n, 2), x and y of the centre, half the width and height.
    exponent: p of the superellipse |x|^p + |y|^p = 1: 2 is an ellipse, 4 rounded, infinity the box.
    boxes: float32 (n, 4), the face boxes that these covers tell about: what methods may know that must not know the
        detector's boxes.
    """

    centre: Doubles
    half: Doubles
    exponent: float
    boxes: Floats

    def __len__(self) -> int:
        return len(self.centre)

    def rects(self, grown: float = 0.0) -> Doubles:
        """Rectangles around the covers, (n, 4) xyxy, grown by a part of their half size."""
        half = self.half * (1 + grown)
        return np.concatenate([self.centre - half, self.centre + half], axis=1)

    def norm(self, i: int, window: Window) -> Floats:
        """How far each pixel of a window lies from the centre of cover i, (h, w): below 1 it is covered.

        A pixel counts by its point nearest to the centre: it is covered if any part of it lies in the shape.
        """
        x1, y1, x2, y2 = window
        ux = _axis(x1, x2, self.centre[i, 0], self.half[i, 0])
        uy = _axis(y1, y2, self.centre[i, 1], self.half[i, 1])
        if math.isinf(self.exponent):
            return np.maximum(ux[None, :], uy[:, None])
        ux, uy = np.square(ux), np.square(uy)
        if self.exponent == EXPONENT["ellipse"]:
            return np.asarray(np.sqrt(ux[None, :] + uy[:, None]), np.float32)
        return np.asarray(np.sqrt(np.sqrt(np.square(ux)[None, :] + np.square(uy)[:, None])), np.float32)


def _axis(first: int, last: int, centre: float, half: float) -> Floats:
    """Distance of each pixel [i, i + 1) to a centre in units of half a size; its nearest edge counts."""
    edge = np.arange(first, last + 1, dtype=np.float64)
    u = np.maximum(np.maximum(edge[:-1] - centre, centre - edge[1:]), 0.0) / half
    u = np.where(u >= 1, np.maximum(u, 1 + 2 * FUZZ), u)  # a pixel that only touches the shape is not covered
    return (np.minimum(u, 1e4) * (1 - FUZZ)).astype(np.float32)


def place(boxes: Floats, cover: Cover) -> Covers:
    """The covers of face boxes, float32 (n, 4) xyxy as CenterFace draws them.

    Boxes may lie outside of the picture, be larger than it or have no area. With `cover.regular` the aspect is fixed,
    sizes go up to the next of geometric steps and centres to a grid relative to the size, grown so that the snapped
    cover contains the plain one whatever its shape. Steps and grid start at the picture's corner and depend on
    nothing else.
    """
    xyxy = np.clip(boxes.astype(np.float64), -FARTHEST, FARTHEST)
    size = np.maximum(xyxy[:, 2:] - xyxy[:, :2], SMALLEST_FACE)
    centre = (xyxy[:, 2:] + xyxy[:, :2]) / 2
    centre[:, 1] -= cover.up * size[:, 1]
    half = size * [cover.width / 2, cover.height / 2]
    exponent = EXPONENT[cover.shape]
    if cover.regular:
        centre, half = _regular(centre, half, FACE_ASPECT * cover.width / cover.height, exponent)
    face = 2 * half / [cover.width, cover.height]
    middle = centre + np.stack([np.zeros(len(face)), cover.up * face[:, 1]], axis=1)
    derived = np.concatenate([middle - face / 2, middle + face / 2], axis=1).astype(np.float32)
    return Covers(centre, half, exponent, derived)


def _regular(centre: Doubles, half: Doubles, aspect: float, exponent: float) -> tuple[Doubles, Doubles]:
    """Centres and half sizes snapped to few values.

    For the p-norm of a shape with half sizes A: |x - C'| / A' <= |x - c| / A' + |c - C'| / A', so the plain shape
    lies in the snapped one if a / A' + |c - C'| / A' <= 1, and the grid bounds the second term.
    """
    moved = CENTRE_STEP * 2 ** (0.0 if math.isinf(exponent) else 1 / exponent)  # grid 2 A' CENTRE_STEP, half of it
    height = np.maximum(half[:, 1], half[:, 0] / aspect) / (1 - moved)
    height = SIZE_STEP ** np.ceil(np.log(height) / math.log(SIZE_STEP) - 1e-9)
    snapped = np.stack([height * aspect, height], axis=1)
    grid = 2 * snapped * CENTRE_STEP
    return np.rint(centre / grid) * grid, snapped


def overlapping(rects: Doubles, rect: Doubles) -> NDArray[np.intp]:
    """Indices of the rectangles, (n, 4), that share area with a rectangle (4,)."""
    near = (rects[:, 0] < rect[2]) & (rects[:, 2] > rect[0]) & (rects[:, 1] < rect[3]) & (rects[:, 3] > rect[1])
    return np.flatnonzero(near)


def clusters(rects: Doubles) -> list[NDArray[np.intp]]:
    """Groups of rectangles, (n, 4), that touch directly or through others; each in ascending order."""
    unseen = np.ones(len(rects), bool)
    groups = []
    for first in range(len(rects)):
        if not unseen[first]:
            continue
        unseen[first] = False
        members, queue = [first], [first]
        while queue:
            near = overlapping(rects, rects[queue.pop()])
            new = near[unseen[near]]
            unseen[new] = False
            members.extend(new.tolist())
            queue.extend(new.tolist())
        groups.append(np.array(sorted(members), np.intp))
    return groups


def clip(rect: Doubles, width: int, height: int) -> Window:
    """The pixels that a rectangle (4,) touches, rounded outward, inside a picture. Empty where it lies outside."""
    x1, y1, x2, y2 = rect.tolist()
    left, right = min(max(x1, 0.0), width), min(max(x2, 0.0), width)
    top, bottom = min(max(y1, 0.0), height), min(max(y2, 0.0), height)
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
