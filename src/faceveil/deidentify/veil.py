"""veil, the default: the surroundings grow over the face, with a soft grey shape where the head was."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from faceveil.deidentify.base import Deidentifier, Faces, Patch, Privacy
from faceveil.deidentify.coarse import enlarged, means, step_of
from faceveil.types import FACE

if TYPE_CHECKING:
    from faceveil.types import Floats, Mask, Pixels

CELLS = 20  # across a cover: the fill is smooth, more cells change nothing that can be seen and cost time
MOST_CELLS = 4_000  # for each face, where small faces touch a large one
# The same in a video, where a smooth method sees cells: with these the fill of a group costs a third less, and luma is
# 1.2 to 1.7 grey levels off what pixels and the above give, 4 to 6 at the 95th centile (210 faces, 720p and 1080p).
MOVING = (14, 1_200)
RING_BLUR = 1.6  # cells; a sharp edge that meets the cover must not run into it as a streak
OUTLIERS = 0.08  # of the ring at either end: a lamp beside the cover moved the fill by 59 grey levels, now by 0
SMOOTHING = 2  # passes on each level: within 3.3 grey levels of the exact membrane in the mean (none 4.8, five 2.2)

# The head, judged by eye on some thirty portraits, couples, crowds and dark pictures.
HEAD = (0.55, 0.58)  # half sizes in widths and heights of the face
HEAD_EDGE = (0.75, 1.13)  # the soft edge, in those
OPACITY = 0.85  # a little of the ground's colour shows, as light would spill on it
SHADE = 0.15  # darker towards the rim: heads that overlap stay two heads
TOP_LIGHT = 0.05
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Veil(Deidentifier):
    """Fills the cover from the ring outside it, and sets a soft grey head on it.

    The fill is a membrane (Laplace's equation with the ring as its border, solved on a pyramid), so colours run on
    through the cover without an edge. A grey head, its lightness taken from the fill, keeps a person readable as a
    person. It is grey because a skin tone would be wrong for most. Covers that touch are filled as one area, each
    with its own head; what is no face gets none. Without a ring, where the cover fills the whole picture, the ground
    is mid-grey.

    The idea of the fill: Perez et al., "Poisson image editing", SIGGRAPH 2003; Burt, "Moment images, polynomial fit
    filters", 1988, for the pyramid.
    """

    name: ClassVar[str] = "veil"
    privacy: ClassVar[Privacy] = "independent"
    feather: ClassVar[float] = 0.15
    joint: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def ring(self, face: float) -> float:
        """A narrow one: colours far away are not what the edge must meet. The soft edge is known too."""
        return max(3.0, 0.08 * face)

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch veiled. It draws no randomness: the dither is a fixed pattern."""
        step = _step(patch)
        fill = _heads(_membrane(*_reduced(patch, step)), patch.faces, step)
        return enlarged(fill * np.float32(patch.white), step, patch)


def _step(patch: Patch) -> int:
    """Width of a cell in pixels: by the smallest face, unless that makes too many cells."""
    sizes = patch.faces.covers[:, 2] - patch.faces.covers[:, 0]
    if patch.faces.labels is not None:  # a plate is lower than it is wide
        sizes = np.minimum(sizes, patch.faces.covers[:, 3] - patch.faces.covers[:, 1])
    height, width = patch.known.shape
    narrow = min(float(sizes.min()), 4.0 * max(height, width))
    across, most = MOVING if patch.moving else (CELLS, MOST_CELLS)
    return step_of(max(narrow / across, math.sqrt(height * width / (most * len(patch.faces)))))


def _reduced(patch: Patch, step: int) -> tuple[Floats, Floats]:
    """Mean colour in [0, 1] of the known pixels of each cell times their share, (r, c, 3), and the share (r, c)."""
    known = patch.known.view(np.uint8)
    return means(patch.pixels, step) / np.float32(patch.white), means(known, step)


def _membrane(colour: Floats, share: Floats) -> Floats:
    """Colours (r, c, 3) that continue the known cells smoothly over the unknown ones."""
    known = share > 1e-3
    if not known.any():
        return np.full_like(colour, 0.5)
    value = _tamed(colour, share, known)
    return _filled(value * _thrice(share), share)


def _thrice(plane: Floats) -> Floats:
    """A plane as three equal channels: repeating it in every step of the arithmetic took a third of the time."""
    return np.asarray(cv2.merge((plane, plane, plane)), np.float32)


def _tamed(colour: Floats, share: Floats, known: Mask) -> Floats:
    """The known cells without outliers and fine structure."""
    value = colour / np.maximum(_thrice(share), np.float32(1e-3))
    inside = np.ascontiguousarray(value[known].T)
    cut = int(OUTLIERS * inside.shape[1])
    ordered = np.partition(inside, (cut, inside.shape[1] - 1 - cut), axis=1)
    least, most = ordered[:, cut].tolist(), ordered[:, inside.shape[1] - 1 - cut].tolist()
    value = cv2.min(cv2.max(value, (*least, 0.0)), (*most, 0.0))  # type: ignore[call-overload]  # a colour is allowed
    smooth = cv2.GaussianBlur(value * _thrice(share), (0, 0), RING_BLUR, borderType=cv2.BORDER_REFLECT_101)
    weight = cv2.GaussianBlur(share, (0, 0), RING_BLUR, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth / _thrice(np.maximum(weight, np.float32(1e-6))), np.float32)


def _filled(colour: Floats, share: Floats) -> Floats:
    """Pull-push: unknown cells from a coarser level, then relaxed. colour is multiplied by share."""
    of_each = _thrice(share)
    fixed, free = colour / np.maximum(of_each, np.float32(1e-6)), np.minimum(of_each * np.float32(4), np.float32(1))
    fixed *= free
    np.subtract(np.float32(1), free, out=free)
    height, width = share.shape
    if height <= 3 and width <= 3:
        return np.asarray(fixed + colour.sum((0, 1)) / share.sum() * free, np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    less, fewer = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (colour, share))
    coarse = _filled(np.asarray(less, np.float32), np.asarray(fewer, np.float32))
    guess = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    for _ in range(SMOOTHING):
        guess = np.asarray(cv2.blur(guess, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)
        guess *= free
        guess += fixed
    guess *= free
    guess += fixed
    return guess


def _heads(fill: Floats, faces: Faces, step: int) -> Floats:
    """The fill with a soft grey head for each face."""
    out = fill.copy()
    rows = (np.arange(fill.shape[0], dtype=np.float32) + 0.5) * step
    columns = (np.arange(fill.shape[1], dtype=np.float32) + 0.5) * step
    across, down = columns.tolist(), rows.tolist()
    boxes = faces.boxes
    if faces.labels is not None:
        boxes = boxes[[label == FACE for label in faces.labels]]
    for x1, y1, x2, y2 in boxes.tolist():
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
        rx, ry = HEAD[0] * (x2 - x1), HEAD[1] * (y2 - y1)
        left, right = (bisect_left(across, cx + side * rx) for side in (-1.4, 1.4))
        top, bottom = (bisect_left(down, cy + side * ry) for side in (-1.4, 1.4))
        if left >= right or top >= bottom:
            continue
        u = (columns[left:right] - cx) / rx
        v = (rows[top:bottom] - cy) / ry
        r = np.sqrt(u[None, :] ** 2 + v[:, None] ** 2)
        part = out[top:bottom, left:right]
        share = 1 - _ease(r, *HEAD_EDGE)
        ground = (fill[top:bottom, left:right] * _thrice(share)).sum((0, 1)) / max(float(share.sum()), 1e-6)
        grey = _tone(float(ground @ LUMA)) * (1 + SHADE * (0.4 - r * r) - TOP_LIGHT * v[:, None])
        part += (_thrice(grey) - part) * _thrice(share * np.float32(OPACITY))
    return out


def _tone(ground: float) -> float:
    """Lightness of a head on a ground of some lightness, both in [0, 1]: lighter, but darker on bright grounds."""
    lighter, darker = 0.27 - 0.28 * ground, -0.02 - 0.15 * ground
    return ground + lighter + (darker - lighter) * float(_ease(np.float32(ground), 0.6, 0.72))


def _ease(x: Floats | np.float32, start: float, stop: float) -> Floats:
    """From 0 to 1 between two values, smooth at both."""
    t = np.minimum(np.maximum((x - np.float32(start)) / np.float32(stop - start), 0), 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
