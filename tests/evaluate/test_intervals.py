"""Intervals: those of others on the same numbers, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from faceveil.evaluate.intervals import draws, percentile_interval, wilson


@given(of=st.integers(1, 3000), share=st.floats(0, 1))
def test_wilson_is_that_of_scipy(of: int, share: float) -> None:
    found = round(share * of)
    theirs = binomtest(found, of).proportion_ci(0.95, method="wilson")
    assert wilson(found, of) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_wilson_of_nothing_is_undefined() -> None:
    assert wilson(0, 0) is None


@given(pictures=st.integers(1, 50), seed=st.integers(0, 9))
def test_a_draw_is_as_many_pictures_and_the_same_for_the_same_seed(pictures: int, seed: int) -> None:
    made = list(draws(pictures, 5, seed))
    assert all(len(one) == pictures and one.sum() == pictures and one.min() >= 0 for one in made)
    assert all((one == again).all() for one, again in zip(made, draws(pictures, 5, seed), strict=True))


def test_other_seeds_draw_others() -> None:
    first, second = (np.stack(list(draws(40, 20, seed))) for seed in (0, 1))
    assert (first != second).any()


def test_the_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    asked = rng.integers(1, 9, 120)
    found = rng.binomial(asked, 0.8)
    ours = percentile_interval(np.array([(w @ found) / (w @ asked) for w in draws(120, 4000, 0)]))
    theirs = bootstrap(
        (found, asked), lambda f, a: f.sum() / a.sum(), paired=True, vectorized=False, method="percentile",
        n_resamples=4000, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        # Faces of one picture are alike: each picture has a rate of its own around .8.
        asked = rng.integers(1, 12, 60)
        found = rng.binomial(asked, rng.beta(8, 2, 60))
        low, high = percentile_interval(np.array([(w @ found) / (w @ asked) for w in draws(60, 300, trial)])) or (
            1.0,
            0.0,
        )
        held += low <= 0.8 <= high
    assert 0.89 <= held / 200 <= 0.99


def test_what_most_draws_cannot_tell_has_no_interval() -> None:
    values = np.array([np.nan, np.nan, 0.5])
    assert percentile_interval(values) is None
    assert percentile_interval(np.zeros(0)) is None
    assert percentile_interval(np.array([np.nan, 0.25, 0.75])) == pytest.approx((0.2625, 0.7375))
