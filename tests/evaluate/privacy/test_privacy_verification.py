"""False matches and false non-matches beside scikit-learn and pyeer, intervals beside a bootstrap of pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from privacy_samples import crowd, embeddings, lost
from pyeer.eer_info import get_eer_stats
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_curve

from faceveil.evaluate.privacy.attackers import templates
from faceveil.evaluate.privacy.folds import folds
from faceveil.evaluate.privacy.measures import person_draws
from faceveil.evaluate.privacy.verification import (
    FMRS,
    MOST,
    Scores,
    confuse,
    equal_error,
    histogram,
    of_pairs,
    of_references,
    rates,
    verify,
)

_SCORES = st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=60).map(np.array)


def _pairs(people: int = 20, each: int = 8, clear: float = 0.6, missing: float = 0.0) -> Scores:
    who = crowd(people, each)
    rows = embeddings(who, clear)
    return of_pairs(rows, lost(rows, missing), who, both=False, seed=0)


@given(mated=_SCORES, nonmated=_SCORES)
def test_rates_and_eer_are_those_of_scikit_learn(mated: Any, nonmated: Any) -> None:
    truth = np.repeat([1, 0], [len(mated), len(nonmated)])
    fpr, tpr, limits = roc_curve(truth, np.concatenate([mated, nonmated]), drop_intermediate=False)
    steps, fmr, fnmr = rates(mated, nonmated)
    np.testing.assert_allclose(steps, limits)
    np.testing.assert_allclose(fmr, fpr)
    np.testing.assert_allclose(fnmr, 1 - tpr)
    line = interp1d(np.append(fpr, 1), np.append(tpr, 1))
    if not (np.diff(fpr) == 0).any():  # the usual recipe needs a function of FMR
        theirs = brentq(lambda x: 1 - x - line(x), 0, 1)
        assert equal_error(fmr, fnmr) == pytest.approx(theirs, abs=1e-6)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(20, 200), apart=st.floats(1, 4))
def test_the_eer_is_that_of_pyeer(seed: int, n: int, apart: float) -> None:
    rng = np.random.default_rng(seed)
    mated, nonmated = rng.normal(apart, 1, n), rng.normal(0, 1, 3 * n)
    theirs = get_eer_stats(mated, nonmated)
    _, fmr, fnmr = rates(mated, nonmated)
    assert equal_error(fmr, fnmr) == pytest.approx(theirs.eer, abs=1 / n)  # they take the middle of a step


def test_fnmr_at_an_fmr_is_that_of_pyeer_and_of_scikit_learn() -> None:
    scores = _pairs(40, 10, 0.5)
    own, other = scores.score[scores.mated], scores.score[~scores.mated]
    made = verify(scores, person_draws(scores.people, 200, 0))
    theirs = get_eer_stats(own, other)
    assert made.eer.value == pytest.approx(theirs.eer, abs=2e-4)
    assert made.points[0].fnmr.value == pytest.approx(theirs.fmr100, abs=1e-9)
    assert made.points[1].fnmr.value == pytest.approx(theirs.fmr1000, abs=1e-9)
    fpr, tpr, _ = roc_curve(scores.mated, scores.score, drop_intermediate=False)
    for point, fmr in zip(made.points, FMRS, strict=True):
        assert point.fnmr.value == pytest.approx(1 - tpr[fpr <= fmr].max())
        assert point.matches == round(fpr[fpr <= fmr].max() * len(other))
        assert point.firm == (min(point.matches, point.misses) >= 30)
    for fmr, fnmr in made.det:
        assert any(np.isclose(fpr, fmr, atol=1e-6) & np.isclose(1 - tpr, fnmr, atol=1e-6))


def test_each_pair_of_different_photos_is_compared_once() -> None:
    who = crowd(4, 3)
    rows = embeddings(who, 1.0)
    both = of_pairs(rows, rows, who, both=True, seed=0)
    assert len(both.score) == 12 * 11 / 2
    assert int(both.mated.sum()) == 4 * 3
    each = of_pairs(rows, rows[::-1].copy(), who, both=False, seed=0)
    assert len(each.score) == 12 * 11
    distances = np.linalg.norm(rows[::-1][:, None].astype(float) - rows, axis=2)
    expected = [-distances[i, j] for i in range(12) for j in range(12) if i != j]
    np.testing.assert_allclose(each.score, expected, atol=1e-6)
    same = of_pairs(rows, rows, replace(who, photo=who.photo // 3), both=True, seed=0)
    assert not same.mated.any()  # all photos of a person are one photo


def test_named_pairs_alone_are_compared() -> None:
    who = crowd(4, 3)
    pairs = np.array([[0, 1], [0, 3], [4, 8]])
    named = replace(who, pairs=pairs, mated=np.array([True, False, False]))
    rows = embeddings(who, 1.0)
    made = of_pairs(rows, rows, named, both=True, seed=0)
    assert made.mated.tolist() == [True, False, False]
    np.testing.assert_allclose(made.score, -np.linalg.norm(rows[pairs[:, 0]] - rows[pairs[:, 1]], axis=1), atol=1e-6)
    assert len(of_pairs(rows, rows[::-1].copy(), named, both=False, seed=0).score) == 6


def test_what_was_not_acquired_never_matches_in_generalised_rates() -> None:
    whole, part = _pairs(), _pairs(missing=0.4)
    weights = person_draws(20, 200, 0)
    made, less = verify(whole, weights), verify(part, weights)
    assert made.failed == 0
    assert made.generalised_eer == pytest.approx(made.eer.value)
    assert less.failed == pytest.approx(np.isnan(part.score[part.mated]).mean())
    for point in less.points:
        own = part.score[part.mated]
        assert point.threshold is not None
        assert point.generalised == pytest.approx(1 - (own >= point.threshold).mean())
    assert less.generalised_eer is not None
    assert less.generalised_eer > (less.eer.value or 0)


def test_intervals_are_those_of_drawing_people_and_counting_pairs() -> None:
    scores = _pairs(60, 6, 0.5)
    made = verify(scores, person_draws(60, 1000, 0))
    order = np.argsort(-scores.score)
    mated, left, right = scores.mated[order], scores.left[order], scores.right[order]
    eers, fnmrs = [], []
    for times in person_draws(60, 500, 7):
        fmr, fnmr = ((~mated * times[left] * times[right]).cumsum(), (mated * times[left]).cumsum())
        fmr, fnmr = fmr / fmr[-1], 1 - fnmr / fnmr[-1]
        eers.append(fmr[np.argmin(np.abs(fmr - fnmr))])
        fnmrs.append(fnmr[fmr <= 0.01].min())
    for rate, drawn in ((made.eer, eers), (made.points[0].fnmr, fnmrs)):
        assert rate.value is not None
        wilson = binomtest(round(rate.value * 360), 360).proportion_ci(0.95, method="wilson")
        low, high = np.percentile(drawn, [2.5, 97.5])
        assert rate.low == pytest.approx(min(low, wilson.low), abs=0.1 * (high - low))
        assert rate.high == pytest.approx(max(high, wilson.high), abs=0.1 * (high - low))


def test_the_confusion_is_that_of_scikit_learn() -> None:
    scores = _pairs(60, 6)
    made = confuse(scores, 1.2, "as published", person_draws(60, 1000, 0))
    (tn, fp), (fn, tp) = confusion_matrix(scores.mated, -scores.score <= 1.2)
    assert made.mated.value == pytest.approx(tp / (tp + fn))
    assert made.nonmated.value == pytest.approx(fp / (fp + tn))
    assert made.generalised == pytest.approx((tp / (tp + fn), fp / (fp + tn)))
    assert made.nonmated.low is not None
    assert made.nonmated.high is not None
    drawn = []
    for times in person_draws(60, 400, 3):
        weight = (times[scores.left] * times[scores.right])[~scores.mated]
        drawn.append(np.average(-scores.score[~scores.mated] <= 1.2, weights=weight))
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert made.nonmated.low == pytest.approx(low, abs=0.2 * (high - low))
    assert made.nonmated.high == pytest.approx(high, abs=0.2 * (high - low))


def test_references_are_the_scores_of_all_folds() -> None:
    who = crowd(10, 6)
    rows = embeddings(who, 0.8)
    attacker = templates(rows, rows, who.person)
    blocks = [(attacker(fold), who.person[fold.probe]) for fold in folds(who)]
    made = of_references(blocks, 60, 10)
    assert len(made.score) == 10 * 30 * 10
    assert int(made.mated.sum()) == 10 * 30
    assert made.score[made.mated].mean() > made.score[~made.mated].mean()


def test_identical_scores_are_an_eer_of_one_half() -> None:
    made = verify(Scores(np.zeros(60), np.arange(60) % 5, np.zeros(60, int), 60, 5), person_draws(5, 200, 0))
    assert made.eer.value == pytest.approx(0.5)
    assert [point.fnmr.value for point in made.points] == [1, 1, 1]


@pytest.mark.parametrize("kept", ["nothing", "mated alone", "other alone"])
def test_where_nothing_can_be_compared_there_is_no_figure(kept: str) -> None:
    scores = _pairs()
    score = scores.score.copy()
    gone = {"nothing": scores.score < 1, "mated alone": ~scores.mated, "other alone": scores.mated}
    score[gone[kept]] = np.nan
    bare = Scores(score, scores.left, scores.right, 0, 20)
    weights = person_draws(20, 100, 0)
    made = verify(bare, weights)
    assert made.eer.value is None
    assert made.det == ()
    assert all(point.fnmr.value is None for point in made.points)
    sorted_ = confuse(bare, 1.0, "as published", weights)
    assert (sorted_.mated.value is None) == (kept != "mated alone")


def test_a_histogram_counts_every_pair() -> None:
    scores = _pairs(missing=0.2)
    mated, nonmated = histogram(scores, np.linspace(0, 1, 20))
    known = ~np.isnan(scores.score)
    assert sum(mated) == int((known & scores.mated).sum())
    assert sum(nonmated) == int((known & ~scores.mated).sum())


def test_of_many_pictures_some_are_compared() -> None:
    who = crowd(50, 45)
    rows = embeddings(who, 1.0, size=4)
    made = of_pairs(rows, rows, who, both=True, seed=0)
    assert len(made.score) == MOST * (MOST - 1) / 2
