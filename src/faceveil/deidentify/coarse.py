"""Smooth pictures are computed on coarse cells: pixels to cells and back, a band of rows at a time."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.deidentify.base import Patch
    from faceveil.types import Floats, Pixels

BAND = 128  # rows at a time, so that a face of 20 megapixels needs no float copy of itself
TILE = 64  # px, size of the dither's pattern


def step_of(size: float) -> int:
    """The largest size of cells in pixels, up to `size`, that `enlarged` can do: 1, 2, 3, 4, 6, 8, 12, 16, ..."""
    power = 1 << (max(1, int(size)).bit_length() - 1)
    return power + power // 2 if size >= power + power // 2 else power


def means(plane: NDArray[np.uint8] | NDArray[np.uint16], step: int) -> Floats:
    """Means over blocks of step x step pixels, float32; where the last ones are cut, missing pixels count as zero."""
    # In float32: rounding the mean of a cell with few known pixels to whole grey levels would show after division.
    if step == 1:
        return plane.astype(np.float32)
    height, width = plane.shape[:2]
    size = (-(-height // step), -(-width // step))
    out = np.empty(size + plane.shape[2:], np.float32)
    rows = max(1, BAND // step)
    for top in range(0, size[0], rows):
        part = plane[top * step : (top + rows) * step]
        tall = min(rows, size[0] - top)
        whole = np.zeros((tall * step, size[1] * step, *plane.shape[2:]), np.float32)
        whole[: part.shape[0], :width] = part
        out[top : top + rows] = cv2.resize(whole, (size[1], tall), interpolation=cv2.INTER_AREA)
    return out


def enlarged(cells: Floats, step: int, patch: Patch) -> Pixels:
    """Cells of (r, c, 3) as pixels of the patch, dithered so that smooth gradients show no bands."""
    height, width = patch.known.shape
    out = np.empty_like(patch.pixels)
    # Doubling by linear interpolation is Chaikin's subdivision: repeated, it draws a quadratic spline, where one
    # large step, linear or cubic, shows the cells as a plaid.
    while step > 3:
        cells = _scaled(cells, 2)
        step //= 2
    rows = max(1, BAND // step) * step  # whole cells, so that every band starts at the edge of one
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(0, top // step - 1), min(len(cells), -(-bottom // step) + 1)
        large = _scaled(cells[first:last], step)
        start = top - first * step
        out[top:bottom] = _dithered(large[start : start + bottom - top, :width], patch.white)
    return out


def variance(step: int) -> float:
    """How much `means` and `enlarged` blur, as the variance of their impulse response in square pixels."""
    total = (step**2 - 1) / 12
    while step > 1:
        # Weights 1 3 3 1 at half a new cell and one and a half; or 1 2 3 2 1 for a last step of 3.
        total += 4 / 3 if step == 3 else 0.75 * (step / 2) ** 2
        step = 1 if step == 3 else step // 2
    return total


def _scaled(values: Floats, factor: int) -> Floats:
    size = (values.shape[1] * factor, values.shape[0] * factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32) if factor > 1 else values


def _dithered(values: Floats, white: int) -> Pixels:
    """Values rounded to pixels after adding a fixed pattern; OpenCV rounds and clips."""
    pattern = _band(-(-values.shape[1] // TILE))[: values.shape[0], : values.shape[1]]
    return cv2.add(values, pattern, dtype=cv2.CV_8U if white == 255 else cv2.CV_16U)  # type: ignore[return-value]


@lru_cache(maxsize=32)  # half a megabyte each, for every 300 pixels of width
def _band(tiles: int) -> Floats:
    """The dither of one band: BAND rows, so many tiles wide."""
    return np.asarray(cv2.repeat(_pattern(), BAND // TILE, tiles), np.float32)


@cache
def _pattern() -> Floats:
    """TILE x TILE x 3 values in (-1, 1), triangular: rounding then makes noise and never bands. The same every time.

    The three channels share one pattern, so that grey pictures stay grey.
    """
    one = np.random.default_rng(0).triangular(-1, 0, 1, (TILE, TILE, 1)).astype(np.float32)
    return np.repeat(one, 3, axis=2)
