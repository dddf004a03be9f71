"""What all families share: candidates, the grid of cells, and outputs brought into order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

Stride = Annotated[int, Field(ge=1, le=512)]
Length = Annotated[float, Field(gt=0, le=16384)]

Outputs = Mapping[str, list["NDArray[Any]"]]
"""Arrays by their role in the family, one for each stride, finest first, where there are several."""


class Unfit(ValueError):
    """A network is not of the family it is said to be of. The message is half a sentence that follows its name."""


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates in pixels of the network's input, overlapping ones included.

    xyxy: (n, 4). score: (n,). landmarks: (n, 5, 2) in the network's own order, or None. kind: (n,) the number of each
    one's class, or None where there is only one. classes: how many there are, or None where nobody knows.
    """

    xyxy: Floats
    score: Floats
    landmarks: Floats | None = None
    kind: NDArray[np.int64] | None = None
    classes: int | None = None

    @classmethod
    def concatenate(cls, parts: list[Found]) -> Found:
        """All candidates of `parts`, which agree on whether they have landmarks and kinds."""
        marks = [part.landmarks for part in parts if part.landmarks is not None]
        kinds = [part.kind for part in parts if part.kind is not None]
        return cls(
            np.concatenate([part.xyxy for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate(marks) if marks else None,
            np.concatenate(kinds) if kinds else None,
            parts[0].classes,
        )


class Family(BaseModel, ABC):
    """How the outputs of one kin of networks are read."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    roles: ClassVar[tuple[str, ...]]
    """What its outputs are called here, as `outputs` in a manifest names them."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Roles that a network may do without."""

    @abstractmethod
    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """A network's outputs, in its own order, by role. Raises `Unfit`."""

    @abstractmethod
    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """Candidates above the threshold, for an input of `size` (width, height). Raises `Unfit`."""


# --- outputs --------------------------------------------------------------------------------------------------------


def by_columns(
    given: list[NDArray[Any]], columns: Iterable[tuple[str, int]], count: int, optional: tuple[str, ...] = ()
) -> dict[str, list[NDArray[Any]]]:
    """Outputs by role, told by the length of their last axis; of two roles alike, the one named first comes first.

    columns: each role and the length of its last axis. count: arrays of each role; they are put in the order of their
    rows, most rows first, which is that of the strides.
    """
    waiting = list(given)
    sorted_: dict[str, list[NDArray[Any]]] = {}
    for role, width in columns:
        mine = [array for array in waiting if array.ndim and array.shape[-1] == width][:count]
        if len(mine) < count and not (role in optional and not mine):
            raise Unfit(
                f"should give {count} x '{role}', each with {width} as its last length, and gives {listed(given)}"
            )
        waiting = [array for array in waiting if not any(array is one for one in mine)]
        sorted_[role] = sorted(mine, key=lambda array: -array.size)
    if waiting:
        raise Unfit(f"gives more than its family has: {listed(waiting)}")
    return {role: arrays for role, arrays in sorted_.items() if arrays}


def in_order(given: list[NDArray[Any]], roles: tuple[str, ...]) -> dict[str, list[NDArray[Any]]]:
    """Outputs by role, one each, in the network's own order."""
    if len(given) != len(roles):
        raise Unfit(f"should give {len(roles)} outputs ({', '.join(roles)}) and gives {listed(given)}")
    return {role: [array] for role, array in zip(roles, given, strict=True)}


def rows(array: NDArray[Any], count: int, columns: int, what: str) -> Floats:
    """An output as float32 (count, columns), whatever axes of length 1 it has. Raises `Unfit`."""
    if array.size != count * columns or array.ndim == 0 or (columns > 1 and array.shape[-1] != columns):
        raise Unfit(f"should give '{what}' as {count} x {columns} numbers for this input and gives {_shape(array)}")
    return np.asarray(array.reshape(count, columns), np.float32)


def listed(arrays: list[NDArray[Any]]) -> str:
    """How many outputs there are, and their shapes, for complaints."""
    if not arrays:
        return "no outputs"
    return f"{len(arrays)} output{'s' * (len(arrays) > 1)} ({', '.join(_shape(array) for array in arrays)})"


def _shape(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape)) or "one number"


# --- grids ----------------------------------------------------------------------------------------------------------


def shape(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of the output of that stride, for an input of `size` (width, height)."""
    return -(-size[1] // stride), -(-size[0] // stride)


def cells(size: tuple[int, int], stride: int, each: int = 1) -> Floats:
    """Column and row of every cell, (n, 2), row by row, each cell `each` times in a row."""
    height, width = shape(size, stride)
    grid = np.mgrid[:height, :width][::-1].reshape(2, -1).T
    return np.repeat(grid, each, axis=0).astype(np.float32)


def around(points: Floats, distances: Floats) -> Floats:
    """Boxes (n, 4) from points (n, 2) inside and their distances to left, top, right and bottom (n, 4)."""
    reach = np.maximum(distances, 0)  # a border on the wrong side of the point is noise
    return np.concatenate([points - reach[:, :2], points + reach[:, 2:]], 1)


def centred(centres: Floats, sides: Floats) -> Floats:
    """Boxes (n, 4) from centres and sides, (n, 2) each."""
    return np.concatenate([centres - sides / 2, centres + sides / 2], 1)


def sigmoid(values: Floats) -> Floats:
    """The logistic function, safe for values of any size."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)


def softmax(values: Floats) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)
