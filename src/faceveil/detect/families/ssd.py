"""RetinaFace and UltraFace: shifts of prior boxes, as in SSD."""

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
    by_columns,
    cells,
    centred,
    rows,
    shape,
    softmax,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

Sizes = Annotated[tuple[Length, ...], Field(min_length=1)]


class _Ssd(Family):
    """What both share. Whatever is not background is a face.

    Source of the boxes: Liu et al., SSD: Single Shot MultiBox Detector, 2016.
    """

    roles: ClassVar[tuple[str, ...]] = ("boxes", "scores", "landmarks")
    optional: ClassVar[tuple[str, ...]] = ("landmarks",)
    spread: ClassVar[bool]
    """Whether the priors of a stride are spread evenly over the input, even where it is no multiple of the stride."""
    clip: ClassVar[bool]
    """Whether priors are cut to the size of the input."""

    strides: tuple[Stride, ...]
    """Pixels of the input in one cell of each output."""
    sizes: tuple[Sizes, ...]
    """For each stride, the sides in pixels of its square priors."""
    variances: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.1, 0.2)
    """Factors of the shifts of centres and of the logarithms of sides."""
    decoded: bool
    """Whether the network gives corners relative to its input instead of shifts of its priors."""
    scores: Literal["probabilities", "logits"] = "probabilities"
    """What the scores are: of each class, background first."""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.sizes) != len(self.strides):
            raise ValueError(f"sizes must have one list for each of {len(self.strides)} strides, got {len(self.sizes)}")
        return self

    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """By their last lengths: 4 for boxes, 10 for landmarks, 2 or 3 for scores."""
        lengths = {array.shape[-1] for array in given if array.ndim}
        classes = next((count for count in (2, 3) if count in lengths), 2)
        return by_columns(given, [("boxes", 4), ("scores", classes), ("landmarks", 10)], 1, self.optional)

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """Candidates of all priors."""
        known = self.priors(size)
        scores = outputs["scores"][0]
        if scores.ndim == 0 or scores.shape[-1] < 2:
            raise Unfit("should give 'scores' for two classes or more, background first")
        confidence = rows(scores, len(known), scores.shape[-1], "scores")
        boxes = rows(outputs["boxes"][0], len(known), 4, "boxes")
        marks = rows(outputs["landmarks"][0], len(known), 10, "landmarks") if "landmarks" in outputs else None
        if self.scores == "logits":
            confidence = softmax(confidence)
        score = confidence[:, 1:].sum(1)
        keep = np.flatnonzero(~(score <= threshold))
        known, boxes = known[keep], boxes[keep]
        sides = np.tile(np.array(size, np.float32), 2)
        xyxy = boxes * sides if self.decoded else shifted(boxes, known, self.variances)
        if marks is None:
            return Found(xyxy, score[keep])
        marks = marks[keep].reshape(-1, 5, 2)
        points = marks * sides[:2] if self.decoded else moved(marks, known, self.variances[0])
        return Found(xyxy, score[keep], points)

    def priors(self, size: tuple[int, int]) -> Floats:
        """Centre and sides in pixels of every prior, (n, 4): stride by stride, row by row, size by size."""
        made = []
        for stride, sides in zip(self.strides, self.sizes, strict=True):
            height, width = shape(size, stride)
            step = (size[0] / width, size[1] / height) if self.spread else (stride, stride)
            centres = (cells(size, stride, len(sides)) + 0.5) * np.array(step, np.float32)
            square = np.tile(np.array(sides, np.float32), width * height)
            made.append(np.concatenate([centres, np.stack([square, square], 1)], 1))
        priors = np.concatenate(made)
        limit = np.tile(np.array(size, np.float32), 2)
        return np.asarray(priors.clip(0, limit) if self.clip else priors, np.float32)


class RetinaFace(_Ssd):
    """RetinaFace as biubug6's Pytorch_Retinaface exports it: mobilenet0.25 and ResNet-50.

    Source: Deng et al., RetinaFace: Single-stage Dense Face Localisation in the Wild, 2019.
    """

    spread: ClassVar[bool] = False
    clip: ClassVar[bool] = False

    family: Literal["retinaface"] = "retinaface"
    """The name of the family."""
    strides: tuple[Stride, ...] = Field((8, 16, 32), min_length=1)
    """Pixels of the input in one cell of each output."""
    sizes: tuple[Sizes, ...] = ((16, 32), (64, 128), (256, 512))
    """For each stride, the sides in pixels of its square priors."""
    decoded: bool = False
    """Whether the network gives corners relative to its input instead of shifts of its priors."""


class UltraFace(_Ssd):
    """Ultra-Light-Fast-Generic-Face-Detector-1MB by Linzaer; its exports contain the decoding as a rule."""

    spread: ClassVar[bool] = True
    clip: ClassVar[bool] = True

    family: Literal["ultraface"] = "ultraface"
    """The name of the family."""
    strides: tuple[Stride, ...] = Field((8, 16, 32, 64), min_length=1)
    """Pixels of the input in one cell of each output."""
    sizes: tuple[Sizes, ...] = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
    """For each stride, the sides in pixels of its square priors."""
    decoded: bool = True
    """Whether the network gives corners relative to its input instead of shifts of its priors."""


def shifted(shifts: Floats, priors: Floats, variances: tuple[float, float]) -> Floats:
    """Boxes (n, 4) in pixels from shifts of priors: centres in sides of the prior, logarithms of the sides' ratio.

    shifts, priors: (n, 4). variances: what the shifts of centres and sides were divided by in training.
    """
    centres = priors[:, :2] + shifts[:, :2] * variances[0] * priors[:, 2:]
    return centred(centres, priors[:, 2:] * np.exp(shifts[:, 2:] * variances[1]))


def moved(marks: Floats, priors: Floats, variance: float) -> Floats:
    """Landmarks (n, 5, 2) in pixels from their distances (n, 5, 2) to the prior's centre, in sides of the prior."""
    return np.asarray(priors[:, None, :2] + marks * variance * priors[:, None, 2:], np.float32)
