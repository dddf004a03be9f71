"""Is it the same person: false matches and false non-matches at a threshold (ISO/IEC 19795-1).

A comparison is *mated* where both sides show one person. It matches where its score reaches the threshold. FMR is the
share of non-mated comparisons that match, FNMR that of mated ones that do not. Where no face was found on one side,
there is no score: FMR and FNMR are over the others, the *generalised* rates (GFMR, GFNMR) over all of them, and what
was not acquired never matches.

Two kinds of comparison: *picture* with picture (each pair of different photos, or those that a file of pairs names),
and picture with *reference* (probes with the mean of each person's gallery, over all folds).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.evaluate.privacy.evidence import People
from faceveil.evaluate.privacy.measures import ENOUGH, NOTHING, Rate, widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.evaluate.privacy.measures import Numbers

FMRS = (1e-2, 1e-3, 1e-4)
_DIGITS = 9  # of scores: the same pictures tie, whatever the order of a sum
_GRID = 256  # thresholds at which draws are counted; between them they are interpolated
_DRAWN = 150  # points of a DET curve; more cannot be seen
BINS = 60  # of a histogram
MOST = 2000
"""Pictures that are compared with each other: four million scores. Of more, as many are drawn."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Comparisons: scores (c,), NaN where a side was not acquired; the persons on both sides (c,).

    pictures: how many different pictures are asked about.
    """

    score: Numbers
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    pictures: int
    people: int

    @property
    def mated(self) -> NDArray[np.bool_]:
        """Which comparisons are of one person."""
        same: NDArray[np.bool_] = self.left == self.right
        return same


@dataclass(frozen=True, slots=True)
class Point:
    """What FNMR an FMR costs. matches, misses: how many false matches and false non-matches were seen there.

    threshold: the lowest score that may match. generalised: FNMR with what was not acquired among it.
    """

    fmr: float
    fnmr: Rate
    generalised: float | None
    threshold: float | None
    matches: int
    misses: int

    @property
    def firm(self) -> bool:
        """Whether both errors were seen often enough (rule of 30)."""
        return min(self.matches, self.misses) >= ENOUGH


@dataclass(frozen=True, slots=True)
class Verified:
    """What comes of all comparisons. failed: the share in which a side was not acquired, of mated ones.

    det: FMR and FNMR at falling thresholds, each (k,). mated, nonmated: how many comparisons have a score.
    """

    eer: Rate
    points: tuple[Point, ...]
    det: tuple[tuple[float, float], ...]
    mated: int
    nonmated: int
    failed: float
    generalised_eer: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """How a threshold sorts comparisons. why: where the threshold comes from. distance: below it two are one person.

    matched: shares of mated and of non-mated comparisons that match, of those with a score; generalised: of all.
    """

    why: str
    distance: float
    mated: Rate
    nonmated: Rate
    generalised: tuple[float, float]


# --- comparisons -----------------------------------------------------------------------------------------------------


def of_pairs(known: Any, asked: Any, people: People, *, both: bool, seed: int) -> Scores:
    """Every picture with every picture of another photo, or the pairs that are named: minus the distance.

    both: known and asked are one set, so that a pair counts once.
    """
    known, asked = np.asarray(known, np.float64), np.asarray(asked, np.float64)
    person, count = people.person, len(people.names)
    if people.pairs is not None:
        i, j = people.pairs.T
        if not both:
            i, j = np.concatenate([i, j]), np.concatenate([j, i])
        distance = np.sqrt(((asked[i] - known[j]) ** 2).sum(1).round(_DIGITS))
        asked = asked[np.unique(i)]
    else:
        rows = np.arange(len(person))
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
        known, asked, person, photo = known[rows], asked[rows], person[rows], people.photo[rows]
        valid = photo[:, None] != photo
        i, j = np.nonzero(np.tril(valid) if both else valid)
        squares = (asked**2).sum(1)[:, None] + (known**2).sum(1) - 2 * asked @ known.T
        distance = np.sqrt(np.maximum(np.round(squares, _DIGITS), 0))[i, j]
    pictures = int((~np.isnan(asked).any(1)).sum())
    return Scores(-distance, person[i], person[j], pictures, count)


def of_references(scores: Iterable[tuple[Numbers, NDArray[np.intp]]], pictures: int, people: int) -> Scores:
    """Every probe with every reference: the scores (probes, people) of folds, with whom the probes show (probes,).

    A reference that could not be enrolled scores nothing.
    """
    parts, left, right = [], [], []
    for block, truth in scores:
        parts.append(np.where(np.isfinite(block), np.round(block, _DIGITS), np.nan).ravel())
        left.append(np.repeat(truth, block.shape[1]))
        right.append(np.tile(np.arange(block.shape[1]), len(block)))
    return Scores(np.concatenate(parts), np.concatenate(left), np.concatenate(right), pictures, people)


# --- curves ----------------------------------------------------------------------------------------------------------


def rates(mated: Numbers, nonmated: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Thresholds from the highest score down, each with its FMR and FNMR; the first is above all scores."""
    mated, nonmated = np.sort(mated), np.sort(nonmated)
    merged = np.sort(np.concatenate([mated, nonmated]), kind="stable")  # which merges two runs
    steps = merged[np.append(True, np.diff(merged) > 0)][::-1]
    fmr = (len(nonmated) - np.searchsorted(nonmated, steps, "left")) / len(nonmated)
    fnmr = np.searchsorted(mated, steps, "left") / len(mated)
    return np.append(np.inf, steps), np.append(0.0, fmr), np.append(1.0, fnmr)


