"""Paint a frame by its plan: margin, shape, clipping, overlap, erasing and the soft edge, for every method.

How covers of several faces meet:

1. Every covered pixel belongs to one face: of those that cover it, the strictest class wins (independent, bounded,
   cosmetic), then the face whose centre is nearer, measured in units of its cover.
2. A method sees no original pixel that a stricter class covers, and an `independent` method none that any
   `independent` method covers. These are erased before it starts, so a blur cannot smear a veiled neighbour.
3. The weaker classes are painted first, from the original. So the surroundings that an `independent` method reads
   are the painted ones: a veil cannot carry a neighbour's face past the neighbour's own cover.
4. `keep` paints nothing and `mask` only its bar; every other cover goes over them.
5. Within a class every method reads the original, never what another has painted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from faceveil import plugins
from faceveil.deidentify.base import Deidentifier, Faces, Patch
from faceveil.deidentify.cover import Covers, clip, clusters, overlapping, place
from faceveil.errors import RequestError
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.deidentify.base import Privacy
    from faceveil.deidentify.cover import Window
    from faceveil.policy import Cover
    from faceveil.types import Floats, FramePlan, Mask, Pixels, Regions

STRICTNESS: dict[Privacy, int] = {"cosmetic": 0, "bounded": 1, "independent": 2}

BAND = 256  # rows of the soft edge that are mixed at a time: in cache, and lean for large faces


def _share(outward: Floats) -> Floats:
    """How much of the painted pixels shows in the soft edge, from 1 at the cover (0) to 0 at its end (1)."""
    return np.asarray(1 - outward * outward * (3 - 2 * outward), np.float32)


_SHARE = _share(np.linspace(0, 1, 256, dtype=np.float32))


def paint(frame: Frame, plan: FramePlan, cover: Cover, seed: int | None = None) -> Frame:
    """The frame with every region of its plan hidden by the region's method; the frame itself stays untouched.

    seed: of random methods; the same seed gives the same bytes. None takes the system's entropy. Whoever knows the
    seed can subtract the noise of a `bounded` method: fixed seeds are for experiments.

    The alpha plane stays as it is, and the colours below it are painted like all others. A plan without regions
    gives the frame itself. Raises `RequestError` where the plan is for a picture of another size or names a method or
    setting that does not exist.
    """
    scene = _scene(frame, plan, cover, seed)
    return scene.painted() if scene else frame


def paint_area(frame: Frame, plan: FramePlan, cover: Cover, seed: int | None = None) -> tuple[Frame, Mask]:
    """What `paint` gives, and where: (H, W), True for covered pixels and their soft edge.

    The area follows from plan and cover alone, never from pixels: what is written anew must not tell what was there.
    """
    area = np.zeros((frame.height, frame.width), bool)
    scene = _scene(frame, plan, cover, seed)
    if scene is None:
        return frame, area
    scene.area = area
    return scene.painted(), area


def _scene(frame: Frame, plan: FramePlan, cover: Cover, seed: int | None) -> _Scene | None:
    """What is to be painted; None for nothing."""
    if plan.size != (frame.width, frame.height):
        raise RequestError(
            f"the plan is for a picture of {plan.size[0]}x{plan.size[1]} pixels, "
            f"this one has {frame.width}x{frame.height}"
        )
    if not len(plan.regions):
        return None
    made = {spec: method(spec) for spec in dict.fromkeys(plan.methods)}
    equal: dict[Deidentifier, Deidentifier] = {}  # "veil" and " veil" are one method, and their covers one area
    methods = tuple(equal.setdefault(made[spec], made[spec]) for spec in plan.methods)
    entropy = secrets.randbits(128) if seed is None else seed
    return _Scene(frame, plan.regions, methods, place(plan.regions.xyxy, cover), entropy)


def method(spec: str) -> Deidentifier:
    """The method that a spec such as "mosaic:cells=4" describes. Raises `RequestError`."""
    return cast("Deidentifier", plugins.make(plugins.DEIDENTIFY, spec))


@dataclass(slots=True)
class _Scene:
    """One frame being painted. `out` is the only array of the picture's size that is made; `area` is noted if set."""

    frame: Frame
    regions: Regions
    methods: tuple[Deidentifier, ...]
    covers: Covers
    entropy: int

    out: Pixels = None  # type: ignore[assignment]  # set by painted()
    area: Mask | None = None
    rects: NDArray[np.float64] = None  # type: ignore[assignment]
    ranks: NDArray[np.int8] = None  # type: ignore[assignment]

    def painted(self) -> Frame:
        self.out = self.frame.pixels.copy()
        self.rects = self.covers.rects()
        self.ranks = np.array([STRICTNESS[m.promise] for m in self.methods], np.int8)
        for rank in sorted(set(self.ranks.tolist())):
            for group in self._groups(rank):
                self._paint(group)
        return Frame(self.out, self.frame.alpha, self.frame.index, self.frame.time)

    def _groups(self, rank: int) -> list[NDArray[np.intp]]:
        """The faces of a class, as the kernels get them: alone, or for joint methods all that touch."""
        groups: list[NDArray[np.intp]] = []
        of_rank = np.flatnonzero(self.ranks == rank)
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
        field = self._field(group, window, kernel.feather)
        inside = field < 1
        mine, hidden, closed = self._shared(group, window, field, inside)
        if not mine.any():
            return
        seen = self.out if kernel.promise == "independent" else self.frame.pixels
        known = ~hidden
        pixels = _copied(seen[y1:y2, x1:x2], known, np.zeros((*field.shape, 3), seen.dtype))
        pixels.flags.writeable = False
        painted = kernel(Patch(pixels, inside, known, self._faces(group, window)), self._rng(group[0]))
        if painted.shape != pixels.shape or painted.dtype != pixels.dtype:
            raise TypeError(
                f"method '{kernel.name}' must return {pixels.dtype} {pixels.shape}, got {painted.dtype} {painted.shape}"
            )
        canvas = self.out[y1:y2, x1:x2]
        _copied(painted, mine, canvas)
        self._note(window, mine)
        if kernel.feather:
            edge = ~(inside | closed) & (field < 1 + kernel.feather)
            self._note(window, edge)
            _soften(canvas, painted, edge, field, kernel.feather)

    def _note(self, window: Window, painted: Mask) -> None:
        if self.area is not None:
            self.area[window[1] : window[3], window[0] : window[2]] |= painted

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
        kernel = self.methods[group[0]]
        boxes = self.covers.boxes[group].astype(np.float64)
        ring = np.array([kernel.ring(w) for w in (boxes[:, 2] - boxes[:, 0]).tolist()])
        outer = self.covers.rects(kernel.feather)[group] + ring[:, None] * [-1, -1, 1, 1]
        # A cover outside of the picture has nothing to paint, whatever its ring may touch.
        visible = [r for r, i in zip(outer, group, strict=True) if not _empty(self._clip(self.rects[i]))]
        if not visible:
            return 0, 0, 0, 0
        around = np.array(visible)
        return self._clip(np.concatenate([around[:, :2].min(0), around[:, 2:].max(0)]))

    def _clip(self, rect: NDArray[np.float64]) -> Window:
        return clip(rect, self.frame.width, self.frame.height)

    def _field(self, faces: NDArray[np.intp], window: Window, feather: float = 0.0) -> Floats:
        """How far each pixel lies from the nearest of some covers, (h, w): below 1 it is covered.

        Values beyond 1 are complete up to 1 + feather and infinite further out.
        """
        x1, y1, x2, y2 = window
        field = np.full((y2 - y1, x2 - x1), np.inf, np.float32)
        grown = self.covers.rects(feather) if feather else self.rects
        for i in faces.tolist():
            left, top, right, bottom = self._clip(grown[i])
            left, top, right, bottom = max(left, x1), max(top, y1), min(right, x2), min(bottom, y2)
            if left >= right or top >= bottom:
                continue
            part = (left, top, right, bottom)
            norm = self.covers.norm(i, part)
            kernel = self.methods[i]
            if type(kernel).area is not Deidentifier.area:
                cover = norm < 1
                painted = kernel.area(cover, self._faces(np.array([i]), part)) & cover
                norm = np.where(painted, norm, np.float32(np.inf))
            target = field[top - y1 : bottom - y1, left - x1 : right - x1]
            np.minimum(target, norm, out=target)
        return field

    def _faces(self, group: NDArray[np.intp], window: Window) -> Faces:
        """The geometry that a method may know, in the window's pixels."""
        corner = np.array([window[0], window[1]] * 2, np.float32)
        covers = (self.rects[group] - corner).astype(np.float32)
        if self.methods[group[0]].promise != "cosmetic":
            return Faces(covers, self.covers.boxes[group] - corner)
        marks = self.regions.landmarks
        return Faces(
            covers, self.regions.xyxy[group] - corner, None if marks is None else marks[group] - corner[None, None, :2]
        )

    def _rng(self, region: np.intp) -> np.random.Generator:
        """Randomness by frame and region, so that the order of painting is of no account.

        By track where there is one: a face of a video looks the same in every frame, and frames cannot be averaged.
        """
        if self.regions.track is not None:
            return np.random.default_rng([self.entropy, int(self.regions.track[region])])
        return np.random.default_rng([self.entropy, self.frame.index, int(region)])


