"""Which method, in which strength, on which cover: the one that keeps most of those that keep people unnamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faceveil.errors import OutOfReach, RequestError
from faceveil.evaluate.privacy.attacks import FACE
from faceveil.evaluate.privacy.findings import Condition, Finding, Privacy
from faceveil.evaluate.privacy.verdict import Verdict, told_rate

LADDER = (
    "blur:sigma=0.25",
    "mosaic:cells=8",
    "blur:sigma=0.4",
    "mosaic:cells=4",
    "mosaic:cells=4,b=100",
    "veil",
    "solid",
    "veil@width=2.1,height=1.75",
    "solid@width=2.1,height=1.75",
    "veil@head",
    "solid@head",
)
"""What is tried where nobody says what, from what keeps most of a picture to what keeps least. The order is argued, not
measured: a blur keeps more than a mosaic, a smaller cover more than a larger one, a veil looks better than a box."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One condition and how often people are named behind it.

    rank1: the highest rate of all attacks on the field, as a fraction. by: that attack. verdict: of the field.
    """

    condition: Condition
    rank1: float
    by: Finding
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Advice:
    """What is recommended, and all that was tried, in the order of `LADDER` or of the user's own list."""

    chosen: Rung
    rungs: tuple[Rung, ...]
    most: float
    field: str


def recommend(made: Privacy, names: Sequence[str], most: float, field: str = FACE) -> Advice:
    """The first of some conditions behind which no attack on a field names more than `most` of the people.

    names: of conditions, from what keeps most of a picture to what keeps least. most: as a fraction.

    Raises:
        RequestError: guessing alone names more. OutOfReach: none of them reaches it.
    """
    if most < made.chance:
        raise RequestError(
            f"guessing names {_percent(made.chance)} of these {made.people} people, so nothing can name fewer than "
            f"{_percent(most)}",
            hint="ask for more, or bring more people",
        )
    rungs = tuple(rung for name in names if (rung := _rung(made.condition(name), field)) is not None)
    if not rungs:
        raise RequestError(f"no attack on the {field} field was made")
    for rung in rungs:
        if rung.rank1 <= most:
            return Advice(rung, rungs, most, field)
    best = min(rungs, key=lambda rung: rung.rank1)
    raise OutOfReach(
        f"behind none of {len(rungs)} methods at most {_percent(most)} are named: the least is "
        f"{told_rate(best.by.rank1)}, {best.condition.name}",
        hint="ask for more, or name methods with larger covers, such as -m solid@width=3,height=2.5",
    )


def _rung(one: Condition, field: str) -> Rung | None:
    asked = [found for found in one.findings if found.attack.field == field and found.rank1.value is not None]
    verdict = one.verdict(field)
    if not asked or verdict is None:
        return None
    worst = max(asked, key=lambda found: found.rank1.value or 0.0)
    return Rung(one, worst.rank1.value or 0.0, worst, verdict)


def sentences(advice: Advice) -> list[str]:
    """What is recommended, and what was measured of it."""
    rung = advice.chosen
    return [
        f"{rung.condition.name}: the first of {len(advice.rungs)} behind which no attack on the {advice.field} field "
        f"names more than {_percent(advice.most)} of the people.",
        f"The highest rate is {told_rate(rung.by.rank1)}, by {rung.by.attack.label}; the verdict: {rung.verdict.word}.",
        "It was chosen on these people and is stated on the same ones, so it flatters a little: the interval, not the "
        "rate, is what other people may come to.",
    ]


def policy_text(advice: Advice, *, command: str, digest: str) -> str:
    """A policy file with what is recommended, and above it what is stated of it."""
    import yaml  # noqa: PLC0415  (wanted only here)

    one = advice.chosen.condition
    fields: dict[str, Any] = {"method": one.spec}
    if one.area is not None and (area := one.area.model_dump(exclude_defaults=True)):
        fields["area"] = area
    head = [*sentences(advice), f"Pictures: sha-256 {digest[:16]}…", command]
    comment = "".join(f"# {' '.join(line.split())}\n" for line in head)
    return comment + str(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
