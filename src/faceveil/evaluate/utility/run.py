"""From labelled pictures and conditions to what they are still good for: each picture goes once through a worker."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil import detect
from faceveil.dataset.pool import Pool
from faceveil.dataset.report import Outcome
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.evaluate.privacy.cache import unpack
from faceveil.evaluate.privacy.painted import UNTOUCHED, Condition
from faceveil.evaluate.utility.extras import NOTHING, Extras
from faceveil.evaluate.utility.labelled import FEWEST, Labelled
from faceveil.evaluate.utility.measure import Rows
from faceveil.evaluate.utility.worker import Item, Order
from faceveil.policy import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

Display = Callable[[Iterator[Outcome]], Iterator[Outcome]]

JUDGE = "mtcnn:min_size=20"
"""Looks whether faces are still found: not the network that finds them for painting."""
_PROGRAM = "faceveil.evaluate.utility.worker"


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What models and detectors see of n pictures in every condition, the original first.

    label: (n,) classes from 0 on, by `names`. tested: (n,) where the set itself says what is tested. finder, judge:
    specs. faces: how many were found and painted. failed: pictures that could not be measured, each with the reason.
    digest: SHA-256 of labels and of what was seen of the originals.
    """

    names: tuple[str, ...]
    label: NDArray[np.int64]
    tested: NDArray[np.bool_] | None
    rows: tuple[Rows, ...]
    finder: str
    judge: str
    faces: int
    failed: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]
    digest: str
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)


def gather(
    labelled: Labelled,
    conditions: Sequence[Condition],
    policy: Policy,
    *,
    judge: str = JUDGE,
    extras: Extras = NOTHING,
    seed: int = 0,
    workers: int = 1,
    display: Display = iter,
) -> Gathered:
    """Paint all pictures in every way and keep what models need of them.

    policy: what finds the faces to paint. judge: the spec of what looks whether faces are still found. extras: the
    user's own networks. Pictures that cannot be read are named in `failed`.

    Raises:
        RequestError: a spec is wrong, or too few pictures are left. MissingExtra: a part or a model is not installed.
    """
    started = time.perf_counter()
    runtime = Runtime(policy.provider, 1, policy.allow_cloud)
    finder = detect.build(policy.preset, policy.detector, runtime, policy.min_score).spec
    watcher = detect.build("balanced", judge, runtime).spec
    known = extras.expect(runtime)
    every = (UNTOUCHED, *conditions)
    order = Order(policy=policy, conditions=every, finder=policy.detector or "", judge=judge, extras=known, seed=seed)
    tasks = [Item(source=one.file, output=one.file, made=one.made) for one in labelled.pictures]
    found: dict[str, Any] = {}
    failed: list[tuple[str, str]] = []
    with Pool(order, min(workers, len(tasks)), program=_PROGRAM) as pool:
        for one in display(pool.run(tasks)):
            if one.status == "done":
                found[one.source] = unpack(base64.b64decode(one.found["rows"]))
            else:
                failed.append((one.source, one.reason))
    kept = [picture for picture in labelled.pictures if str(picture.file) in found]
    names = tuple(sorted({picture.label for picture in kept}))
    counts = Counter(picture.label for picture in kept)
    if len(names) < 2 or min(counts.values()) < FEWEST // 2:
        file, reason = failed[0] if failed else ("", "too few pictures")
        raise RequestError(f"too few pictures could be measured to tell classes apart: {file}: {reason}")
    label = np.array([names.index(picture.label) for picture in kept], np.int64)
    arrays = [found[str(picture.file)] for picture in kept]
    rows = tuple(_rows(number, one.name, arrays, extras) for number, one in enumerate(every))
    return Gathered(
        names,
        label,
        np.array([bool(picture.tested) for picture in kept]) if labelled.split else None,
        rows,
        finder,
        watcher,
        int(sum(int(row["faces"][0]) for row in arrays)),
        tuple(sorted(failed)),
        labelled.left_out,
        hashlib.sha256(json.dumps(label.tolist()).encode() + rows[0].features.tobytes()).hexdigest(),
        round(time.perf_counter() - started, 1),
        dict(counts),
    )


def _rows(number: int, name: str, arrays: Sequence[Any], extras: Extras) -> Rows:
    def stacked(key: str) -> Any:
        return np.stack([row[f"{number}:{key}"] for row in arrays])

    return Rows(
        name,
        stacked("features"),
        stacked("thumb"),
        stacked("fidelity"),
        stacked("found"),
        stacked("landmarks"),
        stacked("lpips"),
        attributes={one.stem: stacked(f"attribute {at}") for at, one in enumerate(extras.attributes)},
        deep={one.stem: stacked(f"deep {at}") for at, one in enumerate(extras.features)},
    )
