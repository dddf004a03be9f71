"""Cells of smooth pictures become pixels without kinks and bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faceveil.deidentify.base import Faces, Patch
from faceveil.deidentify.coarse import enlarged


def blank(height: int, width: int, dtype: type[np.uint8 | np.uint16]) -> Patch:
    pixels: Any = np.zeros((height, width, 3), dtype)
    nothing = np.zeros((0, 4), np.float32)
    return Patch(pixels, pixels[:, :, 0] > 0, pixels[:, :, 0] == 0, Faces(nothing, nothing))


@pytest.mark.parametrize("step", [4, 8, 12])
def test_cells_are_enlarged_without_kinks(step: int) -> None:
    cells = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32)
    out = enlarged(cells * np.float32(65535), step, blank(12 * step, 12 * step, np.uint16)).astype(float) / 65535
    bend = np.abs(np.diff(out, n=2, axis=1)).max()
    # A quadratic spline bends by at most 4 / step^2 of the range, a last step of 3 adds a little; straight lines
    # between cells bend by up to 2 / step.
    assert bend < 6 / step**2
    assert np.abs(out.mean() - cells.mean()) < 0.01


def test_smooth_areas_are_dithered_and_not_banded() -> None:
    slow = np.repeat(np.linspace(100, 104, 50, dtype=np.float32)[None, :, None], 40, axis=0).repeat(3, axis=2)
    column = enlarged(slow, 8, blank(320, 400, np.uint8))[:, 212, 0].astype(int)
    # Without the dither a column of a horizontal gradient has one value, and a step where it changes.
    assert len(np.unique(column)) >= 2
    assert np.abs(np.diff(column)).max() <= 3
