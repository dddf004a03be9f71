"""What a classical model sees of a picture: edges by direction and place, and colours by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

SIDE = 128  # px: of the square that a picture is stretched to
THUMB = 64  # px: of the picture that a convolutional network sees
CELLS = (1, 2, 4)  # a colour histogram for the whole, its quarters and its sixteenths
BINS = (8, 4, 4)  # of lightness and of both colour axes of CIELAB


def descriptor(pixels: NDArray[np.uint8]) -> Floats:
    """Features (d,) of a picture (H, W, 3), float32, root-normalised.

    Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) on cells of 16 px, and colour histograms in a spatial
    pyramid (Lazebnik, Schmid and Ponce, CVPR 2006), both compared as roots (Arandjelovic and Zisserman, CVPR 2012).
    """
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    edges = cv2.HOGDescriptor((SIDE, SIDE), (32, 32), (16, 16), (16, 16), 9).compute(small)
    return np.concatenate([_rooted(np.asarray(edges, np.float32).ravel()), _rooted(_colours(small))])


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as a convolutional network sees it, (64, 64, 3)."""
    return np.asarray(cv2.resize(pixels, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8)


def _colours(small: Any) -> Floats:
    """Histograms of all cells, one after the other; each level of the pyramid weighs as much as the others."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    found = []
    for cells in CELLS:
        step = SIDE // cells
        for y in range(0, SIDE, step):
            for x in range(0, SIDE, step):
                part = np.ascontiguousarray(lab[y : y + step, x : x + step])
                counts = cv2.calcHist([part], [0, 1, 2], None, list(BINS), [0, 256] * 3).ravel()
                found.append(counts / (step * step * cells * cells))
    return np.concatenate(found).astype(np.float32)


def _rooted(values: Floats) -> Floats:
    """Each value's root of its share of the sum."""
    total = max(float(values.sum()), 1e-9)
    return np.asarray(np.sqrt(values.clip(0) / total), np.float32)
