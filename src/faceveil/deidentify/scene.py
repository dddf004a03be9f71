"""Painting a scene: geometry, overlap, erasing and the soft edge, on whatever canvas the pixels lie.

The rules are told in `paint`. A canvas is a picture or the samples of a video; a scene sees RGB through windows of it
and knows its grid. What a cell of it holds is covered, erased and painted as a whole.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from faceveil.deidentify.base import Deidentifier, Faces, Patch
from faceveil.deidentify.cover import clip, clusters, overlapping
from faceveil.planes import Grid, copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faceveil.deidentify.base import Privacy
    from faceveil.deidentify.cover import Covers
    from faceveil.planes import Window
    from faceveil.types import Floats, Mask, Pixels, Regions

STRICTNESS: dict[Privacy, int] = {"cosmetic": 0, "bounded": 1, "independent": 2}

BAND = 128  # rows of the soft edge that are mixed at a time: few pixels between its sides, in cache, no large copies

_UNUSED = np.random.default_rng()  # for methods that draw nothing: one that does all the same gets no known seed


def _share(outward: Floats) -> Floats:
    """How much of the painted pixels shows in the soft edge, from 1 at the cover (0) to 0 at its end (1)."""
    return np.asarray(1 - outward * outward * (3 - 2 * outward), np.float32)


_SHARE = _share(np.linspace(0, 1, 256, dtype=np.float32))
_SHARE_BYTES = np.rint(255 * _SHARE).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """What one method painted for one group of faces, and where it is to be seen.

    pixels: (h, w, 3), of the whole window. cover: bool (h, w), where they replace what was there. edge: bool (h, w),
    where they are mixed with it, disjoint from `cover`; None without a soft edge. field: float32 (h, w), in the edge
    1 at the cover and 1 + feather at the edge's end.
    """

    pixels: Pixels
    cover: Mask
    edge: Mask | None
    field: Floats
    feather: float

    def share(self) -> NDArray[np.uint8]:
        """How much of the painted pixels shows, (h, w): 255 in the cover, less in the soft edge, else 0."""
        if self.edge is None:
            return self.cover.view(np.uint8) * np.uint8(255)
        step = cv2.convertScaleAbs(self.field, alpha=255 / self.feather, beta=-255 / self.feather)
        share = np.asarray(cv2.LUT(step, _SHARE_BYTES), np.uint8) * self.edge.view(np.uint8)
        return np.asarray(np.maximum(share, self.cover.view(np.uint8) * np.uint8(255)), np.uint8)


class Canvas(ABC):
    """What a scene is painted on. Windows are of the upright picture, and of whole cells."""

    grid: Grid
    index: int
    """Of the frame in its source."""
    pixel: int = 1
    """Width of one of its pixels in those of the picture."""
    moving: bool = True
    """Whether it is a frame of many."""

    @abstractmethod
    def before(self, window: Window) -> Pixels:
        """The pixels as they came, (h, w, 3), to be read only. A pixel depends on the samples of its cell alone."""

    @abstractmethod
    def now(self, window: Window) -> Pixels:
        """The pixels as painted so far, (h, w, 3), to be painted on and then `put`."""

    @abstractmethod
    def paint(self, window: Window, now: Pixels, stroke: Stroke) -> None:
        """Take a stroke over. now: the pixels that `now` gave, which may be painted on."""


class PixelCanvas(Canvas):
    """A canvas on which pixels are replaced and mixed as they are."""

    @abstractmethod
    def put(self, window: Window, pixels: Pixels, where: Mask) -> None:
        """Take over what was painted on the pixels of `now`: `where`, bool (h, w), and nowhere else."""

    def paint(self, window: Window, now: Pixels, stroke: Stroke) -> None:
        """Paint the stroke on the pixels, and put them."""
        copied(stroke.pixels, stroke.cover, now)
        where = stroke.cover
        if stroke.edge is not None:
            _soften(now, stroke)
            where = where | stroke.edge
        self.put(window, now, where)


@dataclass(slots=True)
class Scene:
    """One frame being painted: n regions, each with its method and its cover."""

    canvas: Canvas
    regions: Regions
    methods: tuple[Deidentifier, ...]
    covers: Covers
    entropy: int

    rects: NDArray[np.float64] = field(init=False)
    ranks: NDArray[np.int8] = field(init=False)

    def __post_init__(self) -> None:
        self.rects = self.covers.rects()
        self.ranks = np.array([STRICTNESS[m.promise] for m in self.methods], np.int8)

    def paint(self, chosen: Mask | None = None) -> None:
        """Paint all regions, or the chosen, bool (n,): those of the weaker classes first."""
        chosen = np.ones(len(self.ranks), bool) if chosen is None else chosen
        for rank in sorted(set(self.ranks[chosen].tolist())):
            for group in self._groups((self.ranks == rank) & chosen):
                self._paint(group)

    def _groups(self, chosen: Mask) -> list[NDArray[np.intp]]:
        """The chosen faces of one class, as the kernels get them: alone, or for joint methods all that touch."""
        groups: list[NDArray[np.intp]] = []
        of_rank = np.flatnonzero(chosen)
        for spec in dict.fromkeys(self.methods[i] for i in of_rank):
            faces = np.array([i for i in of_rank if self.methods[i] is spec], np.intp)
            if spec.joint:
                near = self.covers.rects(spec.feather)[faces]
                groups += [faces[members] for members in clusters(near)]
            else:
                groups += list(faces[:, None])
        return groups

    def _paint(self, group: NDArray[np.intp]) -> None:
        """Let one method paint one group of faces."""
        kernel = self.methods[group[0]]
        window = self._window(group)
        x1, y1, x2, y2 = window
        if x1 >= x2 or y1 >= y2:
            return
        far = self._field(group, window, kernel.feather)
        inside = far < 1
        mine, hidden, closed = self._shared(group, window, far, inside)
        if not mine.any():
            return
        independent = kernel.promise == "independent"
        canvas = self.canvas.now(window)
        seen = canvas if independent else self.canvas.before(window)
        known = ~hidden
        pixels = copied(seen, known, np.zeros(seen.shape, seen.dtype))
        pixels.flags.writeable = False
        patch = Patch(pixels, inside, known, self._faces(group, window), self.canvas.moving)
        painted = kernel(patch, self._rng(group[0]))
        if painted.shape != pixels.shape or painted.dtype != pixels.dtype:
            raise TypeError(
                f"method '{kernel.name}' must return {pixels.dtype} {pixels.shape}, got {painted.dtype} {painted.shape}"
            )
        edge = ~(inside | closed) & (far < 1 + kernel.feather) if kernel.feather else None
        self.canvas.paint(window, canvas, Stroke(painted, mine, edge, far, kernel.feather))

    def _shared(self, group: NDArray[np.intp], window: Window, field: Floats, inside: Mask) -> tuple[Mask, Mask, Mask]:
        """What a group may paint, what it may not see, and what others cover so that its soft edge ends there."""
        here = overlapping(self.rects, np.array(window, np.float64))
        grouped = np.zeros(len(self.rects), bool)
        grouped[group] = True
        others = here[~grouped[here]]
        rank = self.ranks[group[0]]
        stricter, peers = others[self.ranks[others] > rank], others[self.ranks[others] == rank]
        independent = self.methods[group[0]].promise == "independent"
        if not len(stricter) and not len(peers):
            nothing = np.zeros_like(inside)
            return inside, inside if independent else nothing, nothing
        above = self._field(stricter, window) < 1
        beside = self._field(peers, window)
        closed = (beside < 1) | above
        return inside & (field <= beside) & ~above, inside | closed if independent else above, closed

    def _window(self, group: NDArray[np.intp]) -> Window:
        """The pixels that a group's method sees: its covers, their soft edge and a ring."""
        kernel, pixel = self.methods[group[0]], self.canvas.pixel
        grown, boxes = self.covers.rects(kernel.feather)[group], self.covers.boxes[group].astype(np.float64)
        around = (math.inf, math.inf, -math.inf, -math.inf)
        for rect, (x1, y1, x2, y2), (left, _, right, _) in zip(
            self.rects[group].tolist(), grown.tolist(), boxes.tolist(), strict=True
        ):
            # A cover outside of the picture has nothing to paint, whatever its ring may touch.
            if _empty(self._clip(rect)):
                continue
            ring = kernel.ring((right - left) * pixel) / pixel
            outer = (x1 - ring, y1 - ring, x2 + ring, y2 + ring)
            around = (*map(min, around[:2], outer[:2]), *map(max, around[2:], outer[2:]))
        return (0, 0, 0, 0) if around[0] > around[2] else self._clip(around)

    def _clip(self, rect: Sequence[float]) -> Window:
        grid = self.canvas.grid
        window = clip(rect, grid.width, grid.height)
        return window if _empty(window) else grid.around(window)

    def _field(self, faces: NDArray[np.intp], window: Window, feather: float = 0.0) -> Floats:
        """How far each pixel lies from the nearest of some covers, (h, w): below 1 it is covered.

        Values beyond 1 are complete up to 1 + feather and infinite further out.
        """
        x1, y1, x2, y2 = window
        field = np.full((y2 - y1, x2 - x1), np.inf, np.float32)
        grown = self.covers.rects(feather) if feather else self.rects
        for i, rect in zip(faces.tolist(), grown[faces].tolist(), strict=True):
            left, top, right, bottom = self._clip(rect)
            left, top, right, bottom = max(left, x1), max(top, y1), min(right, x2), min(bottom, y2)
            if left >= right or top >= bottom:
                continue
            part = (left, top, right, bottom)
            norm = self.covers.norm(i, part, self.canvas.grid)
            kernel = self.methods[i]
            if type(kernel).area is not Deidentifier.area:
                cover = norm < 1
                painted = kernel.area(cover, self._faces(np.array([i]), part)) & cover
                painted = self.canvas.grid.touched(painted, part)
                norm = np.where(painted, norm, np.float32(np.inf))
            target = field[top - y1 : bottom - y1, left - x1 : right - x1]
            np.minimum(target, norm, out=target)
        return field

    def _faces(self, group: NDArray[np.intp], window: Window) -> Faces:
        """The geometry that a method may know, in the window's pixels."""
        corner = np.array([window[0], window[1]] * 2, np.float32)
        covers = (self.rects[group] - corner).astype(np.float32)
        labels = None if self.regions.label is None else tuple(self.regions.label[group].tolist())
        keys = None if self.regions.track is None else tuple(map(self._key, self.regions.track[group].tolist()))
        if self.methods[group[0]].promise != "cosmetic":
            return Faces(covers, self.covers.boxes[group] - corner, None, labels, keys)
        marks = self.regions.landmarks
        marks = None if marks is None else marks[group] - corner[None, None, :2]
        return Faces(covers, self.regions.xyxy[group] - corner, marks, labels, keys)

    def _key(self, track: int) -> bytes:
        return blake2b(f"{self.entropy} {track}".encode(), digest_size=16).digest()

    def _rng(self, region: np.intp) -> np.random.Generator:
        """Randomness by frame and region, so that the order of painting is of no account.

        By track where there is one: a face of a video looks the same in every frame, and frames cannot be averaged.
        """
        if not self.methods[region].random:
            return _UNUSED
        if self.regions.track is not None:
            return np.random.default_rng([self.entropy, int(self.regions.track[region])])
        return np.random.default_rng([self.entropy, self.canvas.index, int(region)])


