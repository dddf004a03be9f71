"""What a condition comes to: *at chance*, or *re-identifiable*, under the strongest of all attacks.

Many attacks are tried, and of many the luckiest lies above chance even where nothing can be known. So a method is
called re-identifiable where an interval lies above chance that holds for all attacks at once; how many lie above it on
their own is said beside. Whoever tries one attack alone has less reason to be careful, so that number is not hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from faceveil.evaluate.privacy.attacks import FACE, PLACE, WIDE, Attack
from faceveil.evaluate.privacy.measures import ENOUGH, Rate, reached, together

if TYPE_CHECKING:
    from faceveil.evaluate.privacy.measures import Numbers

Word = Literal["at chance", "re-identifiable", "not measured"]
ALL = "all"
SCOPES = (ALL, FACE, WIDE, PLACE)


@dataclass(frozen=True, slots=True)
class Trial:
    """One attack's rank-1 with its draws of people, (resamples,), and how it differs from the control's."""

    attack: Attack
    rank1: Rate
    drawn: Numbers
    above_control: Rate | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the attacks of one scope come to: a field, or all of them.

    strongest: the attack whose interval begins highest, with its rank-1. bounds: the ends of its interval that hold for
    all attacks at once. attacks: how many were tried. above: how many lie above chance and control by their own
    interval. few: how many more acquired too few pictures to say anything: fewer than 30, where others have more.
    """

    scope: str
    word: Word
    strongest: Attack | None
    rank1: Rate | None
    bounds: tuple[float, float] | None
    attacks: int
    above: int
    few: int

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.strongest is None or self.rank1 is None or self.bounds is None:
            return self.word
        tried = f"{self.attacks} attacks" if self.attacks > 1 else "one attack"
        told = f"rank-1 {told_rate(self.rank1)} by {self.strongest.label}, the strongest of {tried}"
        if self.word == "re-identifiable":
            return f"{self.word} ({told})"
        alone = f"; {self.above} above it by their own interval" if self.above else ""
        return f"{self.word} ({told}{alone}; for all at once at most {100 * self.bounds[1]:.1f} %)"


def told_rate(rate: Rate) -> str:
    """A rate in percent with its interval, as in `1.8 % [0.9, 3.6]`."""
    if rate.value is None:
        return "–"
    if rate.low is None or rate.high is None:
        return f"{100 * rate.value:.1f} %"
    return f"{100 * rate.value:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def judge(trials: Sequence[Trial], scope: str, chance: float) -> Verdict:
    """The verdict of one scope."""
    mine = [one for one in trials if scope in (ALL, one.attack.field) and one.rank1.value is not None]
    most = max((one.rank1.of for one in mine), default=0)
    able = [one for one in mine if one.rank1.of >= min(ENOUGH, most)]
    few = len(mine) - len(able)
    if not able:
        return Verdict(scope, "not measured", None, None, None, 0, 0, few)
    deviations = together(np.array([one.rank1.value for one in able]), np.stack([one.drawn for one in able]))
    bounds = [reached(one.rank1, one.drawn, deviations) for one in able]
    alone = [_above(one.rank1.low or 0.0, one, chance) for one in able]
    surely = [_above(low, one, chance) for (low, _), one in zip(bounds, able, strict=True)]
    at = max(range(len(able)), key=lambda i: (bounds[i][0], able[i].rank1.value))
    word: Word = "re-identifiable" if any(surely) else "at chance"
    return Verdict(scope, word, able[at].attack, able[at].rank1, bounds[at], len(able), sum(alone), few)


def _above(low: float, trial: Trial, chance: float) -> bool:
    """Whether an interval that begins there lies above chance, and the rate above the control's."""
    control = trial.above_control
    return low > chance and (control is None or control.low is None or control.low > 0)
