"""Two results side by side: what changed by more than their intervals allow.

The results hold no figures of single persons, so a difference is taken as one of independent rates, by the intervals
that they came with (MOVER: Zou and Donner, Statistics in Medicine 27, 2008; with Wilson's it is Newcombe's). Of the
same people it is cautious: what both runs have in common would make it narrower.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.attacks import Attack
from faceveil.evaluate.privacy.measures import Rate
from faceveil.evaluate.privacy.report.result import KEY, VERSION

_MOST = 256 * 1024 * 1024  # bytes; a result of hundreds of conditions has some megabytes


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Finding(_Part):
    attack: Attack
    rank1: Rate


class _Verdict(_Part):
    scope: str
    word: str
    rank1: Rate | None = None


class _Condition(_Part):
    name: str
    findings: tuple[_Finding, ...]
    verdicts: tuple[_Verdict, ...] = ()


class Result(_Part):
    """What is read of a result: enough to compare it with another."""

    version: int = Field(alias=KEY)
    people: int
    pictures: int
    chance: float
    data: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    recognisers: dict[str, Any] = {}
    conditions: tuple[_Condition, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Rank-1 of one attack in both results, and how much more often the second names people."""

    condition: str
    attack: Attack
    before: Rate
    after: Rate
    change: Rate

    @property
    def sure(self) -> bool:
        """Whether the interval of the change does not hold zero."""
        low, high = self.change.low, self.change.high
        return low is not None and high is not None and not low <= 0 <= high


@dataclass(frozen=True, slots=True)
class Turn:
    """The verdict of one condition and scope in both results."""

    condition: str
    scope: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two results say of the conditions and attacks that both have. remarks: what makes them hard to compare."""

    changes: tuple[Change, ...]
    turns: tuple[Turn, ...]
    remarks: tuple[str, ...]


def read(path: Path) -> Result:
    """The result in a file, or in the folder of a report. Raises `RequestError` where there is none."""
    file = path / "result.json" if path.is_dir() else path
    try:
        if file.stat().st_size > _MOST:
            raise RequestError(f"'{file}' is too large to be a result")
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise RequestError(f"cannot read '{file}': {error.strerror}") from None
    except (ValueError, RecursionError):
        raise RequestError(f"'{file}' is not JSON") from None
    if not isinstance(content, dict) or KEY not in content:
        raise RequestError(
            f"'{file}' is no result of an evaluation of privacy", hint="faceveil evaluate privacy writes result.json"
        )
    if content[KEY] != VERSION:
        raise RequestError(f"'{file}' has form {content[KEY]}, and this version of faceveil reads form {VERSION}")
    try:
        return Result.model_validate(content)
    except (ValidationError, ValueError) as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else "a rate"
        raise RequestError(f"'{file}' is damaged: {where}") from None


def compare(before: Result, after: Result) -> Comparison:
    """What changed. Raises `RequestError` where the results have no condition in common."""
    others = {one.name: one for one in after.conditions}
    both = [(one, others[one.name]) for one in before.conditions if one.name in others]
    if not both:
        raise RequestError("the two results have no condition in common")
    changes, turns = [], []
    for one, other in both:
        rates = {found.attack: found.rank1 for found in other.findings}
        changes += [
            Change(one.name, found.attack, found.rank1, rates[found.attack], apart(found.rank1, rates[found.attack]))
            for found in one.findings
            if found.attack in rates
        ]
        words = {verdict.scope: verdict.word for verdict in other.verdicts}
        turns += [
            Turn(one.name, verdict.scope, verdict.word, words[verdict.scope])
            for verdict in one.verdicts
            if verdict.scope in words
        ]
    return Comparison(tuple(changes), tuple(turns), tuple(_remarks(before, after)))


def apart(before: Rate, after: Rate) -> Rate:
    """The second rate less the first, taken for independent."""
    if before.value is None or after.value is None:
        return Rate(None, None, None, 0)
    value, of = after.value - before.value, min(before.of, after.of)
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Rate(value, None, None, of)
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return Rate(value, max(-1.0, value - down), min(1.0, value + up), of)


def _remarks(before: Result, after: Result) -> Iterator[str]:
    names = [{one.name for one in result.conditions} for result in (before, after)]
    for which, alone in (("first", names[0] - names[1]), ("second", names[1] - names[0])):
        if alone:
            yield f"in the {which} result alone: {', '.join(sorted(alone))}"
    digests = [result.data.get("sha256") for result in (before, after)]
    if digests[0] != digests[1]:
        yield "the pictures are not the same"
    if (before.people, before.pictures) != (after.people, after.pictures):
        yield (
            f"{before.people} people in {before.pictures} pictures were asked about, then {after.people} in "
            f"{after.pictures}: among fewer people more are named"
        )
    if before.settings.get("seed") != after.settings.get("seed"):
        yield "the seeds differ, so pictures were known and asked about in other folds"
    changed = sorted(
        name
        for name in before.recognisers.keys() & after.recognisers.keys()
        if before.recognisers[name] != after.recognisers[name]
    )
    if changed:
        yield f"recognisers of one name differ: {', '.join(changed)}"
