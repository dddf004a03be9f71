"""Rates with intervals of 95 %: whole people are drawn anew, because pictures of one person are alike.

Each interval is the wider of two, end by end: the bootstrap over people (which knows that pictures of one person agree,
and is too narrow where hardly anything is right or wrong) and Wilson's for as many trials as there are pictures (which
is never empty, and takes pictures for independent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.evaluate.intervals import TAIL, Z, draws, percentile_interval, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

ENOUGH = 30
"""Errors that must be seen of each kind before a rate is known to within 30 % of itself, 90 times of 100: the rule of
30 (Doddington et al., Speech Communication 31, 2000; ISO/IEC 19795-1, annex on test size)."""

_STILL = 1e-9  # a rate that moves less between draws does not move


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate as a fraction, with its interval; None where nothing was counted. of: how many pictures it rests on."""

    value: float | None
    low: float | None
    high: float | None
    of: int

    def __post_init__(self) -> None:
        if self.value is not None and not -1 <= self.value <= 1:
            raise ValueError(f"a rate is a fraction, got {self.value}")


NOTHING = Rate(None, None, None, 0)
"""The rate of what never happened."""


def person_draws(people: int, resamples: int, seed: int) -> Numbers:
    """How often each person was drawn, (resamples, people). The same for the same seed."""
    return np.stack(list(draws(people, resamples, seed))).astype(np.float64)


def share(right: Numbers, asked: Numbers, pictures: int, weights: Numbers) -> Rate:
    """The share of questions that were answered rightly.

    right, asked: (people,), how many of each person's; parts of one where a tie was shared out. pictures: how many
    different ones were asked about; more questions than that are no more trials. weights: of `person_draws`.
    """
    total = float(asked.sum())
    if not total:
        return NOTHING
    value = float(right.sum()) / total
    return widened(value, redrawn(right, asked, weights), pictures)


def redrawn(right: Numbers, asked: Numbers, weights: Numbers) -> Numbers:
    """The same share of each draw, (resamples,); NaN where nobody was asked about."""
    of = weights @ asked
    shares: Numbers = np.divide(weights @ right, of, out=np.full(len(of), np.nan), where=of > 0)
    return shares


def widened(value: float, drawn: Numbers, trials: int) -> Rate:
    """A rate with the wider of the intervals of its draws and of Wilson."""
    ends = [one for one in (percentile_interval(drawn), wilson(value * trials, trials)) if one is not None]
    if not ends:
        return Rate(value, None, None, trials)
    # The ends hold the value whatever rounding does to them.
    low = min(value, *(one[0] for one in ends))
    return Rate(value, low, max(value, *(one[1] for one in ends)), trials)


def difference(one: Rate, other: Rate, drawn: Numbers, other_drawn: Numbers) -> Rate:
    """A difference of two rates over the same people, drawn together.

    Where the other is the same in every draw, as the control's is, the first moves alone, and its own interval counts.

    Raises:
        ValueError: one of them is a rate of nothing.
    """
    if one.value is None or other.value is None:
        raise ValueError("a rate of nothing differs from nothing")
    value = one.value - other.value
    if one.low is not None and one.high is not None and np.ptp(other_drawn) < _STILL:
        return Rate(value, one.low - other.value, one.high - other.value, one.of)
    ends = percentile_interval(drawn - other_drawn)
    return Rate(value, None, None, one.of) if ends is None else Rate(value, *ends, one.of)


def together(values: Numbers, drawn: Numbers) -> float:
    """How many standard deviations each interval of several rates must reach so that all hold at once, 95 of 100 times.

    values: (a,) rates of the same draws of people. drawn: (a, resamples). The largest of all deviations is what is
    drawn, so rates that go together cost little (Westfall and Young, Resampling-Based Multiple Testing, 1993).
    """
    spread = np.nanstd(drawn, axis=1, keepdims=True)
    firm = spread[:, 0] > 0
    if not firm.any():
        return Z
    apart = np.abs(drawn[firm] - values[firm, None]) / spread[firm]
    return max(Z, float(np.quantile(np.nanmax(apart, axis=0), 1 - 2 * TAIL / 100)))


def reached(rate: Rate, drawn: Numbers, deviations: float) -> tuple[float, float]:
    """The ends of an interval that reaches so many standard deviations: of the draws, or Wilson's where wider."""
    if rate.value is None:
        raise ValueError("a rate of nothing has no interval")
    spread = float(np.nanstd(drawn)) * deviations
    low, high = wilson(rate.value * rate.of, rate.of, deviations) or (0.0, 1.0)
    return max(0.0, min(low, rate.value - spread)), min(1.0, max(high, rate.value + spread))
