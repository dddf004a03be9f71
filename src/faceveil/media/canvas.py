"""The canvas on which the frames of GIF and APNG are laid over each other, as viewers do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Mask, Pixels

KEEP, CLEAR, RESTORE = range(3)  # what happens to a frame's area when its time is over

Area = tuple[int, int, int, int]  # left, top, right, bottom; half-open


class Canvas:
    """Pixels (H, W, 3) and alpha (H, W), transparent black at first."""

    def __init__(self, width: int, height: int, *, bits: int = 8) -> None:
        self.pixels: Pixels = np.zeros((height, width, 3), np.uint8)
        self.alpha: Pixels = np.zeros((height, width), np.uint8)
        if bits == 16:
            self.pixels, self.alpha = self.pixels.astype(np.uint16), self.alpha.astype(np.uint16)
        self._before: tuple[Pixels, Pixels] | None = None
        self._area: Area = (0, 0, 0, 0)
        self._dispose = KEEP

    def enter(self, area: Area, dispose: int) -> tuple[Pixels, Pixels]:
        """Dispose of the frame before, and give the pixels and alpha of the next one's area, to draw into."""
        x1, y1, x2, y2 = self._area
        if self._dispose == CLEAR:
            self.pixels[y1:y2, x1:x2] = 0
            self.alpha[y1:y2, x1:x2] = 0
        elif self._dispose == RESTORE and self._before:
            self.pixels[y1:y2, x1:x2], self.alpha[y1:y2, x1:x2] = self._before
        x1, y1, x2, y2 = self._area = area
        self._dispose = dispose
        place = self.pixels[y1:y2, x1:x2], self.alpha[y1:y2, x1:x2]
        self._before = (place[0].copy(), place[1].copy()) if dispose == RESTORE else None
        return place

    def shown(self, *, alpha: bool) -> Frame:
        """What a viewer shows now, as a frame of its own."""
        return Frame(self.pixels.copy(), self.alpha.copy() if alpha else None)


def put(place: tuple[Pixels, Pixels], pixels: Pixels, opaque: Mask) -> None:
    """Draw opaque pixels; what is not opaque leaves the canvas as it is. Shapes (h, w, 3) and (h, w)."""
    place[0][opaque] = pixels[opaque]
    place[1][opaque] = np.iinfo(place[1].dtype).max


def over(place: tuple[Pixels, Pixels], pixels: Pixels, alpha: Pixels) -> None:
    """Blend half-transparent pixels over the canvas (PNG, 13.16), straight alpha. Shapes (h, w, 3) and (h, w)."""
    top = np.iinfo(alpha.dtype).max
    above = alpha.astype(np.float64) / top
    below = place[1].astype(np.float64) / top * (1 - above)
    whole: NDArray[np.float64] = above + below
    share = np.divide(above, whole, out=np.zeros_like(whole), where=whole > 0)[..., None]
    mixed = pixels * share + place[0] * (1 - share)
    place[0][...] = np.where(whole[..., None] > 0, np.rint(mixed), 0).astype(pixels.dtype)
    place[1][...] = np.rint(whole * top).astype(alpha.dtype)
