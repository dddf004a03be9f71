"""YuNet: one cell, one face; its score is the mean of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from faceveil.detect.families.base import Family, Found, Outputs, Stride, by_columns, cells, centred, rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

COLUMNS = {"cls": 1, "obj": 1, "boxes": 4, "landmarks": 10}


class YuNet(Family):
    """YuNet of OpenCV Zoo, 2023mar and later, and of libfacedetection.train.

    Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023; OpenCV's class FaceDetectorYN.
    """

    roles: ClassVar[tuple[str, ...]] = tuple(COLUMNS)

    family: Literal["yunet"] = "yunet"
    """The name of the family."""
    strides: tuple[Stride, ...] = Field((8, 16, 32), min_length=1)
    """Pixels of the input in one cell of each output."""

    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """By their last lengths; of the two that have one column, `cls` comes first."""
        return by_columns(given, COLUMNS.items(), len(self.strides))

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """Candidates of all strides."""
        found = []
        for i, stride in enumerate(self.strides):
            grid = cells(size, stride)
            maps = [rows(outputs[role][i], len(grid), width, role) for role, width in COLUMNS.items()]
            found.append(decode(maps[0][:, 0], maps[1][:, 0], maps[2], maps[3], grid, stride, threshold))
        return Found.concatenate(found)


def decode(
    cls: Floats, obj: Floats, shifts: Floats, marks: Floats, grid: Floats, stride: int, threshold: float
) -> Found:
    """Candidates of one stride.

    cls, obj: (n,), a face here, and an object of this cell's own; the score is their geometric mean. shifts: (n, 4),
    centre from the cell's corner in cells, logarithms of the sides in cells. marks: (n, 10), x before y, likewise from
    the corner. grid: (n, 2), column and row of each cell.
    """
    score = np.sqrt(cls.clip(0, 1) * obj.clip(0, 1))
    keep = np.flatnonzero(~(score <= threshold))  # not a number stays, to be complained about
    grid, shifts = grid[keep], shifts[keep]
    xyxy = centred((grid + shifts[:, :2]) * stride, np.exp(shifts[:, 2:]) * stride)
    points = (grid[:, None] + marks[keep].reshape(-1, 5, 2)) * stride
    return Found(xyxy, score[keep], points)
