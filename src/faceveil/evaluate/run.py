"""Measuring: each detector looks at each picture, in worker processes, and everything is counted once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faceveil import detect
from faceveil.dataset.batch import process
from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task
from faceveil.detect.runtime import Runtime
from faceveil.errors import InputError, RequestError
from faceveil.evaluate.truth import Dataset, Truth
from faceveil.policy import Policy
from faceveil.types import Regions

Display = Callable[[Iterator[Outcome]], Iterator[Outcome]]


@dataclass(slots=True)
class Looked:
    """What the detectors found.

    specs: the detectors. truths, sizes: the pictures that could be read. found: for each detector the regions in each
    picture. ms: (pictures, detectors). failed: pictures with the reason. digest: SHA-256 of the pictures and of what is
    said about them.
    """

    specs: tuple[str, ...]
    truths: list[Truth] = field(default_factory=list)
    found: list[list[Regions]] = field(default_factory=list)
    ms: list[list[float]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    digest: str = ""

    def timed(self, at: int) -> Any:
        """Milliseconds of one detector for each picture, (p,)."""
        return np.array([row[at] for row in self.ms], float)


def specs_of(names: tuple[str, ...], policy: Policy) -> tuple[str, ...]:
    """Full specs of detectors that are named by their spec or by a preset.

    Raises:
        RequestError: one is wrong, or is named twice. MissingExtra: a part of one is not installed.
    """
    made: list[str] = []
    for name in names:
        spec = detect.PRESETS.get(name, name)
        if spec in made:
            raise RequestError(f"detector '{name}' is given twice")
        detect.build("balanced", spec, Runtime(policy.provider, cloud=policy.allow_cloud), policy.min_score, cover=None)
        made.append(spec)
    return tuple(made)


def look(data: Dataset, specs: tuple[str, ...], policy: Policy, workers: int, display: Display = iter) -> Looked:
    """Let each detector look at each picture. policy: provider, least score, and whether services may be asked.

    Pictures that cannot be read, or do not fit their annotation, fail by name and do not count.

    Raises:
        MissingExtra: a part is not installed. RequestError: nothing could be read.
    """
    tasks = {str(path): Task(source=path, output=path) for _, path in data.pictures}
    setup = Setup(policy=policy, action="look", looks=specs)
    outcomes = {one.source: one for one in display(process(list(tasks.values()), setup, workers=workers))}
    looked = Looked(specs, found=[[] for _ in specs])
    digest = hashlib.sha256()
    for at, (said, path) in enumerate(data.pictures):
        outcome = outcomes[str(path)]
        try:
            if outcome.status != "done":
                raise InputError(f"{path} {outcome.reason}")
            truth = data.truth(at, tuple(outcome.found["size"]))
        except InputError as error:
            looked.failed.append((str(path), str(error).removeprefix(f"{path} ")))
            continue
        digest.update(_identity(said.name, outcome.found["sha256"], truth))
        looked.truths.append(truth)
        looked.ms.append([one["ms"] for one in outcome.found["looks"]])
        for mine, one in zip(looked.found, outcome.found["looks"], strict=True):
            mine.append(_regions(one, data.found_labels))
    if not looked.truths:
        first, reason = looked.failed[0]
        raise RequestError(f"none of {len(looked.failed)} pictures could be measured: {first}: {reason}")
    looked.digest = digest.hexdigest()
    return looked


def _identity(name: str, sha256: str, truth: Truth) -> bytes:
    about = {key: words.tolist() for key, words in sorted(truth.about.items())}
    return json.dumps([name, sha256, truth.xyxy.tolist(), truth.ignored.tolist(), truth.complete, about]).encode()


def _regions(one: dict[str, Any], labels: frozenset[str]) -> Regions:
    found = Regions(
        np.array(one["boxes"], np.float32).reshape(-1, 4),
        np.array(one["scores"], np.float32),
        label=None if one["labels"] is None else np.array(one["labels"], np.str_),
    )
    return found[np.isin(found.labels, sorted(labels))]
