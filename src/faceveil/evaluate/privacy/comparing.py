"""Comparisons of one condition: who is taken for whom, by each recogniser, at every threshold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.evaluate.privacy.attackers import templates
from faceveil.evaluate.privacy.attacks import NAIVE, PARROT, REVERSE, Attack, views
from faceveil.evaluate.privacy.evidence import Evidence, People
from faceveil.evaluate.privacy.folds import Fold
from faceveil.evaluate.privacy.verification import (
    BINS,
    Confusion,
    Scores,
    Verified,
    confuse,
    histogram,
    of_pairs,
    of_references,
    verify,
)

if TYPE_CHECKING:
    from faceveil.evaluate.privacy.measures import Numbers

PICTURE, REFERENCE = "picture", "reference"
AT = 1e-3
"""FMR on original pictures at which a system is taken to be set: one false match in a thousand, as border gates are
(Frontex, Best Practice Technical Guidelines for Automated Border Control, 2015)."""
_MOST = 5_000_000  # comparisons with references; of more, fewer folds are taken


@dataclass(frozen=True, slots=True)
class Scale:
    """How distances of a recogniser are read: thresholds, each with its origin, and edges of histograms (b + 1,)."""

    thresholds: tuple[tuple[str, float], ...]
    edges: Numbers


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind of comparison by one recogniser. attack: naive, reverse or parrot. against: a picture, or a reference.

    Of pictures, naive is reverse: each pair of an original and a painted picture counts. confusions and the numbers of
    mated and non-mated pairs by distance are of pictures alone; edges: of those bins.
    """

    attack: Attack
    against: str
    verified: Verified
    confusions: tuple[Confusion, ...] = ()
    edges: tuple[float, ...] = ()
    mated: tuple[int, ...] = ()
    nonmated: tuple[int, ...] = ()


def scales(
    original: Evidence, people: People, weights: Numbers, given: Mapping[str, float], seed: int
) -> dict[str, Scale]:
    """The scale of each recogniser, from what it makes of originals. given: thresholds that are known beforehand."""
    made = {}
    for name, seen in original.seen.items():
        scores = of_pairs(seen.given, seen.given, people, both=True, seed=seed)
        found = [("as published", given[name])] if name in given else []
        point = next(one for one in verify(scores, weights).points if one.fmr == AT)
        if point.threshold is not None:
            found.append((f"FMR {100 * AT:g} % on originals", -point.threshold))
        farthest = -float(np.nanmin(scores.score, initial=0)) or 1.0
        made[name] = Scale(tuple(found), np.linspace(0, 1.05 * farthest, BINS + 1))
    return made


def compared(
    painted: Evidence,
    original: Evidence,
    people: People,
    made: tuple[Fold, ...],
    weights: Numbers,
    scales: Mapping[str, Scale],
    wanted: Collection[str],
    seed: int,
) -> Iterator[Compared]:
    """All comparisons of the face field, with the box given and with the attacker's own detector."""
    for name, seen in painted.seen.items():
        for view, plain, covered in views(name, seen, original.seen[name]):
            if view.field != "face":
                continue
            sides = {NAIVE: (plain, covered), REVERSE: (covered, plain), PARROT: (covered, covered)}
            for kind in (one for one in sides if one in wanted):
                attack = Attack(kind, view.field, name, view.box)
                if kind != REVERSE:
                    pairs = of_pairs(*sides[kind], people, both=kind == PARROT, seed=seed)
                    yield _of_pictures(attack, pairs, weights, scales[name])
                if made:
                    yield Compared(attack, REFERENCE, verify(_references(*sides[kind], people, made), weights))


def _of_pictures(attack: Attack, pairs: Scores, weights: Numbers, scale: Scale) -> Compared:
    confusions = tuple(confuse(pairs, distance, why, weights) for why, distance in scale.thresholds)
    mated, nonmated = histogram(pairs, scale.edges)
    edges = tuple(round(float(edge), 6) for edge in scale.edges)
    return Compared(attack, PICTURE, verify(pairs, weights), confusions, edges, tuple(mated), tuple(nonmated))


def _references(known: Any, asked: Any, people: People, made: tuple[Fold, ...]) -> Scores:
    attacker, person = templates(known, asked, people.person), people.person
    each = max(len(fold.probe) for fold in made) * len(people.names)
    kept = made[: max(2, _MOST // max(1, each))]
    blocks = [(attacker(fold), person[fold.probe]) for fold in kept]
    seen = np.unique(np.concatenate([fold.probe for fold in kept]))
    pictures = int((~np.isnan(np.asarray(asked)[seen]).any(1)).sum())
    return of_references(blocks, pictures, len(people.names))
