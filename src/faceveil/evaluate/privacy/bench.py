"""The attacks of one run on one condition after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.evaluate.privacy.attacks import CNN_FOLDS, NETWORK, Attack, attacks, linkages, linked
from faceveil.evaluate.privacy.comparing import Scale, compared
from faceveil.evaluate.privacy.evidence import CONTROL, Evidence, People
from faceveil.evaluate.privacy.findings import Condition, Difference, Finding
from faceveil.evaluate.privacy.folds import Fold, chance
from faceveil.evaluate.privacy.identification import Attacker, Named, identify
from faceveil.evaluate.privacy.measures import NOTHING, Rate, difference, redrawn, share
from faceveil.evaluate.privacy.verdict import SCOPES, Trial, judge

if TYPE_CHECKING:
    from faceveil.evaluate.privacy.measures import Numbers


@dataclass(slots=True)
class Bench:
    """What all conditions have in common. It remembers who was named how often, for differences between conditions.

    weights: draws of people, (resamples, people). scales: by recogniser. wanted: of `attacks.ATTACKS`.
    """

    people: People
    folds: tuple[Fold, ...]
    weights: Numbers
    original: Evidence
    scales: dict[str, Scale]
    wanted: tuple[str, ...]
    seed: int
    _named: dict[tuple[str, Attack], Named] = field(default_factory=dict)

    def condition(self, painted: Evidence) -> Condition:
        """All that is measured of one condition. The control's turn must come before those that it is a control of."""
        findings = [
            self._finding(painted.name, attack, self._identified(attack, attacker), self.chance)
            for attack, attacker in self._attacks(painted)
        ]
        judged = () if painted is self.original else tuple(self._verdicts(painted.name, findings))
        return Condition(
            painted.name,
            painted.spec,
            painted.area,
            painted.kind,
            painted.claim,
            tuple(findings),
            tuple(
                compared(
                    painted, self.original, self.people, self.folds, self.weights, self.scales, self.wanted, self.seed
                )
            ),
            tuple(self._linkage(painted)),
            judged,
        )

    @property
    def chance(self) -> float:
        """How often a guess names the right person."""
        return chance(self.folds) if self.folds else 1 / len(self.people.names)

    def _attacks(self, painted: Evidence) -> Iterator[tuple[Attack, Attacker]]:
        if not self.folds:
            return iter(())
        return attacks(painted, self.original, self.people, self.wanted, self.seed)

    def _identified(self, attack: Attack, attacker: Attacker) -> Named:
        folds = self.folds[:CNN_FOLDS] if attack.kind == NETWORK else self.folds
        return identify(attacker, folds, self.people.person, len(self.people.names))

    def _finding(self, name: str, attack: Attack, named: Named, guess: float) -> Finding:
        self._named[name, attack] = named
        asked = np.maximum(named.asked.sum(), 1)
        fifth = min(5, named.right.shape[1]) - 1
        every = named.asked + named.failed
        return Finding(
            attack,
            self._rank1(named),
            share(named.right[:, fifth], named.asked, named.pictures, self.weights),
            tuple(round(float(v), 6) for v in named.right.sum(0) / asked) if named.pictures else (),
            share(named.failed, every, named.all_pictures, self.weights),
            self._apart((name, attack), (CONTROL, attack)),
            guess,
        )

    def _apart(self, one: tuple[str, Attack], other: tuple[str, Attack]) -> Rate | None:
        """The difference of two rank-1 over the same draws of people; None where one was not measured."""
        if one == other or other not in self._named:
            return None
        a, b = self._named[one], self._named[other]
        if not a.pictures or not b.pictures:
            return None
        return difference(self._rank1(a), self._rank1(b), self._redrawn(a), self._redrawn(b))

    def _rank1(self, named: Named) -> Rate:
        return share(named.right[:, 0], named.asked, named.pictures, self.weights)

    def _redrawn(self, named: Named) -> Numbers:
        return redrawn(named.right[:, 0], named.asked, self.weights)

    def _verdicts(self, name: str, findings: Sequence[Finding]) -> Iterator[Any]:
        trials = [
            Trial(one.attack, one.rank1, self._redrawn(self._named[name, one.attack]), one.above_control)
            for one in findings
        ]
        for scope in SCOPES:
            verdict = judge(trials, scope, self.chance)
            if verdict.attacks or scope == SCOPES[0]:
                yield verdict

    def _linkage(self, painted: Evidence) -> Iterator[Finding]:
        if "linkage" not in self.wanted or painted is self.original:
            return
        photo = self.people.photo
        # A guess is right as often as candidates are of the same photo.
        guess = float((np.bincount(photo) / len(photo))[photo].mean())
        for attack, known, asked in linkages(painted, self.original):
            right, here = linked(known, asked, photo)
            count = len(self.people.names)
            by_person = (np.bincount(self.people.person, part, count) for part in (right, here, ~here))
            hits, acquired, failed = by_person
            named = Named(hits[:, None], acquired, failed, int(here.sum()), len(here))
            yield self._finding(painted.name, attack, named, guess)

    def differences(self, evidence: Sequence[Evidence]) -> Iterator[Difference]:
        """Of each condition from `solid` with the same cover, attack by attack."""
        for one in evidence:
            for other in evidence:
                if one is other or other.spec != "solid" or one.spec is None or one.area != other.area:
                    continue
                for name, attack in list(self._named):
                    rate = self._apart((name, attack), (other.name, attack)) if name == one.name else None
                    if rate is not None and rate is not NOTHING:
                        yield Difference(one.name, other.name, attack, rate)
