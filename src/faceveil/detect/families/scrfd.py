"""SCRFD: two anchor points in each cell's corner, distances to the four borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from faceveil.detect.families.base import Family, Found, Outputs, Stride, around, by_columns, cells, rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

COLUMNS = {"scores": 1, "boxes": 4, "landmarks": 10}


class Scrfd(Family):
    """SCRFD as InsightFace exports it, with and without key points.

    Source: Guo et al., Sample and Computation Redistribution for Efficient Face Detection, 2021.
    """

    roles: ClassVar[tuple[str, ...]] = tuple(COLUMNS)
    optional: ClassVar[tuple[str, ...]] = ("landmarks",)

    family: Literal["scrfd"] = "scrfd"
    """The name of the family."""
    strides: tuple[Stride, ...] = Field((8, 16, 32), min_length=1)
    """Pixels of the input in one cell of each output."""
    anchors: int = Field(2, ge=1, le=16)
    """Candidates in each cell."""

    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """By their last lengths."""
        return by_columns(given, COLUMNS.items(), len(self.strides), self.optional)

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """Candidates of all strides."""
        found = []
        for i, stride in enumerate(self.strides):
            corners = cells(size, stride, self.anchors) * stride
            maps = {role: rows(arrays[i], len(corners), COLUMNS[role], role) for role, arrays in outputs.items()}
            found.append(decode(maps["scores"][:, 0], maps["boxes"], maps.get("landmarks"), corners, stride, threshold))
        return Found.concatenate(found)


def decode(
    score: Floats, distances: Floats, marks: Floats | None, corners: Floats, stride: int, threshold: float
) -> Found:
    """Candidates of one stride.

    score: (n,). distances: (n, 4), from the anchor point to left, top, right and bottom in strides. marks: (n, 10), x
    before y, from the anchor point in strides, or None. corners: (n, 2), the anchor points in pixels.
    """
    keep = np.flatnonzero(~(score <= threshold))
    corners = corners[keep]
    points = None if marks is None else corners[:, None] + marks[keep].reshape(-1, 5, 2) * stride
    return Found(around(corners, distances[keep] * stride), score[keep], points)