def _empty(window: Window) -> bool:
    return window[0] >= window[2] or window[1] >= window[3]


def _soften(canvas: Pixels, stroke: Stroke) -> None:
    """Mix the soft edge of a stroke into the canvas: all of it at the cover, none at the feather's end."""
    edge, feather = cast("Mask", stroke.edge), stroke.feather
    for top in range(0, len(edge), BAND):
        rows = slice(top, top + BAND)
        for left, right in _runs(np.logical_or.reduce(edge[rows])):
            part = (rows, slice(left, right))
            before, after = canvas[part], stroke.pixels[part]
            if canvas.dtype == np.uint8:
                # In 255 steps from a table, as fine as the pixels themselves and six times as fast as the formula.
                step = cv2.convertScaleAbs(stroke.field[part], alpha=255 / feather, beta=-255 / feather)
                mixed = cast("Pixels", cv2.blendLinear(after, before, cv2.LUT(step, _SHARE), cv2.LUT(step, 1 - _SHARE)))
            else:
                t = np.minimum(np.maximum((stroke.field[part] - 1) * np.float32(1 / feather), 0), 1)
                mix = before + (after.astype(np.float32) - before) * _share(t)[:, :, None]
                mixed = cast("Pixels", np.rint(mix).astype(canvas.dtype))
            copied(mixed, edge[part], before)


def _runs(chosen: Mask) -> list[tuple[int, int]]:
    """Where True begins and ends, again and again."""
    ends = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).tolist()
    return list(zip(ends[::2], ends[1::2], strict=True))
