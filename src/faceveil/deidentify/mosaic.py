"""mosaic: a few flat cells, with or without noise on their colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from faceveil.deidentify.base import Deidentifier, Patch, Privacy
from faceveil.deidentify.cover import clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.planes import Window
    from faceveil.types import Pixels

    Doubles = NDArray[np.float64]
    Index = NDArray[np.intp]


class Mosaic(Deidentifier):
    """Pixelates: cells by cells over the cover, each in the mean colour of its pixels.

    Without noise this is re-identifiable at every number of cells. With Laplace noise of scale b on every mean, the
    picture carries at most 3 cells^2 log2(1 + 127.5 / b) bits of the face: a channel whose input has a mean absolute
    deviation of at most 127.5 and whose noise is Laplace(b) has at most that capacity, as no density with the output's
    mean absolute deviation has more entropy than Laplace's. The bound is for one picture and a seed nobody knows;
    in a video, what changes between two frames shows without noise.

    There the cells keep their place in the cover, and a track keeps the noise of each cell in all of its frames,
    so averaging takes none of it away. A face that moves against its cover, by 1/96 of the cover's size at most where
    it is regular, is sampled a little aside.

    Idea of noise on cells: Fan, "Image pixelization with differential privacy", DBSec 2018.
    """

    name: ClassVar[str] = "mosaic"
    privacy: ClassVar[Privacy] = "cosmetic"
    evidence: ClassVar[str] = (
        "trained on mosaics, a recogniser names 13 % [10, 15] of 79 people at 4 cells (chance 1.3 %)"
    )

    cells: int = Field(4, ge=1, le=256)
    """Cells across the cover, and down it."""
    b: float = Field(0.0, ge=0, le=10_000)
    """Scale of Laplace noise on each cell's colour, in grey levels of 255; above 0 the method is `bounded`."""

    @property
    def promise(self) -> Privacy:
        """`bounded` with noise."""
        return "bounded" if self.b else "cosmetic"

    @property
    def bits(self) -> float:
        """Upper bound on what one picture tells about one face, in bits; infinite without noise."""
        return 3 * self.cells**2 * math.log2(1 + 127.5 / self.b) if self.b else math.inf

    @property
    def claim(self) -> str:
        """With noise, the bound."""
        if not self.b:
            return super().claim
        return (
            f"mosaic carries a bounded amount of the face: at most {math.ceil(self.bits)} bits in each picture, "
            f"as {3 * self.cells**2} numbers with noise"
        )

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch pixelated. Erased pixels take no part in the means; a cell of nothing else is mid-grey."""
        # The cells lie in the cover's rectangle; the ring around it is nobody's.
        x1, y1, x2, y2 = patch.faces.covers[0].astype(np.float64)
        left, top, right, bottom = _reach(patch)
        here = (slice(top, bottom), slice(left, right))
        row, down = _cells(top, bottom, y1, y2, self.cells)
        column, across = _cells(left, right, x1, x2, self.cells)
        count = _sums(patch.known[here][:, :, None].view(np.uint8), down, across)
        mean = _sums(patch.pixels[here], down, across) / np.maximum(count, 1)
        mean = np.where(count > 0, mean, (patch.white + 1) / 2)
        if self.b:
            noise = rng.laplace(0, self.b * patch.white / 255, (self.cells, self.cells, 3))
            mean = mean + noise[row[down]][:, column[across]]
        tall, wide = np.diff(np.append(down, bottom - top)), np.diff(np.append(across, right - left))
        out = patch.pixels.copy()
        out[here] = patch.rounded(mean).repeat(tall, axis=0).repeat(wide, axis=1)
        return out


def _reach(patch: Patch) -> Window:
    """All that is covered: in a video's samples up to a chroma cell more than the cover's rectangle."""
    left, top, right, bottom = clip(patch.faces.covers[0].astype(np.float64), *patch.known.shape[::-1])
    rows, columns = np.flatnonzero(patch.cover.any(axis=1)), np.flatnonzero(patch.cover.any(axis=0))
    return (
        min(left, int(columns[0])),
        min(top, int(rows[0])),
        max(right, int(columns[-1]) + 1),
        max(bottom, int(rows[-1]) + 1),
    )


def _cells(first: int, last: int, start: float, stop: float, cells: int) -> tuple[Index, Index]:
    """The cell of each pixel from first to last along one axis, and the pixels (from 0) where a new one begins."""
    middle = np.arange(first, last) + 0.5
    index = np.clip(np.floor((middle - start) * (cells / (stop - start))), 0, cells - 1).astype(np.intp)
    return index, np.flatnonzero(np.diff(index, prepend=-1))


def _sums(values: Pixels, down: Index, across: Index) -> Doubles:
    """Sum over each block of rows and columns, float64 exact."""
    return np.add.reduceat(np.add.reduceat(values, down, axis=0, dtype=np.int64), across, axis=1).astype(np.float64)
