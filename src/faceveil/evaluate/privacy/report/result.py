"""What programs read: the figures with all that is needed to make them again, and no name of a person."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel

from faceveil import __version__
from faceveil.evaluate.privacy.attacks import ATTACKS, Attack
from faceveil.evaluate.privacy.findings import Condition, Finding, Privacy
from faceveil.evaluate.privacy.measures import Rate
from faceveil.evaluate.privacy.report.samples import Sample

VERSION = 1
KEY = "faceveil_privacy"
"""What the JSON begins with; its value is the version of its form."""
_PARTS = ("numpy", "scipy", "scikit-learn", "onnxruntime", "opencv-python-headless", "scikit-image")
COLUMNS = "condition spec measure attack field recogniser box after against n value low high".split()


@dataclass(frozen=True, slots=True)
class About:
    """Where the figures come from. data: path, digest and what is known of the pictures. recognisers: by spec.

    versions: of what made the evidence, where they say more than the installed parts.
    """

    command: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    recognisers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def made(self) -> dict[str, str]:
        """Versions of all that had a part in it."""
        return {
            "faceveil": __version__,
            "python": platform.python_version(),
            **{part: found for part in _PARTS if (found := _version(part))},
            **self.versions,
            "machine": f"{platform.system()} {platform.machine()}",
            "at": self.at,
        }


def _version(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report tells. samples: pictures that it shows."""

    privacy: Privacy
    about: About = field(default_factory=About)
    samples: tuple[Sample, ...] = ()


def as_json(report: Report) -> bytes:
    """The whole evaluation but its pictures."""
    about, privacy = report.about, report.privacy
    record = {
        KEY: VERSION,
        "what": "rates are fractions with the ends of their 95 % intervals; `of` is the number of pictures asked about",
        "made": about.made,
        "command": about.command,
        "data": about.data,
        "settings": {
            **about.settings,
            "seed": privacy.seed,
            "resamples": privacy.resamples,
            "attacks": {name: ATTACKS[name] for name in privacy.attacks},
        },
        "recognisers": about.recognisers or {name: {} for name in privacy.recognisers},
        "seconds": about.seconds,
        **{
            key: value
            for key, value in plain(privacy).items()
            if key not in ("seed", "resamples", "attacks", "recognisers")
        },
    }
    return json.dumps(plain(record), indent=1, allow_nan=False).encode() + b"\n"


def plain(value: Any) -> Any:
    """A value in words of JSON; fractions with six digits."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def as_csv(report: Report) -> bytes:
    """One line for each figure."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for condition in report.privacy.conditions:
        for measure, attack, against, rate in _rates(condition):
            cells = ["" if value is None else f"{value:.6g}" for value in (rate.value, rate.low, rate.high)]
            about = (attack.kind, attack.field, attack.recogniser, attack.box, attack.after)
            writer.writerow([condition.name, condition.spec or "", measure, *about, against, rate.of, *cells])
    return out.getvalue().encode("utf-8", "backslashreplace")


def _rates(condition: Condition) -> Iterator[tuple[str, Attack, str, Rate]]:
    for one in (*condition.findings, *condition.linkage):
        yield from ((measure, one.attack, "", rate) for measure, rate in _found(one))
    for made in condition.compared:
        found, attack = made.verified, made.attack
        yield "eer", attack, made.against, found.eer
        for point in found.points:
            yield f"fnmr at fmr {point.fmr:g}", attack, made.against, point.fnmr
            yield (
                f"generalised fnmr at fmr {point.fmr:g}",
                attack,
                made.against,
                Rate(point.generalised, None, None, point.fnmr.of),
            )
        for confusion in made.confusions:
            at = f"at distance {confusion.distance:.4g} ({confusion.why})"
            yield f"mated that match {at}", attack, made.against, confusion.mated
            yield f"non-mated that match {at}", attack, made.against, confusion.nonmated


def _found(one: Finding) -> Iterator[tuple[str, Rate]]:
    yield "rank-1", one.rank1
    if one.attack.kind != "linkage":
        yield "rank-5", one.rank5
    yield "failure to acquire", one.failed
    if one.above_control is not None:
        yield "rank-1 above the control's", one.above_control
