"""From pixels to quantised DCT coefficients, for single blocks of a JPEG (ITU-T T.81, A.3.3 and A.3.4).

In floating point, so that blocks that were decoded come back as they were as nearly as their pixels' rounding allows.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

# RGB to Y, Cb, Cr (ITU-T T.871, 7: JFIF's), each around 0: the level shift by 128 is in the last column.
_YCBCR = np.array(
    [[0.299, 0.587, 0.114, -128], [-0.168736, -0.331264, 0.5, 0], [0.5, -0.418688, -0.081312, 0]], np.float32
)

# What Huffman coding of 8-bit pictures can hold (T.81, F.1.2): 11 bits of difference for the first, 10 for the others.
_LOWEST, _HIGHEST = np.full((8, 8), -1023, np.float32), np.float32(1023)
_LOWEST[0, 0] = -1024


def planes(rgb: NDArray[np.uint8], *, grey: bool = False, ycbcr: bool = True) -> list[Floats]:
    """Components around 0, each of shape (..., H, W), of pixels (..., H, W, 3): grey, Y Cb Cr, or R G B."""
    if not (grey or ycbcr):
        return [rgb[..., c].astype(np.float32) - 128 for c in range(3)]
    import cv2  # noqa: PLC0415  # five times as fast as numpy's product with a matrix of 3 x 3

    matrix = _YCBCR[:1] if grey else _YCBCR
    mixed = cv2.transform(rgb.reshape(-1, 1, 3).astype(np.float32), matrix)
    return [np.asarray(mixed[..., c], np.float32, order="C").reshape(rgb.shape[:-1]) for c in range(len(matrix))]


def reduced(plane: Floats, down: int, across: int) -> Floats:
    """The mean of `down` x `across` samples each, as libjpeg subsamples: (..., H, W) to (..., H / down, W / across)."""
    if down == across == 1:
        return plane
    *lead, height, width = plane.shape
    tiles = plane.reshape(*lead, height // down, down, width // across, across)
    parts = [tiles[..., y, :, x] for y in range(down) for x in range(across)]
    total = np.add(parts[0], parts[1])
    for part in parts[2:]:  # a tenth of the time of numpy's mean over two short axes
        total += part
    total /= down * across
    return total


def forward(plane: Floats, table: tuple[int, ...]) -> NDArray[np.int16]:
    """The blocks of samples (n, 8 v, 8 h) around 0 as coefficients (n, v, h, 64), natural order, quantised by `table`.

    table: 64 divisors in natural order.
    """
    count, height, width = plane.shape
    blocks = plane.reshape(count, height // 8, 8, width // 8, 8).swapaxes(2, 3)
    # Small products for each block, not one large one: that would wake the threads of the linear algebra library.
    line = _basis()
    scaled = line @ blocks @ line.T
    scaled /= np.array(table, np.float32).reshape(8, 8)
    np.clip(np.rint(scaled, out=scaled), _LOWEST, _HIGHEST, out=scaled)
    return scaled.astype(np.int16).reshape(count, height // 8, width // 8, 64)


@cache
def _basis() -> Floats:
    """(8 frequencies, 8 samples): the one-dimensional DCT."""
    k, x = np.mgrid[:8, :8]
    line = np.cos((2 * x + 1) * k * np.pi / 16) / 2
    line[0] /= np.sqrt(2)
    return np.asarray(line, np.float32)