def _empty(window: Window) -> bool:
    return window[0] >= window[2] or window[1] >= window[3]


def _copied(source: Pixels, where: Mask, target: Pixels) -> Pixels:
    """`target` with the pixels of `source` where a mask (h, w) says so; NumPy takes a hundred times as long."""
    written = cv2.copyTo(source, where.view(np.uint8), target)
    if not np.shares_memory(written, target):
        np.copyto(target, written)
    return target


def _soften(canvas: Pixels, painted: Pixels, edge: Mask, field: Floats, feather: float) -> None:
    """Mix painted pixels into the canvas where `edge` says so: all of them at the cover, none at the feather's end.

    field: 1 at the cover, 1 + feather at the end of the soft edge.
    """
    for top in range(0, len(edge), BAND):
        rows = slice(top, top + BAND)
        before, after = canvas[rows], painted[rows]
        if canvas.dtype == np.uint8:
            # In 255 steps from a table, as fine as the pixels themselves and six times as fast as the formula.
            step = cv2.convertScaleAbs(field[rows], alpha=255 / feather, beta=-255 / feather)
            mixed = cast("Pixels", cv2.blendLinear(after, before, cv2.LUT(step, _SHARE), cv2.LUT(step, 1 - _SHARE)))
        else:
            t = np.minimum(np.maximum((field[rows] - 1) * np.float32(1 / feather), 0), 1)
            part = before + (after.astype(np.float32) - before) * _share(t)[:, :, None]
            mixed = cast("Pixels", np.rint(part).astype(canvas.dtype))
        _copied(mixed, edge[rows], before)
