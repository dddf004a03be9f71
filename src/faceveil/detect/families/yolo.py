"""YOLOv5 and YOLOv8, of faces with five landmarks or of anything; raw maps of each stride, or one table of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from faceveil.detect.families.base import (
    Family,
    Found,
    Length,
    Outputs,
    Stride,
    Unfit,
    around,
    cells,
    centred,
    listed,
    shape,
    sigmoid,
    softmax,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

Anchor = tuple[Length, Length]


class _Yolo(Family):
    """What both share: the maps of each stride, or one table of all candidates that contains the decoding."""

    roles: ClassVar[tuple[str, ...]] = ("maps",)

    strides: tuple[Stride, ...] = Field((8, 16, 32), min_length=1)
    """Pixels of the input in one cell of each output."""
    landmarks: bool = False
    """Whether the network gives five landmarks."""

    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """One table, or a map for each stride, the largest first."""
        if len(given) not in (1, len(self.strides)):
            raise Unfit(
                f"should give one table or {len(self.strides)} maps and gives {listed(given)}: name those under "
                "'outputs' as 'maps'"
            )
        return {"maps": sorted(given, key=lambda array: -array.size)}

    def _count(self, size: tuple[int, int], each: int = 1) -> int:
        """Candidates of all strides, `each` for a cell."""
        return sum(each * int(np.prod(shape(size, stride))) for stride in self.strides)


class Yolo5(_Yolo):
    """YOLOv5, and YOLOv5-face by deepcam: three anchors in each cell.

    Source: Qi et al., YOLO5Face: Why Reinventing a Face Detector, 2021.
    """

    family: Literal["yolo5"] = "yolo5"
    """The name of the family."""
    anchors: tuple[Annotated[tuple[Anchor, ...], Field(min_length=1)], ...] = (
        ((4, 5), (8, 10), (13, 16)),
        ((23, 29), (43, 55), (73, 105)),
        ((146, 217), (231, 300), (335, 433)),
    )
    """For each stride, width and height in pixels of its anchors: by default those of YOLOv5-face."""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.anchors) != len(self.strides) or len({len(level) for level in self.anchors}) != 1:
            raise ValueError(f"anchors must have one list, all as long, for each of {len(self.strides)} strides")
        return self

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """Candidates of all strides: box, score of the box, ten coordinates where there are landmarks, classes."""
        maps = outputs["maps"]
        least = 6 + 10 * self.landmarks
        if len(maps) == 1 and maps[0].ndim in (2, 3):
            table = _table(maps[0], self._count(size, len(self.anchors[0])), least)
            return _scored5(table, self.landmarks, threshold)
        if len(maps) != len(self.strides):
            raise Unfit(f"should give one table or {len(self.strides)} maps and gives {listed(maps)}")
        found = []
        for array, stride, anchors in zip(maps, self.strides, self.anchors, strict=True):
            each = len(anchors)
            raw = _cells_first(array, shape(size, stride), each, least)
            grid = cells(size, stride, each)
            sides = np.tile(np.array(anchors, np.float32), (len(raw) // each, 1))
            found.append(_scored5(decode5(raw, grid, sides, stride, self.landmarks), self.landmarks, threshold))
        return Found.concatenate(found)


class Yolo8(_Yolo):
    """YOLOv8 and later without its own suppression, and YOLOv8-face by derronqi: one candidate in each cell.

    Source: Ultralytics YOLOv8, 2023; the distribution of distances: Li et al., Generalized Focal Loss, 2020.
    """

    family: Literal["yolo8"] = "yolo8"
    """The name of the family."""
    bins: int = Field(16, ge=2, le=64)
    """Of raw maps, how many values the distribution of each distance has."""

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """Candidates of all strides: box, classes, ten or fifteen numbers where there are landmarks."""
        maps = outputs["maps"]
        if len(maps) == 1 and maps[0].ndim in (2, 3):
            return _scored8(_table(maps[0], self._count(size), 5 + 10 * self.landmarks), self.landmarks, threshold)
        if len(maps) != len(self.strides):
            raise Unfit(f"should give one table or {len(self.strides)} maps and gives {listed(maps)}")
        least = 4 * self.bins + 1 + 10 * self.landmarks
        found = []
        for array, stride in zip(maps, self.strides, strict=True):
            raw = _cells_first(array, shape(size, stride), 1, least)
            table = decode8(raw, cells(size, stride), stride, self.bins, self.landmarks)
            found.append(_scored8(table, self.landmarks, threshold))
        return Found.concatenate(found)


# --- raw maps to tables ---------------------------------------------------------------------------------------------


def decode5(raw: Floats, grid: Floats, anchors: Floats, stride: int, landmarks: bool) -> Floats:
    """The table (n, c) of one stride: centre and sides in pixels, score of the box, landmarks in pixels, classes.

    raw: (n, c), before the logistic function. grid, anchors: (n, 2), each candidate's cell and its anchor in pixels.
    """
    table = sigmoid(raw)
    table[:, :2] = (table[:, :2] * 2 - 0.5 + grid) * stride
    table[:, 2:4] = (table[:, 2:4] * 2) ** 2 * anchors
    if landmarks:
        marks = raw[:, 5:15].reshape(-1, 5, 2) * anchors[:, None] + grid[:, None] * stride
        table[:, 5:15] = marks.reshape(-1, 10)
    return table


def decode8(raw: Floats, grid: Floats, stride: int, bins: int, landmarks: bool) -> Floats:
    """The table (n, 4 + c) of one stride: centre and sides in pixels, classes, landmarks in pixels.

    raw: (n, 4 * bins + c), before softmax and the logistic function: the distributions of the distances to left, top,
    right and bottom in strides, classes, and five points of two numbers, or three with their visibility. grid: (n, 2),
    each candidate's cell.
    """
    shares = softmax(raw[:, : 4 * bins].reshape(-1, 4, bins))
    distances = np.asarray(shares @ np.arange(bins, dtype=np.float32), np.float32)
    xyxy = around((grid + np.float32(0.5)) * stride, distances * stride)
    rest = sigmoid(raw[:, 4 * bins :])
    if landmarks:
        width = _widths(rest.shape[1])
        points = raw[:, -5 * width :].reshape(-1, 5, width)[..., :2]
        rest[:, -5 * width :].reshape(-1, 5, width)[..., :2] = (points * 2 + grid[:, None]) * stride
    return np.concatenate([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2], rest], 1)


# --- tables to candidates -------------------------------------------------------------------------------------------


def _scored5(table: Floats, landmarks: bool, threshold: float) -> Found:
    """Candidates of a table (n, 5 + 10 + classes); the score is that of the box times that of its best class."""
    classes = table[:, 15 if landmarks else 5 :]
    score = table[:, 4] * classes.max(1)
    keep = np.flatnonzero(~(score <= threshold))
    points = table[keep, 5:15].reshape(-1, 5, 2) if landmarks else None
    return Found(
        centred(table[keep, :2], table[keep, 2:4]), score[keep], points, classes[keep].argmax(1), classes.shape[1]
    )


def _scored8(table: Floats, landmarks: bool, threshold: float) -> Found:
    """Candidates of a table (n, 4 + classes + landmarks)."""
    width = _widths(table.shape[1] - 4) if landmarks else 0
    classes = table[:, 4 : table.shape[1] - 5 * width]
    score = classes.max(1)
    keep = np.flatnonzero(~(score <= threshold))
    points = table[keep][:, -5 * width :].reshape(-1, 5, width)[..., :2] if landmarks else None
    return Found(
        centred(table[keep, :2], table[keep, 2:4]), score[keep], points, classes[keep].argmax(1), classes.shape[1]
    )


def _widths(columns: int) -> int:
    """Numbers of one landmark, 2 or 3, where `columns` hold one class and five landmarks. Raises `Unfit`."""
    if columns not in (11, 16):
        raise Unfit(f"should give one class and five landmarks of 2 or 3 numbers and gives {columns} columns for both")
    return (columns - 1) // 5


# --- arrays ---------------------------------------------------------------------------------------------------------


def _table(array: NDArray[Any], count: int, least: int) -> Floats:
    """One table of all candidates as (count, columns), from (1, count, columns) or (1, columns, count)."""
    flat = array[0] if array.ndim == 3 and len(array) == 1 else array
    if flat.ndim == 2 and flat.shape[0] != count and flat.shape[1] == count:
        flat = flat.T
    if flat.ndim != 2 or flat.shape[0] != count or flat.shape[1] < least:
        raise Unfit(
            f"should give a table of {count} candidates with {least} columns or more for this input and gives "
            + " x ".join(map(str, array.shape))
        )
    return np.asarray(flat, np.float32)


def _cells_first(array: NDArray[Any], grid: tuple[int, int], each: int, least: int) -> Floats:
    """A raw map as (cells * each, columns), from (1, each * columns, h, w) or (1, each, h, w, columns)."""
    height, width = grid
    planes = array
    if array.ndim == 4 and array.shape[1] % each == 0:
        planes = array.reshape(len(array), each, -1, *array.shape[2:]).transpose(0, 1, 3, 4, 2)
    if planes.ndim != 5 or planes.shape[:4] != (1, each, height, width) or planes.shape[4] < least:
        raise Unfit(
            f"should give a map of {each} x {least} channels or more and {height} x {width} cells, and gives "
            + " x ".join(map(str, array.shape))
        )
    return np.asarray(planes[0].transpose(1, 2, 0, 3).reshape(-1, planes.shape[4]), np.float32)
