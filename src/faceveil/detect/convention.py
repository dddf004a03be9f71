"""From another detector's boxes and sums to those of `faceveil.types`: CenterFace's boxes, scores in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from faceveil.types import Floats


class Factors(BaseModel):
    """CenterFace's box from a detector's own: factors of its sides, shifts of its centre in sides of the box.

    `tools/box_factors.py` measures them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    width: float = Field(1, gt=0, le=10)
    """Factor of the width."""
    height: float = Field(1, gt=0, le=10)
    """Factor of the height."""
    right: float = Field(0, ge=-2, le=2)
    """How far the centre moves to the right, in widths."""
    down: float = Field(0, ge=-2, le=2)
    """How far the centre moves down, in heights."""

    def converted(self, xyxy: Floats) -> Floats:
        """Boxes (n, 4) of the detector in our convention."""
        sides = xyxy[:, 2:] - xyxy[:, :2]
        centre = (xyxy[:, :2] + xyxy[:, 2:]) / 2 + sides * np.array([self.right, self.down], np.float32)
        half = sides * np.array([self.width, self.height], np.float32) / 2
        return np.asarray(np.concatenate([centre - half, centre + half], 1), np.float32)


@dataclass(frozen=True, slots=True)
class Curve:
    """The logistic curve from a detector's sums, any numbers, to the share of them that is right.

    even: the sum of which half is right. slope: how fast that share changes.
    """

    even: float
    slope: float

    def score(self, sums: Floats) -> Floats:
        """The share in [0, 1] for each sum."""
        return np.asarray(1 / (1 + np.exp(-self.slope * (sums.astype(float) - self.even))), np.float32)

    def sum(self, score: float) -> float:
        """The sum whose share is `score`, which lies between 0 and 1."""
        return self.even + log(score / (1 - score)) / self.slope


def unscaled(xyxy: Floats, scale: Floats) -> Floats:
    """Boxes (n, 4) found in a picture resized by `scale` in x and y, in the pixels of the frame."""
    return np.asarray(xyxy / np.concatenate([scale, scale]), np.float32)