def equal_error(fmr: Numbers, fnmr: Numbers) -> float:
    """Where both errors are equal, on straight lines between thresholds. The arrays are of falling thresholds."""
    at = int(np.argmax(fmr >= fnmr))
    before, after = fmr[at - 1] - fnmr[at - 1], fmr[at] - fnmr[at]
    part = before / (before - after)
    return float(fmr[at - 1] + part * (fmr[at] - fmr[at - 1]))


def verify(scores: Scores, weights: Numbers) -> Verified:
    """EER, FNMR at each of `FMRS` and the DET curve, with intervals. weights: of `measures.person_draws`."""
    known, mated = ~np.isnan(scores.score), scores.mated
    own, other = np.sort(scores.score[known & mated]), np.sort(scores.score[known & ~mated])
    lost = int((~known & mated).sum())
    failed = lost / max(1, int(mated.sum()))
    if not len(own) or not len(other):
        points = tuple(Point(at, NOTHING, None, None, 0, 0) for at in FMRS)
        return Verified(NOTHING, points, (), len(own), len(other), failed, None)
    steps, fmr, fnmr = rates(own, other)
    drawn = _drawn(scores, known, mated, own, other, weights)
    every = int((~mated).sum())
    generalised = equal_error(*_closed(fmr * len(other) / every, (fnmr * len(own) + lost) / (len(own) + lost)))
    points = tuple(_point(at, steps, fmr, fnmr, drawn, scores.pictures, own, other, failed) for at in FMRS)
    eer = widened(equal_error(fmr, fnmr), drawn.eer(), scores.pictures)
    return Verified(eer, points, _thin(fmr, fnmr), len(own), len(other), failed, generalised)


def _closed(fmr: Numbers, fnmr: Numbers) -> tuple[Numbers, Numbers]:
    """Curves that meet: where everybody is accepted who was acquired, the rest is accepted unseen."""
    return np.append(fmr, 1.0), np.append(fnmr, 0.0)


def _point(  # noqa: PLR0913  (one curve in its parts)
    at: float,
    steps: Numbers,
    fmr: Numbers,
    fnmr: Numbers,
    drawn: _Drawn,
    pictures: int,
    own: Numbers,
    other: Numbers,
    failed: float,
) -> Point:
    step = int(np.searchsorted(fmr, at, "right")) - 1  # the lowest threshold with at most that FMR
    value = float(fnmr[step])
    return Point(
        at,
        widened(value, drawn.fnmr_at(at), pictures),
        failed + (1 - failed) * value,
        float(steps[step]) if np.isfinite(steps[step]) else None,
        round(float(fmr[step]) * len(other)),
        round(value * len(own)),
    )


def _thin(fmr: Numbers, fnmr: Numbers) -> tuple[tuple[float, float], ...]:
    """Points of a curve that can be told apart on axes of normal deviates."""
    from scipy.special import ndtri  # noqa: PLC0415  (0.2 s, wanted only here)

    with np.errstate(divide="ignore"):
        x, y = np.clip(ndtri(fmr), -5, 5), np.clip(ndtri(fnmr), -5, 5)
    way = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _DRAWN)).clip(0, len(way) - 1))
    return tuple((round(float(fmr[i]), 6), round(float(fnmr[i]), 6)) for i in kept)


# --- draws of people -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Drawn:
    """FMR and FNMR of each draw at thresholds that fall, each (resamples, thresholds)."""

    fmr: Numbers
    fnmr: Numbers

    def eer(self) -> Numbers:
        """The equal error rate of each draw."""
        apart = self.fmr - self.fnmr
        at = np.argmax(apart >= 0, axis=1)
        line = np.arange(len(apart))
        before, after = apart[line, at - 1], apart[line, at]
        part = np.divide(before, before - after, out=np.zeros_like(before), where=before != after)
        low, high = self.fmr[line, at - 1], self.fmr[line, at]
        crossed: Numbers = low + part * (high - low)
        return crossed

    def fnmr_at(self, fmr: float) -> Numbers:
        """FNMR of each draw at its own lowest threshold with at most that FMR."""
        at = (np.maximum.accumulate(self.fmr, axis=1) <= fmr).sum(1) - 1
        found: Numbers = self.fnmr[np.arange(len(at)), at]
        return found


