"""Where covers lie: from boxes and outlines to shapes, regularised so that their geometry says little about the face.

Faces are covered as an `Area` says. Everything else is covered as its box, grown by a margin that its label has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceveil.deidentify.contour import Contour
from faceveil.planes import Grid
from faceveil.types import FACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faceveil.planes import Cells, Spans, Window
    from faceveil.policy import Area
    from faceveil.types import Floats, Regions

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
EXPONENT = {"ellipse": 2.0, "rounded": 4.0, "box": math.inf, "contour": 4.0}  # of a contour: faces without an outline
ROUND = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24)), np.sin(np.linspace(0, 2 * np.pi, 24))], axis=1)
FUZZ = 2e-6  # float32 rounding must never leave out a pixel that the shape touches

MARGINS = {"plate": (0.1, 0.2), "person": (0.1, 0.05), "screen": (0.05, 0.05), "eyes": (0.0, 0.0)}
"""How far a cover reaches beyond the box of what is no face, to each side, in widths and heights of the box.

plate: 342 rendered plates that OpenCV's cascade found, its boxes fitted to plates, reach out of them to each side by up
to .08 of the width and .16 of the height in .95 of all, by .11 and .24 in .99 (`python -m tools.plate_margin`); regular
covers are larger still. person: argued, not measured; arms and feet swing out of a box. screen: argued; its frame shows
nothing. eyes: none, since detectors of eyes draw the brows and the bridge of the nose too."""
MARGIN = (0.1, 0.1)  # of other words, which a detector of the user's own has: argued, not measured


@dataclass(frozen=True, slots=True, eq=False)
class Covers:
    """The covers of n faces in picture coordinates, before rounding and clipping.

    centre, half: float64 (n, 2), x and y of the centre, half the width and height.
    exponent: float64 (n,), p of the superellipse |x|^p + |y|^p = 1: 2 is an ellipse, 4 rounded, infinity the box.
    boxes: float32 (n, 4), the face boxes that these covers tell about: what methods may know that must not know the
        detector's boxes.
    contours: the polygons of those covers, by index, that are no superellipse.
    """

    centre: Doubles
    half: Doubles
    exponent: Doubles
    boxes: Floats
    contours: dict[int, Contour] = field(default_factory=dict)

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
        contours = {i: contour.scaled(scale) for i, contour in self.contours.items()}
        return Covers(self.centre / scale + corner, self.half / scale, self.exponent, boxes, contours)

    def norm(self, i: int, window: Window, grid: Grid | None = None) -> Floats:
        """How far each pixel of a window lies from the centre of cover i, (h, w): below 1 it is covered.

        A pixel counts by the point of its cell that is nearest to the centre: a cell is covered, as a whole, if any
        part of it lies in the shape. Without a grid every pixel is a cell.
        """
        x1, y1, x2, y2 = window
        grid = grid or Grid(x2, y2)
        (cx, cy), (rx, ry), exponent = self.centre[i].tolist(), self.half[i].tolist(), float(self.exponent[i])
        if i in self.contours:
            columns, rows = (np.subtract(grid.columns(x1, x2), cx), np.subtract(grid.rows(y1, y2), cy))
            return _outward(self.contours[i].norm((columns[0], columns[1]), (rows[0], rows[1])))
        # Both axes at once: of a small cover it is the calls that cost time.
        u = _outward(np.concatenate([_axis(*grid.columns(x1, x2), cx, rx), _axis(*grid.rows(y1, y2), cy, ry)]))
        across = x2 - x1
        if math.isinf(exponent):
            return np.asarray(np.maximum(u[None, :across], u[across:, None]), np.float32)
        u = np.square(u)
        if exponent == EXPONENT["ellipse"]:
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


def covers_of(regions: Regions, area: Area) -> Covers:
    """The covers of faces and of everything else. Those of a video are tracked."""
    tracked = regions.track is not None
    outlined = area.shape == "contour" and regions.outline is not None
    if regions.label is None and not outlined:
        return place(regions.xyxy, area, tracked)
    faces = np.flatnonzero(regions.labels == FACE)
    others = np.flatnonzero(regions.labels != FACE)
    margins = np.array([MARGINS.get(label, MARGIN) for label in regions.labels[others].tolist()], np.float64)
    part = _place_boxes(regions.xyxy[others], margins.reshape(-1, 2), area.regular, tracked)
    order = np.argsort(np.concatenate([faces, others]))
    both = _joined(place(regions.xyxy[faces], area, tracked), part, order)
    if regions.outline is None or not outlined:
        return both
    for i in faces[np.isfinite(regions.outline[faces, 0, 0])].tolist():
        _follow(both, i, regions.outline[i], regions.xyxy[i], area)
    return both


def _joined(one: Covers, other: Covers, order: NDArray[np.intp]) -> Covers:
    """Covers of two kinds in an order, (n,), of the first and then the second."""
    pairs = ((one.centre, other.centre), (one.half, other.half), (one.exponent, other.exponent))
    centre, half, exponent = (np.concatenate(pair)[order] for pair in pairs)
    return Covers(centre, half, exponent, np.concatenate([one.boxes, other.boxes])[order])


def _follow(covers: Covers, i: int, outline: Floats, box: Floats, area: Area) -> None:
    """Make cover i, in place, the convex hull of an outline (k, 2) that an area grows; nothing of it is regular.

    Of an area that shrinks nothing it holds the outline too, and the ellipse of the face's box, (4,): outlines are
    wrong at times, above all of faces from the side, where what they leave out is the nose.
    """
    points, factors = np.clip(outline.astype(np.float64), -FARTHEST, FARTHEST), np.array([area.width, area.height])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, up = (low + high) / 2, np.array([0.0, area.up * max(high[1] - low[1], SMALLEST_FACE)])
    grown = middle - up + (points - middle) * factors
    if (factors >= 1).all():  # what grows by unlike factors about its centre, and moves, need not hold what it was
        near, far = np.clip(box.astype(np.float64), -FARTHEST, FARTHEST).reshape(2, 2)
        grown = np.concatenate([grown, points, (near + far) / 2 + (far - near) / 2 * ROUND])
    low, high = grown.min(axis=0), grown.max(axis=0)
    centre, half = (low + high) / 2, np.maximum(high - low, SMALLEST_FACE * factors) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * factors * SMALLEST_FACE / 2  # so that it has an inside
    covers.centre[i], covers.half[i] = centre, half
    face = half / factors
    middle = centre + np.array([0.0, area.up * 2 * face[1]])
    covers.boxes[i] = np.concatenate([middle - face, middle + face])
    covers.contours[i] = Contour.around(np.concatenate([grown - centre, corners]))


def _place_boxes(boxes: Floats, margins: Doubles, regular: bool, tracked: bool) -> Covers:
    """The covers of boxes, float32 (n, 4), grown to each side by margins, (n, 2) of their sides.

    With `regular` they are snapped as those of faces are, but each side by itself: a plate or a person has no aspect,
    and one that held all of them would cover several times as much.
    """
    xyxy = np.clip(boxes.astype(np.float64), -FARTHEST, FARTHEST)
    grown = 1 + 2 * margins
    half = np.maximum(xyxy[:, 2:] - xyxy[:, :2], SMALLEST_FACE) / 2 * grown
    centre = (xyxy[:, 2:] + xyxy[:, :2]) / 2
    if regular:
        centre, half = _regular(centre, half, None, math.inf, TRACKED_STEP if tracked else CENTRE_STEP)
    derived = np.concatenate([centre - half / grown, centre + half / grown], axis=1).astype(np.float32)
    return Covers(centre, half, np.full(len(half), math.inf), derived)


def place(boxes: Floats, area: Area, tracked: bool = False) -> Covers:
    """The covers of face boxes, float32 (n, 4) xyxy as CenterFace draws them.

    Boxes may lie outside of the picture, be larger than it or have no area. With `area.regular` the aspect is fixed,
    sizes go up to the next of geometric steps and centres to a grid relative to the size, grown so that the snapped
    cover contains the plain one whatever its shape. Steps and grid start at the picture's corner and depend on
    nothing else.

    tracked: of the faces of a video. The grid of their centres is finer, so that covers do not jump; they are as large.
    """
    xyxy = np.clip(boxes.astype(np.float64), -FARTHEST, FARTHEST)
    size = np.maximum(xyxy[:, 2:] - xyxy[:, :2], SMALLEST_FACE)
    centre = (xyxy[:, 2:] + xyxy[:, :2]) / 2
    centre[:, 1] -= area.up * size[:, 1]
    half = size * [area.width / 2, area.height / 2]
    exponent = EXPONENT[area.shape]
    if area.regular:
        step = TRACKED_STEP if tracked else CENTRE_STEP
        centre, half = _regular(centre, half, FACE_ASPECT * area.width / area.height, exponent, step)
    face = 2 * half / [area.width, area.height]
    middle = centre + np.stack([np.zeros(len(face)), area.up * face[:, 1]], axis=1)
    derived = np.concatenate([middle - face / 2, middle + face / 2], axis=1).astype(np.float32)
    return Covers(centre, half, np.full(len(half), exponent), derived)


def _regular(
    centre: Doubles, half: Doubles, aspect: float | None, exponent: float, step: float
) -> tuple[Doubles, Doubles]:
    """Centres and half sizes snapped to few values: centres to steps of a part of the size, CENTRE_STEP at most.

    aspect: width by height of all of them; None: each side is snapped by itself.

    For the p-norm of a shape with half sizes A: |x - C'| / A' <= |x - c| / A' + |c - C'| / A', so the plain shape
    lies in the snapped one if a / A' + |c - C'| / A' <= 1, and the grid bounds the second term.
    """
    moved = CENTRE_STEP * 2 ** (0.0 if math.isinf(exponent) else 1 / exponent)  # grid 2 A' CENTRE_STEP, half of it
    least = half if aspect is None else np.maximum(half[:, 1:], half[:, :1] / aspect)
    sizes = SIZE_STEP ** np.ceil(np.log(least / (1 - moved)) / math.log(SIZE_STEP) - 1e-9)
    snapped = sizes if aspect is None else sizes * [aspect, 1.0]
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
