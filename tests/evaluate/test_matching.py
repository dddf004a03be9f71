"""Matching and average precision: their promises, and what others make of the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate_samples import crowd, regions, truths
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from faceveil.detect import boxes
from faceveil.evaluate.gauge import AP, AP_101, RECALL, Gauge
from faceveil.evaluate.match import MISSED, area, area_101, assign, average_precision, curve, match
from faceveil.evaluate.tally import Tally
from faceveil.evaluate.truth import Truth
from faceveil.types import Regions

LIMITS = st.sampled_from([0.3, 0.4, 0.5, 0.75])


@given(truth=truths(), found=regions(), limit=LIMITS)
def test_a_detection_means_one_face_and_a_face_has_one_detection(truth: Truth, found: Regions, limit: float) -> None:
    by, counts = assign(truth, found, limit)
    taken = by[by != MISSED]
    assert len(set(taken.tolist())) == len(taken)
    assert not (by[truth.ignored] != MISSED).any()
    assert counts[taken].all()
    iou = boxes.overlap(found.xyxy, truth.xyxy)
    assert all(iou[i, face] >= limit for face, i in enumerate(by) if i != MISSED)


@given(truth=truths(), found=regions(), limit=LIMITS)
def test_a_false_positive_had_no_face_left(truth: Truth, found: Regions, limit: float) -> None:
    by, counts = assign(truth, found, limit)
    iou = boxes.overlap(found.xyxy, truth.xyxy)
    for i in set(range(len(found))) - set(by.tolist()):
        for face in np.flatnonzero((iou[i] >= limit) & ~truth.ignored):
            assert found.score[by[face]] >= found.score[i]
            assert by[face] != MISSED
        assert counts[i] == (not (iou[i][truth.ignored] >= limit).any())


@given(truth=truths(), found=regions(), limit=LIMITS, least=st.integers(0, 20))
def test_leaving_out_what_scores_low_changes_nothing_for_the_rest(
    truth: Truth, found: Regions, limit: float, least: int
) -> None:
    kept = found.score >= np.float32(least / 20)
    by, counts = assign(truth, found, limit)
    fewer, still = assign(truth, found[kept], limit)
    number = np.where(kept, kept.cumsum() - 1, MISSED)
    assert fewer.tolist() == [MISSED if i == MISSED else int(number[i]) for i in by]
    assert still.tolist() == counts[kept].tolist()


@given(truth=truths(), found=regions(), limit=LIMITS)
def test_ignored_faces_count_neither_way(truth: Truth, found: Regions, limit: float) -> None:
    matched, hit, counts = match(truth, found, limit)
    real = ~truth.ignored
    bare = Truth(truth.path, truth.xyxy[real], truth.ignored[real])
    alone, hits, all_count = match(bare, found, limit)
    assert matched[real].tolist() == alone.tolist()
    assert hit.tolist() == hits.tolist()
    assert all_count.all()
    assert not hit[~counts].any()


@given(truth=truths(), found=regions(), limit=LIMITS, seed=st.integers(0, 99))
def test_the_order_of_detections_of_different_scores_says_nothing(
    truth: Truth, found: Regions, limit: float, seed: int
) -> None:
    assume(len(set(found.score.tolist())) == len(found))
    order = np.random.default_rng(seed).permutation(len(found))
    matched, hit, _ = match(truth, found, limit)
    again, hits, _ = match(truth, found[order], limit)
    assert again.tolist() == matched.tolist()
    assert hits.tolist() == hit[order].tolist()


# --- average precision -----------------------------------------------------------------------------------------------

HITS = st.lists(st.booleans(), min_size=1, max_size=60)


def _scores(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).permutation(count).astype(np.float32) / count


@given(hits=HITS, seed=st.integers(0, 99), missed=st.integers(0, 5))
def test_the_curve_is_that_of_scikit_learn(hits: list[bool], seed: int, missed: int) -> None:
    assume(any(hits))
    scores, found = _scores(len(hits), seed), np.array(hits)
    recall, precision = curve(scores, found, found.sum() + missed)
    # A face that was missed is to scikit-learn a positive with a score below all others; its last point is not ours.
    labels, told = np.append(found, np.ones(missed, bool)), np.append(scores, np.full(missed, -1.0))
    theirs = precision_recall_curve(labels, told)
    ours = len(hits)
    assert np.allclose(recall, theirs[1][::-1][1 : ours + 1])
    assert np.allclose(precision, theirs[0][::-1][1 : ours + 1])


@given(hits=HITS, seed=st.integers(0, 99))
def test_the_area_without_interpolation_is_that_of_scikit_learn(hits: list[bool], seed: int) -> None:
    assume(any(hits))
    scores, found = _scores(len(hits), seed), np.array(hits)
    recall, precision = curve(scores, found, found.sum())
    plain = float((np.diff(recall, prepend=0.0) * precision).sum())
    assert plain == pytest.approx(average_precision_score(found, scores))
    assert area(recall, precision) >= plain - 1e-12


@given(hits=HITS, seed=st.integers(0, 99), missed=st.integers(0, 5))
def test_average_precision_keeps_its_promises(hits: list[bool], seed: int, missed: int) -> None:
    scores, found = _scores(len(hits), seed), np.array(hits)
    faces = int(found.sum()) + missed
    assume(faces)
    ap = average_precision(scores, found, faces)
    assert 0 <= ap <= found.sum() / faces + 1e-12
    assert average_precision(scores**3, found, faces) == ap  # only the order counts
    worse = average_precision(np.append(scores, -1), np.append(found, False), faces)
    assert worse == pytest.approx(ap)  # one more false positive at the end costs nothing
    if missed:
        assert average_precision(np.append(scores, -1), np.append(found, True), faces) >= ap - 1e-12
    first = average_precision(np.append(scores, 2), np.append(found, False), faces)
    assert first <= ap + 1e-12
    assert abs(area_101(*curve(scores, found, faces)) - ap) <= 1 / 100 + 1 / faces


def test_the_ends_of_average_precision() -> None:
    scores = np.array([0.9, 0.8], np.float32)
    assert average_precision(scores, np.array([True, True]), 2) == 1
    assert average_precision(scores, np.array([False, False]), 2) == 0
    assert average_precision(scores[:0], np.zeros(0, bool), 2) == 0
    assert average_precision(scores, np.array([False, False]), 0) == 0
    assert average_precision(scores, np.array([False, True]), 1) == 0.5
    assert area_101(*curve(scores, np.array([True, False]), 2)) == pytest.approx(51 / 101)


@given(hits=HITS, seed=st.integers(0, 99), weights=st.lists(st.integers(0, 4), min_size=60, max_size=60))
def test_a_weight_is_so_many_copies(hits: list[bool], seed: int, weights: list[int]) -> None:
    scores, found, weight = _scores(len(hits), seed), np.array(hits), np.array(weights[: len(hits)])
    faces = int((weight * found).sum()) + 1
    copies = np.repeat(np.arange(len(hits)), weight)
    weighted = curve(scores, found, faces, weight)
    plain = curve(scores[copies], found[copies], faces)
    assert area(*weighted) == pytest.approx(area(*plain) if len(copies) else 0)
    assert area_101(*weighted) == pytest.approx(area_101(*plain) if len(copies) else 0)


@pytest.mark.parametrize(
    ("seed", "iou", "expected"),
    # COCOeval of pycocotools 2.0.11 on these very pictures, all areas, up to 10,000 detections each. None is ignored:
    # there an ignored face excuses one detection, here all that mean it.
    [
        (1, 0.5, (0.766226934520326, 0.8524590163934426)),
        (1, 0.75, (0.5416015665699089, 0.7213114754098361)),
        (2, 0.5, (0.7939581920288636, 0.85546875)),
        (2, 0.75, (0.5226671212637458, 0.69140625)),
        (3, 0.5, (0.7615527553509798, 0.8317307692307693)),
        (3, 0.75, (0.513703509404267, 0.6730769230769231)),
    ],
)
def test_average_precision_at_101_points_is_that_of_pycocotools(
    seed: int, iou: float, expected: tuple[float, float]
) -> None:
    made, found = crowd(60, seed, ignored=0)
    tally = Tally((iou,))
    for truth, one in zip(made, found, strict=True):
        tally.add(replace(truth, complete=True, path=Path("a.jpg")), one)
    sample = tally.sample()
    gauge = Gauge(sample, (1,), (iou,))
    values = dict(zip(((key.measure, key.kind) for key in gauge.keys), gauge(np.ones(60, int)), strict=True))
    assert values[AP_101, ""] == pytest.approx(expected[0], abs=1e-9)
    assert values[RECALL, "from"] == pytest.approx(expected[1], abs=1e-9)
    assert abs(values[AP, ""] - expected[0]) < 0.01
