"""Recall on real pictures: what the presets promise, held on every eighth picture."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceveil.detect import build, regions
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from scoring import Tally, truths


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("preset", "every", "recall", "false"),
    # A little below what these very pictures give: docs/detectors.md tells of all of them.
    [("fast", 12, 0.90, 9), ("balanced", 8, 0.93, 9), ("thorough", 60, 0.95, 12)],
)
def test_recall_of_presets(preset: str, every: int, recall: float, false: float, shared: Path) -> None:
    detector, tally = build(preset, None, Runtime()), Tally()
    for truth in truths(shared / "detection")[::every]:
        tally.add(truth, detector(Frame(np.asarray(Image.open(truth.path).convert("RGB")))))
    figures = tally.figures()
    print(figures)
    assert figures["recall_iou40_20"] >= recall
    assert figures["false_per_picture"] <= false


@pytest.mark.shared_data
def test_turned_faces_are_found_as_upright_ones_are(shared: Path) -> None:
    upright, turned = build("balanced", "centerface", Runtime()), build("balanced", "rotate(centerface)", Runtime())
    straight, *others = tallies = [Tally() for _ in range(3)]
    for truth in truths(shared / "detection")[::16]:
        pixels = np.asarray(Image.open(truth.path).convert("RGB"))
        size = pixels.shape[1], pixels.shape[0]
        straight.add(truth, upright(Frame(pixels)))
        for quarters, tally in enumerate(others, 1):
            found = turned(Frame(np.ascontiguousarray(np.rot90(pixels, quarters))))
            tally.add(truth, regions.turned_back(found, quarters, size))
    recalls = [tally.figures()["recall_20"] for tally in tallies]
    assert min(recalls[1:]) >= recalls[0] - 0.02
