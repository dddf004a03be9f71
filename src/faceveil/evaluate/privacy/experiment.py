"""An experiment as a file: methods in many strengths, on the boxes of several detectors, attacked in one go.

Sweeps are what the field's own papers report: one method from weak to strong, the error rates drawn against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.evaluate.privacy.denoise import FILTERS
from faceveil.evaluate.privacy.evidence import Gathered
from faceveil.evaluate.privacy.painted import Condition, conditions
from faceveil.evaluate.privacy.run import LOOKER, RECOGNISERS
from faceveil.policy import Area, Policy, read_yaml

CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
MARK = "{k}"


def _several(value: Any) -> Any:
    """One word as a list of one."""
    return (value,) if isinstance(value, str | dict) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Sweep(BaseModel):
    """One method in many strengths."""

    model_config = CONFIG

    method: str = Field(pattern=r"\{k\}")
    """SPEC[@AREA] with {k} where the strength stands: blur:kernel={k}."""
    k: tuple[int | float, ...] = Field(min_length=1, max_length=100)
    """The strengths."""
    detectors: Words = ()
    """On the boxes of these alone; all that the experiment names where none are given."""


class Experiment(BaseModel):
    """What is painted, what finds the faces to paint, and who attacks."""

    model_config = CONFIG

    methods: Annotated[tuple[str | Sweep, ...], BeforeValidator(_several)] = Field(min_length=1)
    """SPEC[@AREA], or a sweep: {method: SPEC with {k}, k: [strengths]}."""
    area: str = ""
    """The cover of methods that name none, as for --area; the default one where it is empty."""
    detectors: dict[str, str] = Field(default_factory=dict)
    """What finds the faces to paint, by a short name: {haar eyes: "haar:target=eyes"}; the attackers' own if empty."""
    recognisers: Words = RECOGNISERS
    """What names people."""
    attacks: Words = ()
    """Of those that `faceveil evaluate privacy` knows; all where none are named."""
    attacker_detector: str = LOOKER
    """What attackers find and align faces with."""
    filters: Words = FILTERS
    """What attackers do to a picture first."""

    @classmethod
    def read(cls, path: Path) -> Experiment:
        """The experiment in a YAML file. Raises `RequestError` that names the file and the field."""
        try:
            return cls(**read_yaml(path, "the experiment", "methods: [veil, solid]"))
        except ValidationError as error:
            raise RequestError(f"{path}: {plugins.explain(error)}") from None

    def runs(self) -> tuple[tuple[str | None, tuple[Condition, ...]], ...]:
        """What is painted on the boxes of each detector: its spec, None for the attackers' own, and the conditions.

        Raises `RequestError` for methods, settings and covers that do not exist, and for what is given twice.
        """
        area = Policy.of(area=self.area).area if self.area else Area()
        named: dict[str | None, list[str]] = {name: [] for name in self.detectors} if self.detectors else {None: []}
        for method in self.methods:
            sweep = method if isinstance(method, Sweep) else None
            for name in (sweep.detectors if sweep else ()) or named:
                if name not in named:
                    raise RequestError(
                        f"the sweep of '{sweep and sweep.method}' is on '{name}', which is no detector here"
                    )
                named[name] += [method] if isinstance(method, str) else _written(method)
        made = []
        for name, texts in named.items():
            if texts:
                suffix = f", {name}" if name is not None and len(named) > 1 else ""
                painted = tuple(
                    one.model_copy(update={"name": one.name + suffix}) for one in conditions(texts, area=area)
                )
                made.append((None if name is None else self.detectors[name], painted))
        return tuple(made)


def _written(sweep: Sweep) -> list[str]:
    return [sweep.method.replace(MARK, f"{strength:g}") for strength in sweep.k]


def together(parts: Sequence[Gathered]) -> Gathered:
    """Several runs on the same people as one: they differ in their conditions and in what found the faces to paint.

    Raises `RequestError` where they are not about the same pictures.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.digest != first.digest:
            raise RequestError("the pictures have changed between two parts of the experiment")
    return replace(
        first,
        conditions=tuple(one for part in parts for one in part.conditions),
        finder=" | ".join(dict.fromkeys(part.finder for part in parts)),
        seconds=sum(part.seconds for part in parts),
    )