def _drawn(
    scores: Scores,
    known: NDArray[np.bool_],
    mated: NDArray[np.bool_],
    own: Numbers,
    other: Numbers,
    weights: Numbers,
) -> _Drawn:
    """The curves of each draw of people.

    A mated comparison counts as often as its person was drawn; a non-mated one has two persons, and its rate is taken
    to first order in how often each was drawn (the projection of Hájek: what follows from both being drawn at once is
    left out), which needs counts by person and not by pair.
    """
    steps = _grid(own, other)
    fnmr = 1 - _shares(_matches(scores, known & mated, steps, both=False), weights)
    one = _matches(scores, known & ~mated, steps, both=True)
    matches, of = one[:, :-1].sum(0) / 2, one[:, -1].sum() / 2
    rate = matches / of
    moved = (weights - 1) @ (one[:, :-1] - rate * one[:, -1:]) / of
    edges = np.zeros((len(weights), 1))
    fmr = np.hstack([edges, np.clip(rate + moved, 0, 1), edges + 1])
    return _Drawn(fmr, np.hstack([edges + 1, fnmr, edges]))


def _grid(own: Numbers, other: Numbers) -> Numbers:
    """Thresholds that fall: where either error changes, denser where FMR is small. own, other: sorted."""
    tail = np.append(np.geomspace(min(1e-5, 1 / len(other)), 1, _GRID * 2 // 3), FMRS)
    high = np.ceil((1 - tail) * (len(other) - 1)).astype(int)
    even = np.linspace(0, len(own) - 1, _GRID // 3).astype(int)
    return np.unique(np.concatenate([other[high], own[even]]))[::-1]


def _matches(scores: Scores, kept: NDArray[np.bool_], steps: Numbers, *, both: bool) -> Numbers:
    """Matches of each person at each threshold, and in the last column comparisons: (people, thresholds + 1).

    both: a comparison counts for the persons on both sides.
    """
    width = len(steps) + 1
    # The place of the first threshold, from the highest, that a score reaches.
    place = len(steps) - np.searchsorted(steps[::-1], scores.score[kept], "right")
    counts = np.zeros(scores.people * width)
    for side in (scores.left, scores.right) if both else (scores.left,):
        counts += np.bincount(side[kept] * width + place, minlength=len(counts))
    table: Numbers = counts.reshape(scores.people, width).cumsum(1)
    return table


def _shares(counts: Numbers, weights: Numbers) -> Numbers:
    """Matches by comparisons of each draw, (resamples, thresholds); NaN where a draw has none."""
    drawn = weights @ counts
    shares: Numbers = np.divide(
        drawn[:, :-1], drawn[:, -1:], out=np.full_like(drawn[:, :-1], np.nan), where=drawn[:, -1:] > 0
    )
    return shares


# --- a fixed threshold -----------------------------------------------------------------------------------------------


def confuse(scores: Scores, distance: float, why: str, weights: Numbers) -> Confusion:
    """How pairs of pictures are sorted where two within that distance are called one person."""
    known, mated = ~np.isnan(scores.score), scores.mated
    hit = known & (scores.score >= -distance)
    own = _accepted(scores, known & mated, distance, scores.pictures, weights)
    other = _accepted(scores, known & ~mated, distance, int((known & ~mated).sum()), weights)
    every = tuple(float(hit[kind].sum() / max(1, kind.sum())) for kind in (mated, ~mated))
    return Confusion(why, distance, own, other, (every[0], every[1]))


def _accepted(scores: Scores, kept: NDArray[np.bool_], distance: float, trials: int, weights: Numbers) -> Rate:
    """The share of comparisons that match; to first order in how often each person was drawn, as in `_drawn`."""
    if not kept.any():
        return NOTHING
    counts = _matches(scores, kept, np.array([-distance]), both=True)
    value = float(counts[:, 0].sum() / counts[:, 1].sum())
    persons = 1 if scores.mated[kept].all() else 2
    moved = (weights - 1) @ (counts[:, 0] - value * counts[:, 1]) * persons / counts[:, 1].sum()
    return widened(value, np.clip(value + moved, 0, 1), trials)


def histogram(scores: Scores, edges: Numbers) -> tuple[list[int], list[int]]:
    """How many mated and non-mated pairs have which distance; what lies beyond the edges is in the last bin."""
    known, mated = ~np.isnan(scores.score), scores.mated
    distance = np.clip(-scores.score, edges[0], edges[-1])
    own, other = (np.histogram(distance[known & kind], edges)[0].tolist() for kind in (mated, ~mated))
    return own, other
