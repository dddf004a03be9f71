"""What has changed in a picture: inside of what was covered, where all should, and outside, where nothing should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGMA, C1, C2 = 1.5, (0.01 * 255) ** 2, (0.03 * 255) ** 2
PERFECT = 99.0  # dB: what equal pictures are given, whose PSNR has no end
MEASURES = ("ssim_inside", "ssim_outside", "psnr_inside", "psnr_outside", "covered")


def compared(before: NDArray[np.uint8], after: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """SSIM and PSNR (dB) inside and outside of a mask (H, W), and its share of the picture: `MEASURES`, (5,).

    NaN where there is no such pixel. SSIM is that of luma: Wang et al., Image Quality Assessment, 2004, with a Gaussian
    window of 1.5 px; near the edge of the mask windows reach across it.
    """
    likeness = ssim(before, after)
    wrong = (before.astype(np.float32) - after) ** 2
    parts = [_mean(likeness, part) for part in (inside, ~inside)]
    parts += [_decibels(_mean(wrong.mean(2), part)) for part in (inside, ~inside)]
    return np.array([*parts, inside.mean()])


def ssim(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Likeness of each place of two pictures (H, W, 3), (H, W)."""
    x, y = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (before, after))

    def around(values: Any) -> Any:
        return cv2.GaussianBlur(values, (11, 11), SIGMA, borderType=cv2.BORDER_REFLECT)

    mx, my = around(x), around(y)
    vx, vy, both = around(x * x) - mx * mx, around(y * y) - my * my, around(x * y) - mx * my
    found = (2 * mx * my + C1) * (2 * both + C2) / ((mx * mx + my * my + C1) * (vx + vy + C2))
    return np.asarray(found, np.float32)


def _mean(values: Any, where: NDArray[np.bool_]) -> float:
    return float(values[where].mean()) if where.any() else float("nan")


def _decibels(error: float) -> float:
    return min(PERFECT, float(10 * np.log10(255**2 / error))) if error > 0 else (PERFECT if error == 0 else error)
