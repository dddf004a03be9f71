"""Paint a frame of a video in the video's own samples, by the rules and with the machinery of `paint`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from faceveil.deidentify.cells import CellCanvas, paints_cells
from faceveil.deidentify.paint import checked, scene
from faceveil.deidentify.scene import PixelCanvas
from faceveil.planes import grid_of, patch, put

if TYPE_CHECKING:
    from faceveil.planes import Window
    from faceveil.policy import Area
    from faceveil.types import FramePlan, Mask, Pixels, Planes


def paint_planes(planes: Planes, plan: FramePlan, area: Area, seed: int | None = None) -> Planes:
    """The frame with every region of its plan hidden by the region's method; the planes themselves stay untouched.

    Only painted patches are converted to RGB and back. All other samples stay bit for bit; where nothing is painted
    the planes themselves are returned. Chroma cells that a cover touches are covered as a whole: no sample painted by
    an `independent` method depends on any sample, of luma or chroma, of a covered cell. Smooth methods are painted
    after all others, on cells (`faceveil.deidentify.cells`).

    plan: of the upright picture. seed: as in `paint`. A video needs one seed for all of its frames: with None every
    frame draws its own, and a track's noise would differ between frames and could be averaged away. Raises
    `RequestError` like `paint`.
    """
    if not checked(plan, planes.size):
        return planes
    canvas = _Samples(planes)
    whole = scene(canvas, plan, area, seed)
    smooth = np.array([paints_cells(kernel, planes) for kernel in whole.methods])
    whole.paint(~smooth)
    if smooth.any():
        cells = CellCanvas(planes, canvas.copied)
        replace(whole, canvas=cells, covers=whole.covers.in_cells(cells.grid)).paint(smooth)
    return canvas.planes


class _Samples(PixelCanvas):
    """The samples of a video's frame: copied when the first patch is painted, converted by windows."""

    def __init__(self, planes: Planes) -> None:
        self.grid, self.index = grid_of(planes), planes.index
        self.original = self.planes = planes
        self._out: tuple[Pixels, ...] = ()

    def before(self, window: Window) -> Pixels:
        return patch(self.original, window)

    def now(self, window: Window) -> Pixels:
        return patch(self.planes, window)

    def put(self, window: Window, pixels: Pixels, where: Mask) -> None:
        """Convert what was painted. The planes that `now` reads see what is written to their arrays."""
        put(self.planes, self.copied(), window, pixels, where)

    def copied(self) -> tuple[Pixels, ...]:
        """The arrays of `planes`, to be painted on: copies, made once."""
        if not self._out:
            self._out = tuple(plane.copy() for plane in self.original.planes)
            self.planes = replace(self.original, planes=self._out)
        return self._out
