"""What was measured, as values: no name of a person, no picture, no embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faceveil.evaluate.privacy.attacks import FACE, Attack
from faceveil.evaluate.privacy.comparing import Compared
from faceveil.evaluate.privacy.measures import Rate
from faceveil.evaluate.privacy.verdict import ALL, Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attack on one condition found.

    rank1, rank5: the right name first, or among the first five, of probes that were acquired. cmc: the same for 1, 2,
    ... names. failed: the share of probes that were not acquired; it is no privacy. above_control: rank-1 less that of
    the same attack on the control, person by person; None without one. chance: what a guess comes to.
    """

    attack: Attack
    rank1: Rate
    rank5: Rate
    cmc: tuple[float, ...]
    failed: Rate
    above_control: Rate | None
    chance: float


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of painting: its findings, comparisons, linkage to the photo it was made from, and verdicts by scope.

    kind, claim: as in `Evidence`.
    """

    name: str
    spec: str | None
    area: Any
    kind: str
    claim: str
    findings: tuple[Finding, ...]
    compared: tuple[Compared, ...]
    linkage: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]

    def of(self, kind: str, field: str = FACE, **more: str) -> list[Finding]:
        """The findings of a kind on a field; more: other fields of `Attack`."""
        return [
            one
            for one in self.findings
            if (one.attack.kind, one.attack.field) == (kind, field)
            and all(getattr(one.attack, key) == value for key, value in more.items())
        ]

    def verdict(self, scope: str = ALL) -> Verdict | None:
        """The verdict of a scope; None for the original, of which nothing is asked."""
        return next((one for one in self.verdicts if one.scope == scope), None)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more often an attack names people in one condition than in another with the same cover."""

    name: str
    other: str
    attack: Attack
    rank1: Rate


@dataclass(frozen=True, slots=True)
class Privacy:
    """All that was measured.

    asked: how many people are asked about; the others have one photo each. differences: of conditions from `solid` with
    the same cover, where both were measured.
    """

    people: int
    pictures: int
    photos: int
    asked: int
    folds: int
    chance: float
    recognisers: tuple[str, ...]
    attacks: tuple[str, ...]
    conditions: tuple[Condition, ...]
    differences: tuple[Difference, ...]
    seed: int
    resamples: int
    remarks: tuple[str, ...]

    def condition(self, name: str) -> Condition:
        """The condition of that name. Raises `KeyError`."""
        for one in self.conditions:
            if one.name == name:
                return one
        raise KeyError(name)
