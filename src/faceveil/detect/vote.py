"""vote: several looks at one picture judged together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from faceveil.detect import regions
from faceveil.detect.base import Detector
from faceveil.detect.compose import SAME_FACE, Composed, Limit, told
from faceveil.detect.scores import log_odds, logistic
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSEEN = 0.02  # scores below this count as this: what a look does not find is no proof that nothing is there
MIDDLE = 24  # px, the height at which `large` changes nothing


class Vote(Composed):
    """Several looks that vote: a region is a face for how well one look sees it and for how many see it at all.

    The looks should find more than they are sure of: their thresholds belong at about half of its own. It is the only
    way to have less of what is none without losing faces; all other compositions add.
    """

    name: ClassVar[str] = "vote"
    positional: ClassVar[str] = "detectors"

    detectors: tuple[Detector, ...] = Field(min_length=1)
    """The looks. Scores of other detectors are told on the scale of the first where both scales are known."""
    score_threshold: float = Field(0.2, ge=0, le=1)
    """Faces below this score are dropped."""
    agreement: float = Field(0.5, ge=0, le=1)
    """How much the mean of all looks counts, beside the best of them."""
    large: float = Field(0.2, ge=0, le=2)
    """What a score gains, in log-odds, where a face is twice as high: to miss a large face costs more."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        looks = [self.seen(detector, frame) for detector in self.detectors]
        found = Regions.concatenate(looks)
        look = np.repeat(np.arange(len(looks)), [len(seen) for seen in looks])
        kept = [Regions()]
        for label in np.unique(found.labels):
            mine = np.flatnonzero(found.labels == label)
            kept.append(self._judged(found[mine], look[mine], len(looks)))
        judged = regions.in_order(Regions.concatenate(kept))
        return told(self, judged[judged.score >= self.score_threshold])

    def _judged(self, found: Regions, look: NDArray[np.intp], looks: int) -> Regions:
        """One region for each thing of one label. look: (n,), by which of the looks each region was seen."""
        single, owner = regions.grouped(found, self.iou)
        seen = np.zeros((len(single), looks), np.float32)
        np.maximum.at(seen, (owner, look), found.score)
        best, mean = log_odds(seen.max(1), UNSEEN), log_odds(seen.mean(1), UNSEEN)
        height = (single.xyxy[:, 3] - single.xyxy[:, 1]).clip(1)
        odds = (1 - self.agreement) * best + self.agreement * mean + self.large * np.log2(height / MIDDLE)
        return replace(single, score=logistic(odds))
