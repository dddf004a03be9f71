"""What was found over many pictures, as arrays that any figure can be computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faceveil.annotation import ABOUT
from faceveil.evaluate.match import MISSED, assign, average_precision
from faceveil.evaluate.truth import Truth
from faceveil.types import Regions

HEIGHTS = (12, 20, 40)
IOU, LOOSE_IOU = 0.5, 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Detections that count, of completely labelled pictures: picture, score and whether it hit a face, (d,) each."""

    picture: Any
    score: Any
    hit: Any


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One detector over p pictures with f judged faces.

    complete, ms: (p,). picture, height: (f,), which picture a face is in and how high it is.
    about: words (f,) by what they are about, empty where nothing is said.
    score: by IoU, (f,): of the detection that means each face, `MISSED` for none. found: by IoU.
    """

    complete: Any
    ms: Any
    picture: Any
    height: Any
    about: dict[str, Any]
    score: dict[float, Any]
    found: dict[float, Detections]

    @property
    def pictures(self) -> int:
        """How many."""
        return len(self.complete)


@dataclass
class Tally:
    """Collects pictures one by one, for the given IoUs."""

    ious: tuple[float, ...] = (IOU, LOOSE_IOU)
    complete: list[bool] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    heights: list[Any] = field(default_factory=list)
    about: list[dict[str, Any]] = field(default_factory=list)
    means: dict[float, list[Any]] = field(default_factory=dict)
    """By IoU, for each picture: the score of the detection that means each judged face."""
    scores: dict[float, list[Any]] = field(default_factory=dict)
    hits: dict[float, list[Any]] = field(default_factory=dict)

    def add(self, truth: Truth, regions: Regions, ms: float = 0.0) -> None:
        """Count one picture."""
        real = ~truth.ignored
        self.complete.append(truth.complete)
        self.ms.append(ms)
        self.heights.append(truth.heights[real])
        self.about.append({key: words[real] for key, words in truth.about.items()})
        for iou in self.ious:
            by, counts = assign(truth, regions, iou)
            hit = np.zeros(len(regions), bool)
            hit[by[by != MISSED]] = True
            score = np.append(regions.score, np.float32(MISSED))[by]  # MISSED takes the last
            self.means.setdefault(iou, []).append(score[real])
            kept = counts & truth.complete
            self.scores.setdefault(iou, []).append(regions.score[kept])
            self.hits.setdefault(iou, []).append(hit[kept])

    def sample(self) -> Sample:
        """All that was counted."""
        return Sample(
            complete=np.array(self.complete, bool),
            ms=np.array(self.ms, float),
            picture=_numbered(self.heights),
            height=_joined(self.heights),
            about={key: self._said(key) for key in ABOUT if any(key in one for one in self.about)},
            score={iou: _joined(self.means.get(iou, [])) for iou in self.ious},
            found={
                iou: Detections(
                    _numbered(self.scores.get(iou, [])),
                    _joined(self.scores.get(iou, [])),
                    _joined(self.hits.get(iou, []), bool),
                )
                for iou in self.ious
            },
        )

    def _said(self, key: str) -> Any:
        rows = [one.get(key, np.full(len(h), "")) for one, h in zip(self.about, self.heights, strict=True)]
        return np.concatenate([np.asarray(row, np.str_) for row in rows])

    def figures(self) -> dict[str, float]:
        """Recall at each of `HEIGHTS` and both IoUs, AP at the first, false positives per picture; NaN if undefined."""
        sample = self.sample()
        figures = {}
        for name, iou in (("recall", IOU), ("recall_iou40", LOOSE_IOU)):
            flags = sample.score[iou] != MISSED
            for least in HEIGHTS:
                asked = flags[sample.height >= least]
                figures[f"{name}_{least}"] = float(asked.mean()) if len(asked) else float("nan")
        found, whole = sample.found[IOU], sample.complete
        figures["ap"] = average_precision(found.score, found.hit, int(whole[sample.picture].sum()))
        figures["false_per_picture"] = float((~found.hit).sum() / max(int(whole.sum()), 1))
        return {name: round(value, 4) for name, value in figures.items()}


def _joined(rows: list[Any], kind: Any = np.float32) -> Any:
    return np.concatenate(rows) if rows else np.zeros(0, kind)


def _numbered(rows: list[Any]) -> Any:
    """Which row each entry of the joined rows comes from."""
    return np.repeat(np.arange(len(rows)), [len(row) for row in rows])
