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
from typing import TYPE_CHECKING, cast

import numpy as np

from faceveil import plugins
from faceveil.deidentify.base import Deidentifier
from faceveil.deidentify.cover import covers_of
from faceveil.deidentify.scene import PixelCanvas, Scene
from faceveil.errors import RequestError
from faceveil.planes import Grid
from faceveil.types import Frame

if TYPE_CHECKING:
    from faceveil.deidentify.scene import Canvas
    from faceveil.planes import Window
    from faceveil.policy import Area
    from faceveil.types import FramePlan, Mask, Pixels


def paint(frame: Frame, plan: FramePlan, area: Area, seed: int | None = None) -> Frame:
    """The frame with every region of its plan hidden by the region's method; the frame itself stays untouched.

    area: how much of a face is covered; what else there is has covers of its own (`faceveil.deidentify.cover`).
    seed: of random methods; the same seed gives the same bytes. None takes the system's entropy. Whoever knows the
    seed can subtract the noise of a `bounded` method: fixed seeds are for experiments.

    The alpha plane stays as it is, and the colours below it are painted like all others. A plan without regions
    gives the frame itself. Raises `RequestError` where the plan is for a picture of another size or names a method or
    setting that does not exist.
    """
    return _painted(frame, plan, area, seed)


def paint_area(frame: Frame, plan: FramePlan, area: Area, seed: int | None = None) -> tuple[Frame, Mask]:
    """What `paint` gives, and where: (H, W), True for covered pixels and their soft edge.

    Where follows from plan and area alone, never from pixels: what is written anew must not tell what was there.
    """
    where = np.zeros((frame.height, frame.width), bool)
    return _painted(frame, plan, area, seed, where), where


def _painted(frame: Frame, plan: FramePlan, area: Area, seed: int | None, where: Mask | None = None) -> Frame:
    if not checked(plan, (frame.width, frame.height)):
        return frame
    picture = _Picture(frame, where)
    scene(picture, plan, area, seed).paint()
    return Frame(picture.out, frame.alpha, frame.index, frame.time)


class _Picture(PixelCanvas):
    """A still picture. `out` is the only array of its size that is made; `painted`, (H, W), is noted if given."""

    def __init__(self, frame: Frame, painted: Mask | None) -> None:
        self.grid, self.index = Grid(frame.width, frame.height), frame.index
        self.moving = frame.time is not None
        self.pixels, self.painted = frame.pixels, painted
        self.out = frame.pixels.copy()

    def before(self, window: Window) -> Pixels:
        x1, y1, x2, y2 = window
        return self.pixels[y1:y2, x1:x2]

    def now(self, window: Window) -> Pixels:
        x1, y1, x2, y2 = window
        return self.out[y1:y2, x1:x2]

    def put(self, window: Window, pixels: Pixels, where: Mask) -> None:
        """Nothing but the note: `now` gives a view, and what was painted on it is there."""
        if self.painted is not None:
            x1, y1, x2, y2 = window
            self.painted[y1:y2, x1:x2] |= where


def checked(plan: FramePlan, size: tuple[int, int]) -> bool:
    """Whether a plan has anything to paint. Raises `RequestError` where it is for a picture of another size."""
    if plan.size != size:
        raise RequestError(
            f"the plan is for a picture of {plan.size[0]}x{plan.size[1]} pixels, this one has {size[0]}x{size[1]}"
        )
    return len(plan.regions) > 0


def scene(canvas: Canvas, plan: FramePlan, area: Area, seed: int | None) -> Scene:
    """A plan, ready to be painted on a canvas of its size. Raises `RequestError` for methods that do not exist."""
    made = {spec: method(spec) for spec in dict.fromkeys(plan.methods)}
    equal: dict[Deidentifier, Deidentifier] = {}  # "veil" and " veil" are one method, and their covers one area
    methods = tuple(equal.setdefault(made[spec], made[spec]) for spec in plan.methods)
    entropy = secrets.randbits(128) if seed is None else seed
    return Scene(canvas, plan.regions, methods, covers_of(plan.regions, area), entropy)


def method(spec: str) -> Deidentifier:
    """The method that a spec such as "mosaic:cells=4" describes. Raises `RequestError`."""
    return cast("Deidentifier", plugins.make(plugins.DEIDENTIFY, spec))
