"""Where covers lie: from face boxes to shapes, regularised so that their geometry says little about the face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from faceveil.planes import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faceveil.planes import Cells, Spans, Window
    from faceveil.policy import Cover
    from faceveil.types import Floats

    Doubles = NDArray[np.float64]

FACE_ASPECT = 0.8  # width / height: median of 2,030 CenterFace boxes >= 20 px on WIDER and mask pictures (.65-.93)
SIZE_STEP = 2 ** (1 / 5)  # 33 sizes from 10 to 1000 px; 7 % of growth in the mean
CENTRE_STEP = 1 / 24  # of the cover's size, 7 % of the face's: coarser than detectors agree; 4-6 % of growth
# In a video steps of 1/24 are seen as jumps: on 1,395 faces (720p, five people who sit, boxes smoothed over 9 frames)
# one change of frame in twenty moved the painted pixels by 8 grey levels (rms) or more, with 1/96 by 4. A cover's
# centre and size name as few people as in stills: 3.9 % [2.3, 5.9] of 79, after 4.2 % [2.3, 6.5] (chance 1.3 %).
TRACKED_STEP = 1 / 96
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

    def in_cells(self, cells: Cells) -> Covers:
        """The same covers where the pixels are the cells of a picture."""
        corner = [cells.across_of(0), cells.down_of(0)]
        scale = np.array([cells.of.across, cells.of.down], np.float64)
        boxes = (self.boxes / np.tile(scale, 2) + np.tile(corner, 2)).astype(np.float32)
        return Covers(self.centre / scale + corner, self.half / scale, self.exponent, boxes)

    def norm(self, i: int, window: Window, grid: Grid | None = None) -> Floats:
        """How far each pixel of a window lies from the centre of cover i, (h, w): below 1 it is covered.

        A pixel counts by the point of its cell that is nearest to the centre: a cell is covered, as a whole, if any
        part of it lies in the shape. Without a grid every pixel is a cell.
        """
        x1, y1, x2, y2 = window
        grid = grid or Grid(x2, y2)
        (cx, cy), (rx, ry) = self.centre[i].tolist(), self.half[i].tolist()
        # Both axes at once: of a small cover it is the calls that cost time.
        u = _outward(np.concatenate([_axis(*grid.columns(x1, x2), cx, rx), _axis(*grid.rows(y1, y2), cy, ry)]))
        across = x2 - x1
        if math.isinf(self.exponent):
            return np.asarray(np.maximum(u[None, :across], u[across:, None]), np.float32)
        u = np.square(u)
        if self.exponent == EXPONENT["ellipse"]:
            return np.asarray(np.sqrt(u[None, :across] + u[across:, None]), np.float32)
        u = np.square(u)
        return np.asarray(np.sqrt(np.sqrt(u[None, :across] + u[across:, None])), np.float32)


def _axis(start: Spans, stop: Spans, centre: float, half: float) -> Doubles:
    """Signed distance of the spans [start, stop) from a centre in units of half a size: below 0 it lies in the span."""
    return np.asarray(np.maximum(start - centre, centre - stop) / half, np.float64)


def _outward(distance: Doubles) -> Floats:
    """Distances as the shape's formula takes them: 0 where the centre lies in the span."""
    u: Doubles = np.maximum(distance, 0.0)
    u = np.where(u >= 1, np.maximum(u, 1 + 2 * FUZZ), u)  # a span that only touches the shape is not covered
    return np.asarray(np.minimum(u, 1e4) * (1 - FUZZ), np.float32)


def place(boxes: Floats, cover: Cover, tracked: bool = False) -> Covers:
    """The covers of face boxes, float32 (n, 4) xyxy as CenterFace draws them.

    Boxes may lie outside of the picture, be larger than it or have no area. With `cover.regular` the aspect is fixed,
    sizes go up to the next of geometric steps and centres to a grid relative to the size, grown so that the snapped
    cover contains the plain one whatever its shape. Steps and grid start at the picture's corner and depend on
    nothing else.

    tracked: of the faces of a video. The grid of their centres is finer, so that covers do not jump; they are as large.
    """
    xyxy = np.clip(boxes.astype(np.float64), -FARTHEST, FARTHEST)
    size = np.maximum(xyxy[:, 2:] - xyxy[:, :2], SMALLEST_FACE)
    centre = (xyxy[:, 2:] + xyxy[:, :2]) / 2
    centre[:, 1] -= cover.up * size[:, 1]
    half = size * [cover.width / 2, cover.height / 2]
    exponent = EXPONENT[cover.shape]
    if cover.regular:
        step = TRACKED_STEP if tracked else CENTRE_STEP
        centre, half = _regular(centre, half, FACE_ASPECT * cover.width / cover.height, exponent, step)
    face = 2 * half / [cover.width, cover.height]
    middle = centre + np.stack([np.zeros(len(face)), cover.up * face[:, 1]], axis=1)
    derived = np.concatenate([middle - face / 2, middle + face / 2], axis=1).astype(np.float32)
    return Covers(centre, half, exponent, derived)


def _regular(centre: Doubles, half: Doubles, aspect: float, exponent: float, step: float) -> tuple[Doubles, Doubles]:
    """Centres and half sizes snapped to few values: centres to steps of a part of the size, CENTRE_STEP at most.

    For the p-norm of a shape with half sizes A: |x - C'| / A' <= |x - c| / A' + |c - C'| / A', so the plain shape
    lies in the snapped one if a / A' + |c - C'| / A' <= 1, and the grid bounds the second term.
    """
    moved = CENTRE_STEP * 2 ** (0.0 if math.isinf(exponent) else 1 / exponent)  # grid 2 A' CENTRE_STEP, half of it
    height = np.maximum(half[:, 1], half[:, 0] / aspect) / (1 - moved)
    height = SIZE_STEP ** np.ceil(np.log(height) / math.log(SIZE_STEP) - 1e-9)
    snapped = np.stack([height * aspect, height], axis=1)
    grid = 2 * snapped * step
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


def clip(rect: Sequence[float] | Doubles, width: int, height: int) -> Window:
    """The pixels that a rectangle, xyxy, touches, rounded outward, inside a picture. Empty where it lies outside."""
    x1, y1, x2, y2 = rect
    left, right = min(max(x1, 0.0), width), min(max(x2, 0.0), width)
    top, bottom = min(max(y1, 0.0), height), min(max(y2, 0.0), height)
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
