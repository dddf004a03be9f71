"""A detector beside the library that it comes from, on real pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceveil.detect.base import Detector
from faceveil.types import Frame, Regions

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from scoring import Tally, truths

Theirs = Callable[[Any], tuple[Any, Any]]
"""From pixels (H, W, 3) to boxes (n, 4) in our convention, and scores (n,)."""


def compare(
    detector: Detector,
    theirs: Theirs,
    shared: Path,
    *,
    pictures: slice,
    exact: float | None = None,
    better: bool = False,
) -> dict[str, float]:
    """The detector's figures, after asserting that its recall is within .01 of theirs from 20 and from 40 px.

    exact: how far the boxes may differ in pixels, None for as much as they like. better: it may find more.
    """
    one, other = Tally(), Tally()
    for truth in truths(shared / "detection")[pictures]:
        pixels = np.asarray(Image.open(truth.path).convert("RGB"))
        found, (xyxy, score) = detector(Frame(pixels)), theirs(pixels)
        if exact is not None:
            assert ordered(found.xyxy) == pytest.approx(ordered(xyxy), abs=exact)
        one.add(truth, found)
        other.add(truth, Regions(xyxy, score))
    ours, known = one.figures(), other.figures()
    for least in ("recall_20", "recall_40"):
        assert known[least] > 0
        assert ours[least] >= known[least] - 0.01
        assert better or ours[least] <= known[least] + 0.01
    return ours


def ordered(xyxy: Any) -> Any:
    """Boxes from left to right."""
    return xyxy[np.lexsort(xyxy.T.round(1)[::-1])]
