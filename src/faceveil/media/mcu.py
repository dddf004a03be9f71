"""MCUs of a JPEG, the smallest units that all its components share: which are painted on, and their new blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceveil.media import dct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Mask

    Columns = NDArray[np.intp]
    Blocks = NDArray[np.int16]

_NONE = np.zeros(0, np.intp), np.zeros((0, 64), np.int16)
_BATCH = 1 << 19  # pixels that are transformed at a time; in floating point they take 20 MB


@dataclass(frozen=True, slots=True)
class Grid:
    """How a picture is divided. All of it as stored, not upright.

    width, height: in pixels. factors: (horizontal, vertical) sampling of each component. tables: quantisation table of
    each, 64 values in natural order. ycbcr: three components are Y Cb Cr, not R G B.
    """

    width: int
    height: int
    factors: tuple[tuple[int, int], ...]
    tables: tuple[tuple[int, ...], ...] = field(repr=False)
    ycbcr: bool = True

    @property
    def unit(self) -> tuple[int, int]:
        """(rows, columns) of an MCU in pixels."""
        return 8 * max(v for _, v in self.factors), 8 * max(h for h, _ in self.factors)

    def shape(self, component: int) -> tuple[int, int]:
        """(rows, columns) of blocks of a component, without those that only fill the last MCU (T.81, A.2.4)."""
        (h, v), (down, across) = self.factors[component], self.unit
        return -(-self.height * v // down), -(-self.width * h // across)


def touched(area: Mask, unit: tuple[int, int]) -> Mask:
    """(MCU rows, MCU columns): whether a pixel of the area (H, W) is in it."""
    height, width = area.shape
    found = np.zeros((-(-height // unit[0]), -(-width // unit[1])), bool)
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    if len(rows):  # only where there is something: `any` takes a hundredth of the time of `reduceat`
        top, left, bottom, right = rows[0] // unit[0], columns[0] // unit[1], rows[-1] + 1, columns[-1] + 1
        part = area[top * unit[0] : bottom, left * unit[1] : right]
        part = np.logical_or.reduceat(part, np.arange(0, part.shape[0], unit[0]), axis=0)
        part = np.logical_or.reduceat(part, np.arange(0, part.shape[1], unit[1]), axis=1)
        found[top : top + part.shape[0], left : left + part.shape[1]] = part
    return found


def between(flags: Mask) -> Iterator[tuple[int, int]]:
    """The runs of a row of flags that are False, as (start, stop)."""
    if not flags.any():
        yield 0, len(flags)
        return
    edges = np.flatnonzero(np.diff(flags, prepend=True, append=True)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)


def around(units: Mask) -> Mask:
    """The MCUs and their eight neighbours."""
    (rows, columns), padded, grown = units.shape, np.pad(units, 1), np.zeros_like(units)
    for y, x in np.ndindex(3, 3):
        grown |= padded[y : y + rows, x : x + columns]
    return grown


class Patches:
    """The new blocks of some MCUs, found by component and row of blocks."""

    def __init__(self, grid: Grid, units: Mask, pixels: NDArray[np.uint8]) -> None:
        """units: (MCU rows, MCU columns), True for those to be made; pixels: (H, W, 3), RGB, as stored.

        tint: the largest difference between channels, in levels, where the grid has one component only.
        """
        self.grid = grid
        self.tint = 0
        rows, self._columns = np.nonzero(units)
        self._starts = np.searchsorted(rows, np.arange(len(units) + 1))
        wanted = np.flatnonzero(units.any(axis=1)).tolist()
        step = max(1, _BATCH // (grid.unit[0] * grid.width))  # rows of MCUs
        batches = [wanted[at : at + step] for at in range(0, len(wanted), step)]
        made = [self._made([_cut(pixels, at, np.flatnonzero(units[at]), grid.unit) for at in b]) for b in batches]
        self._blocks = [np.concatenate(parts) for parts in zip(*made, strict=True)]

    def _made(self, rows: list[NDArray[np.uint8]]) -> list[Blocks]:
        """(n, v, h, 64) for each component, of rows of MCUs."""
        cut, grid, (down, across) = np.concatenate(rows), self.grid, self.grid.unit
        if grey := len(grid.factors) == 1:
            self.tint = max(self.tint, int(np.ptp(cut, axis=-1).max(initial=0)))
        parts = dct.planes(cut, grey=grey, ycbcr=grid.ycbcr)
        return [
            dct.forward(dct.reduced(part, down // (8 * v), across // (8 * h)), table)
            for part, (h, v), table in zip(parts, grid.factors, grid.tables, strict=True)
        ]

    def row(self, component: int, row: int) -> tuple[Columns, Blocks]:
        """(columns (n,), blocks (n, 64)) in one row of blocks."""
        h, v = self.grid.factors[component]
        at = slice(self._starts[row // v], self._starts[row // v + 1])
        if at.start == at.stop:
            return _NONE
        columns = (self._columns[at, None] * h + np.arange(h)).ravel()
        real = columns < self.grid.shape(component)[1]
        return columns[real], self._blocks[component][at, row % v].reshape(-1, 64)[real]


def _cut(pixels: NDArray[np.uint8], row: int, columns: Columns, unit: tuple[int, int]) -> NDArray[np.uint8]:
    """MCUs of one row as (n, rows, columns, 3); beyond the picture its last row and column are repeated."""
    first, last = int(columns[0]), int(columns[-1])
    band = pixels[row * unit[0] : (row + 1) * unit[0], first * unit[1] : (last + 1) * unit[1]]
    missing = unit[0] - band.shape[0], (last + 1 - first) * unit[1] - band.shape[1]
    if any(missing):
        band = np.pad(band, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    return band.reshape(unit[0], -1, unit[1], 3).swapaxes(0, 1)[columns - first]
