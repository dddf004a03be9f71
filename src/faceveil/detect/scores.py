"""What scores mean: the probability that a region of a detector with some score is a labelled face.

Scores of different networks cannot be compared: MTCNN gives to every second region what CenterFace gives to hardly
any. The numbers of each detector were fitted on labelled pictures by `tools/calibrate_scores.py`, which writes
`scores.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.types import FACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats, Regions

TABLE = "scores.json"
LEAST = 1e-6  # from 0 and 1: the log-odds of every score are finite


@dataclass(frozen=True, slots=True)
class Calibration:
    """The log-odds of being a face are `slope` times those of the score, and `offset`.

    Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999. Two numbers for each detector predict the
    half of the pictures that they were not fitted on as well as isotonic regression does (log loss .094 and .095 for
    CenterFace, .268 and .265 for MTCNN), can be inverted, and keep the order of scores.
    """

    slope: float
    offset: float

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError(f"slope must be above 0, so that scores keep their order, got {self.slope}")

    def probability(self, score: NDArray[Any]) -> Floats:
        """That regions of these scores are faces."""
        return logistic(self.slope * log_odds(score) + self.offset)

    def score(self, probability: NDArray[Any]) -> Floats:
        """At which regions are faces with these probabilities."""
        return logistic((log_odds(probability) - self.offset) / self.slope)


PROBABLE = Calibration(1, 0)
"""Of scores that are probabilities."""


@cache
def calibrations() -> Mapping[str, Calibration]:
    """What was measured, by the names of detectors or, where one has several, of their networks."""
    table = json.loads((resources.files("faceveil.detect") / TABLE).read_text(encoding="utf-8"))
    return {name: Calibration(row["slope"], row["offset"]) for name, row in table["detectors"].items()}


def on_scale(found: Regions, own: Calibration | None, wanted: Calibration | None) -> Regions:
    """Regions with the scores of their faces told on another detector's scale; as they are where one is unknown."""
    if own is None or wanted is None or own == wanted or not len(found):
        return found
    told = wanted.score(own.probability(found.score))
    return replace(found, score=np.where(found.labels == FACE, told, found.score))


def log_odds(share: NDArray[Any], least: float = LEAST) -> NDArray[np.float64]:
    """Logarithm of share / (1 - share); shares nearer to 0 or 1 than `least` count as `least`."""
    inside = np.clip(np.asarray(share, np.float64), least, 1 - least)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def logistic(value: NDArray[Any]) -> Floats:
    """The share whose log-odds are `value`, float32."""
    return np.asarray(1 / (1 + np.exp(-value)), np.float32)
