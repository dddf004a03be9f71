"""Rates: their intervals are the wider of two, and hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from faceveil.evaluate.intervals import Z
from faceveil.evaluate.privacy.measures import Rate, person_draws, reached, redrawn, share, together, widened


@given(people=st.integers(2, 30), each=st.integers(1, 12), seed=st.integers(0, 5))
def test_an_interval_holds_its_rate_and_is_no_narrower_than_wilsons(people: int, each: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = np.full(people, float(each))
    right = rng.binomial(each, rng.beta(0.3, 2, people)).astype(float)
    made = share(right, asked, people * each, person_draws(people, 100, seed))
    assert made.value is not None
    assert made.low is not None
    assert made.high is not None
    assert 0 <= made.low <= made.value <= made.high <= 1
    theirs = binomtest(int(right.sum()), people * each).proportion_ci(0.95, method="wilson")
    assert made.low <= theirs.low + 1e-6
    assert made.high >= theirs.high - 1e-6


def test_where_pictures_of_one_person_agree_the_interval_is_that_of_scipys_bootstrap() -> None:
    rng = np.random.default_rng(1)
    asked = np.full(60, 20.0)
    right = rng.binomial(20, rng.beta(0.5, 1.5, 60)).astype(float)
    made = share(right, asked, 1200, person_draws(60, 4000, 0))
    theirs = bootstrap(
        (right, asked), lambda r, a: r.sum(-1) / a.sum(-1), paired=True, method="percentile", n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (made.low, made.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_nothing_asked_is_no_rate() -> None:
    assert share(np.zeros(4), np.zeros(4), 0, person_draws(4, 50, 0)) == Rate(None, None, None, 0)


@pytest.mark.parametrize("value", [-1.2, 1.01, float("nan")])
def test_a_rate_is_a_fraction(value: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        Rate(value, None, None, 3)


def test_intervals_for_all_at_once_hold_together() -> None:
    rng = np.random.default_rng(2)
    people, each, missed, alone = 40, 10, 0, 0
    weights = person_draws(people, 400, 0)
    for _ in range(150):
        rates, drawn = [], []
        for _attack in range(20):
            right = rng.binomial(each, 0.2, people).astype(float)
            rates.append(share(right, np.full(people, float(each)), people * each, weights))
            drawn.append(redrawn(right, np.full(people, float(each)), weights))
        values = np.array([rate.value for rate in rates], float)
        deviations = together(values, np.stack(drawn))
        assert deviations >= Z
        ends = [reached(rate, one, deviations) for rate, one in zip(rates, drawn, strict=True)]
        missed += not all(low <= 0.2 <= high for low, high in ends)
        alone += any(not (rate.low or 0) <= 0.2 <= (rate.high or 1) for rate in rates)
    assert missed <= 15  # 7.5 are expected
    assert alone > 60  # of twenty intervals of 95 % one misses more often than not


def test_rates_that_go_together_cost_little() -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(size=800)
    same = np.stack([one] * 30)
    apart = rng.normal(size=(30, 800))
    assert together(np.zeros(30), same) < 2.2
    assert together(np.zeros(30), apart) > 2.8


def test_rates_that_never_move_are_left_to_wilson() -> None:
    assert together(np.array([0.5]), np.full((1, 50), 0.5)) == Z
    rate = widened(0.5, np.full(50, 0.5), 20)
    assert reached(rate, np.full(50, 0.5), Z) == pytest.approx((rate.low, rate.high))
