"""Which face a detection means, and what follows from it for the whole: the COCO way, numpy only.

Detections are matched in order of score, each to the free face with the highest IoU. A detection that matches only an
ignored face is left out; the rest are false positives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.detect import boxes
from faceveil.evaluate.truth import Truth
from faceveil.types import Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSED = -1


def assign(truth: Truth, regions: Regions, limit: float) -> tuple[NDArray[np.intp], Any]:
    """Which detection means each face (n,), `MISSED` for none, and which detections count at all (m,).

    limit: the IoU from which a detection means a face. Leaving out detections below a score changes nothing for the
    others: one pass serves all thresholds.
    """
    iou = boxes.overlap(regions.xyxy, truth.xyxy)
    by = np.full(len(truth.xyxy), MISSED, np.intp)
    counts = np.ones(len(regions), bool)
    for i in np.argsort(-regions.score, kind="stable"):
        free = np.where((by != MISSED) | truth.ignored, 0, iou[i])
        if len(free) and free.max() >= limit:
            by[free.argmax()] = i
        elif (iou[i][truth.ignored] >= limit).any():
            counts[i] = False
    return by, counts


def match(truth: Truth, regions: Regions, limit: float) -> tuple[Any, Any, Any]:
    """Which faces were matched (n,), which detections hit a face (m,), and which detections count at all (m,)."""
    by, counts = assign(truth, regions, limit)
    hit = np.zeros(len(regions), bool)
    hit[by[by != MISSED]] = True
    return by != MISSED, hit, counts


# --- precision and recall --------------------------------------------------------------------------------------------


def curve(scores: Any, hits: Any, faces: float, weights: Any = None) -> tuple[Any, Any]:
    """Recall and precision (m,) after each detection, best score first.

    scores, hits: (m,). weights: how often each detection counts, once where unset; `faces` are then weighted, too.
    """
    order = np.argsort(-scores, kind="stable")
    weight = np.ones(len(order)) if weights is None else weights[order]
    true, all_ = (weight * hits[order]).cumsum(), weight.cumsum()
    precision = np.divide(true, all_, out=np.zeros(len(order)), where=all_ > 0)
    return (true / faces if faces else np.zeros(len(order))), precision


def envelope(precision: Any) -> Any:
    """The best precision at each recall or beyond."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def area(recall: Any, precision: Any) -> float:
    """Area under the interpolated precision-recall curve, all points."""
    return float((np.diff(recall, prepend=0.0) * envelope(precision)).sum())


def area_101(recall: Any, precision: Any) -> float:
    """Mean of the interpolated precision at recall 0, .01 ... 1, as COCO's own evaluation has it."""
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(envelope(precision), 0.0)[at].mean())


def average_precision(scores: Any, hits: Any, faces: int) -> float:
    """Area under the interpolated precision-recall curve, all points."""
    return area(*curve(scores, hits, faces)) if faces and len(scores) else 0.0
