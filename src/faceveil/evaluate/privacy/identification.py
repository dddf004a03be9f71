"""Who is it, among those who are known: rank-1, rank-5 and the cumulative match characteristic (ISO/IEC 19795-1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from faceveil.evaluate.privacy.folds import Fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.evaluate.privacy.measures import Numbers

RANKS = 20  # of the cumulative match characteristic
_DIGITS = 1e-9  # of the largest score: what is nearer ties, whatever the order of a sum

Attacker = Callable[[Fold], "Numbers"]
"""Scores (probes, people) of a fold, the higher the likelier; -inf for who is not in the gallery or could not be
enrolled, a row of NaN for a probe that could not be acquired."""


@dataclass(frozen=True, slots=True)
class Named:
    """How often people were named rightly.

    right: (people, ranks), how many probes of each had the right name among the first 1, 2, ... names; of k that tie
    each has its share. asked: (people,), how many probes were acquired. failed: (people,), how many were not.
    pictures: how many different pictures were acquired, all_pictures: how many were asked about.
    """

    right: Numbers
    asked: Numbers
    failed: Numbers
    pictures: int
    all_pictures: int


def ranked(scores: Numbers, truth: NDArray[np.intp], ranks: int) -> Numbers:
    """The chance that the right column is among the first 1, 2, ... `ranks`, (m, ranks), of scores (m, columns).

    Columns that tie are in random order: of k that tie with the right one each is as likely to stand before it.
    """
    finite = np.where(np.isfinite(scores), np.abs(scores), 0).max(initial=0)
    # -inf is a name that cannot be given; where the right one is, it comes after all that can.
    rounded = np.round(scores / finite / _DIGITS) if finite else scores
    own = rounded[np.arange(len(truth)), truth][:, None]
    before = (rounded > own).sum(1, keepdims=True)
    ties = (rounded == own).sum(1, keepdims=True)
    chances: Numbers = np.clip((np.arange(1, ranks + 1) - before) / ties, 0, 1)
    return chances


def identify(
    attacker: Attacker, made: tuple[Fold, ...], person: NDArray[np.intp], people: int, *, ranks: int = RANKS
) -> Named:
    """Let the attacker name the person (n,) of each probe of each fold, among so many people."""
    ranks = min(ranks, people)
    right, asked, failed = np.zeros((people, ranks)), np.zeros(people), np.zeros(people)
    seen, probed = np.zeros(len(person), bool), np.zeros(len(person), bool)
    for fold in made:
        scores = attacker(fold)
        acquired = ~np.isnan(scores).any(1)
        truth = person[fold.probe]
        np.add.at(right, truth[acquired], ranked(scores[acquired], truth[acquired], ranks))
        asked += np.bincount(truth[acquired], minlength=people)
        failed += np.bincount(truth[~acquired], minlength=people)
        seen[fold.probe[acquired]] = True
        probed[fold.probe] = True
    return Named(right, asked, failed, int(seen.sum()), int(probed.sum()))
