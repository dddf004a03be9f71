"""A worker process that looks at photos as attackers do; `run` starts as many as there are cores."""

from __future__ import annotations

import base64
import sys
import time
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil import detect, match, media
from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task
from faceveil.dataset.worker import serve
from faceveil.detect.runtime import Runtime
from faceveil.errors import Exit, FaceveilError, NoFaceError, UnsupportedError
from faceveil.evaluate.privacy.cache import Cache, key, pack
from faceveil.evaluate.privacy.looks import Looker, Original, original
from faceveil.evaluate.privacy.painted import Condition
from faceveil.pipeline import Progress, Watcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.base import Detector
    from faceveil.types import Frame

    Arrays = dict[str, NDArray[Any]]


class Order(Setup):
    """What all photos of a run share.

    looker: the spec of the attackers' detector. finder: of what finds the faces to paint; empty where it is the same.
    wide, patient: the recognisers that look at the wide field, and at filtered pictures. state: names all that results
    depend on beside this order and the pictures: code, libraries, weights.
    """

    conditions: tuple[Condition, ...]
    recognisers: tuple[str, ...]
    looker: str
    finder: str = ""
    wide: tuple[str, ...] = ()
    patient: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    seed: int = 0
    cache: Path | None = None
    state: str = ""


class Sitting(Task):
    """One photo, or the frames of one track: `source` is the first. made: what other tools have made, by folder."""

    files: tuple[Path, ...]
    made: tuple[tuple[Path, ...], ...] = ()


def run(task: Sitting, order: Order, progress: Watcher) -> Outcome:
    """Look at one photo in every condition. Raises only what stops a whole run: `MissingExtra`, `RequestError`."""
    started = time.perf_counter()
    try:
        found = _look(task, order, progress)
        done = Outcome(source=str(task.source), status="done", found=found)
    except FaceveilError as error:
        if error.exit_code != Exit.SOME_FAILED:
            raise
        reason = str(error).removeprefix(f"{task.source} ").removeprefix("the picture ")
        done = Outcome(source=str(task.source), status="failed", reason=reason)
    except MemoryError:
        done = Outcome(source=str(task.source), status="failed", reason="not enough memory for this picture")
    return done.model_copy(update={"ms": round((time.perf_counter() - started) * 1000, 1)})


def _look(task: Sitting, order: Order, progress: Watcher) -> dict[str, Any]:
    """Digests of the pictures, and everything about them in each condition, packed."""
    sitting = _Sitting(task, order)
    rows: Arrays = dict(sitting.common())
    for number, condition in enumerate(order.conditions, 1):
        rows |= {f"{number - 1}:{name}": array for name, array in sitting.of(condition).items()}
        progress(Progress(number, len(order.conditions), 0, 0.0, None))
    return {"sha256": sitting.digests, "rows": base64.b64encode(pack(rows)).decode("ascii")}


class _Sitting:
    """One photo, of which nothing is decoded before something is not in the cache."""

    def __init__(self, task: Sitting, order: Order) -> None:
        self._task, self._order = task, order
        self._cache = Cache(order.cache)
        self.digests = [_digest(file) for file in task.files]
        self._made = [[_digest(file) for file in row] for row in task.made]
        self._originals: list[Original] | None = None
        self._frames: list[int] = []

    def common(self) -> Arrays:
        """Box (m, 4) and landmarks (m, 10) of the originals, float64, in sides of the picture; which frames these are.

        Of a track those frames count in which the attacker's detector finds somebody.
        """
        name = self._key("common")
        kept = self._cache.get(name)
        if kept is None:
            seen = self._seen()
            sides = np.array([[one.frame.width, one.frame.height] for one in seen], np.float64)
            kept = {
                "box": np.stack([one.box for one in seen]) / np.tile(sides, 2),
                "landmarks": np.stack([one.landmarks.ravel() for one in seen]) / np.tile(sides, 5),
                "frames": np.array(self._frames, np.int64),
            }
            self._cache.put(name, kept)
        return kept

    def of(self, condition: Condition) -> Arrays:
        """What `Looker.look` gives for a condition."""
        made = self._made[condition.made] if condition.kind == "anonymised" else []
        name = self._key(condition.model_dump_json(exclude={"name", "made"}), made)
        kept = self._cache.get(name)
        if kept is None:
            seen, order = self._seen(), self._order
            seeds = [int(key(order.seed, self.digests[i])[:12], 16) for i in self._frames]
            by: list[Frame | None] = [None] * len(seen)
            if condition.kind == "anonymised":
                by = [_frame(self._task.made[condition.made][i]) for i in self._frames]
            kept = _looker(order).look(seen, condition, seeds, by)
            self._cache.put(name, kept)
        return kept

    def _key(self, *parts: Any) -> str:
        order = self._order
        ways = (order.recognisers, order.looker, order.finder, order.wide, order.patient, order.filters)
        return key(order.state, ways, order.seed, self.digests, *parts)

    def _seen(self) -> list[Original]:
        """The originals in which there is somebody. Raises `InputError` where that is none."""
        if self._originals is not None:
            return self._originals
        looker, finder = _detectors(self._order)
        found: list[Original] = []
        for number, file in enumerate(self._task.files):
            try:
                found.append(original(_frame(file), looker, finder))
                self._frames.append(number)
            except NoFaceError:
                continue
        if not found:
            raise NoFaceError("the attacker's detector finds no face in the original")
        self._originals = found
        return found


def _digest(file: Path) -> str:
    return media.open(file).digest


def _frame(file: Path) -> Frame:
    opened = media.open(file)
    if opened.info.frames > 1:
        raise UnsupportedError(f"{file} has {opened.info.frames} frames: pictures of one are measured")
    (frame,) = opened
    return frame


def _runtime(order: Order) -> Runtime:
    return Runtime(order.policy.provider, order.threads, order.policy.allow_cloud)


@once
def _detectors(order: Order) -> tuple[Detector, Detector | None]:
    runtime, least = _runtime(order), order.policy.min_score
    looker = detect.build("balanced", order.looker, runtime)
    return looker, detect.build("balanced", order.finder, runtime, least) if order.finder else None


@once
def _looker(order: Order) -> Looker:
    return Looker(
        _detectors(order)[0],
        {spec: match.build(spec, _runtime(order)) for spec in order.recognisers},
        wide=frozenset(order.wide),
        patient=frozenset(order.patient),
        filters=order.filters,
        cache=Cache(order.cache),
    )


def main() -> int:
    """Serve until standard input ends."""
    return serve(Order, Sitting, run)


if __name__ == "__main__":
    sys.exit(main())
