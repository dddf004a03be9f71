"""Networks that give boxes and scores as such: detectors of plates, people, screens, and whatever else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from faceveil.detect.families.base import Family, Found, Outputs, Unfit, centred, listed, rows, sigmoid, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

Form = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
CORNERS = ("x1", "y1", "x2", "y2")
Column = Literal["x1", "y1", "x2", "y2", "score", "label", "skip"]


class Boxes(Family):
    """Boxes with scores and labels, as three outputs or columns of one; suppressed by the network itself or not.

    Scores may be of each class, (n, classes); then there are no labels.
    """

    roles: ClassVar[tuple[str, ...]] = ("boxes", "scores", "labels", "table")
    optional: ClassVar[tuple[str, ...]] = roles

    family: Literal["boxes"] = "boxes"
    """The name of the family."""
    form: Form = "xyxy"
    """What the four numbers of a box are: two corners, x or y first, or a corner and sides, or the centre and sides."""
    relative: bool = False
    """Whether boxes are parts of the network's input, from 0 to 1, instead of pixels of it."""
    scores: Literal["probabilities", "sigmoid", "softmax"] = "probabilities"
    """What is still to be done to the scores."""
    background: int | None = Field(None, ge=0)
    """Number of the class, or the label, that means nothing; `labels` count it, as null."""
    columns: tuple[Column, ...] | None = None
    """Where the network gives one table: what its columns are, such as [x1, y1, x2, y2, score, label]."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        named = [column for column in self.columns or () if column != "skip"]
        if self.columns is not None and (len(set(named)) < len(named) or not {*CORNERS, "score"} <= set(named)):
            raise ValueError("columns must name x1, y1, x2, y2 and score once each, and may name label and skip")
        return self

    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """The only output, or the larger one with four columns as boxes and the only other one as scores."""
        if self.columns is not None:
            if len(given) != 1:
                raise Unfit(f"should give one table and gives {listed(given)}: name the 'table' under 'outputs'")
            return {"table": given}
        # The scores of four boxes may lie in a row of four.
        four = sorted(
            (array for array in given if array.ndim > 1 and array.shape[-1] == 4), key=lambda array: -array.size
        )
        if len(given) != 2 or not four or (len(four) == 2 and four[0].size == four[1].size):
            raise Unfit(
                f"gives {listed(given)}: name its 'boxes', 'scores' and 'labels' under 'outputs', or the 'columns' of "
                "its one table"
            )
        return {"boxes": four[:1], "scores": [array for array in given if array is not four[0]]}

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """All boxes above the threshold."""
        if self.columns is None and not {"boxes", "scores"} <= outputs.keys():
            raise Unfit("needs 'boxes' and 'scores' under 'outputs', or 'columns' of one table")
        if self.columns is not None and outputs.keys() != {"table"}:
            raise Unfit("has 'columns' of one table, so 'outputs' can name the 'table' alone")
        four, score, kind = self._from_table(outputs) if self.columns is not None else self._from_arrays(outputs)
        keep = ~(score <= threshold)
        if kind is not None and self.background is not None:
            keep &= kind != self.background
        xyxy = corners(four[keep], self.form)
        if self.relative:
            xyxy = xyxy * np.tile(np.array(size, np.float32), 2)
        counted = "labels" not in outputs and kind is not None and self.columns is None
        classes = outputs["scores"][0].shape[-1] if counted else None
        return Found(xyxy, score[keep], None, None if kind is None else kind[keep], classes)

    def _from_table(self, outputs: Outputs) -> tuple[Floats, Floats, NDArray[np.int64] | None]:
        """Four numbers of each box, scores, kinds."""
        columns, array = self.columns or (), outputs["table"][0]
        if array.ndim < 2 or array.shape[-1] != len(columns) or array.size != array.shape[-2] * len(columns):
            shape = " x ".join(map(str, array.shape))
            raise Unfit(f"should give a table with the {len(columns)} columns that are named and gives {shape}")
        table = np.asarray(array.reshape(-1, len(columns)), np.float32)
        four = table[:, [columns.index(name) for name in CORNERS]]
        score = self._activated(table[:, columns.index("score")])
        kind = whole(table[:, columns.index("label")]) if "label" in columns else None
        return four, score, kind

    def _from_arrays(self, outputs: Outputs) -> tuple[Floats, Floats, NDArray[np.int64] | None]:
        """Four numbers of each box, scores, kinds."""
        array, scores = outputs["boxes"][0], outputs["scores"][0]
        four = rows(array, array.size // 4, 4, "boxes")
        if "labels" in outputs:
            kind = whole(rows(outputs["labels"][0], len(four), 1, "labels")[:, 0])
            return four, self._activated(rows(scores, len(four), 1, "scores")[:, 0]), kind
        classes = scores.size // len(four) if len(four) else 1
        each = self._activated(rows(scores, len(four), max(classes, 1), "scores"))
        if classes <= 1:
            return four, each[:, 0], None
        if self.background is not None:
            if self.background >= classes:
                raise Unfit(f"should have a class {self.background} for the background and gives {classes} classes")
            each[:, self.background] = 0
        return four, each.max(1), each.argmax(1)

    def _activated(self, scores: Floats) -> Floats:
        if self.scores == "softmax":
            return softmax(scores)
        return sigmoid(scores) if self.scores == "sigmoid" else scores.copy()


def corners(four: Floats, form: Form) -> Floats:
    """Boxes xyxy (n, 4) from four numbers each, (n, 4), as `form` says."""
    if form == "yxyx":
        return four[:, [1, 0, 3, 2]]
    if form == "xyxy":
        return four
    if form == "cxcywh":
        return centred(four[:, :2], four[:, 2:])
    return np.concatenate([four[:, :2], four[:, :2] + four[:, 2:]], 1)


def whole(labels: Floats) -> NDArray[np.int64]:
    """Labels that a network gives as floats, (n,). Raises `Unfit` for what is no label."""
    if not np.isfinite(labels).all() or (labels != np.rint(labels)).any():
        raise Unfit("should give whole numbers as labels and gives fractions")
    return labels.astype(np.int64)
