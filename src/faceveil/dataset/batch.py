"""A run over many files: skip what is done, share the rest among workers, account for each."""

from __future__ import annotations

import filecmp
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faceveil import pipeline
from faceveil.dataset.pool import Pool, Watcher
from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task, run


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fingerprint(setup: Setup, annotation: str = "") -> str:
    """A short name for everything that shapes an output, to tell earlier outputs made otherwise."""
    text = pipeline.key_of(setup.policy)
    if annotation:
        text += f"{annotation}{setup.add_detected}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _State:
    """What identifies the state of a source."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> _State:
        try:
            status = path.stat()
        except OSError:
            return cls(0, 0)  # reading it will say why
        return cls(status.st_size, status.st_mtime_ns)


def process(
    tasks: list[Task],
    setup: Setup,
    *,
    workers: int,
    overwrite: bool = False,
    earlier: dict[str, Outcome] | None = None,
    stop: threading.Event | None = None,
    watch: Watcher | None = None,
) -> Iterator[Outcome]:
    """Outcomes of all tasks: first those whose output stands, then the others as they are finished.

    One task runs in this process with all cores; several run in worker processes that share the cores.

    Args:
        overwrite: make again what is there.
        earlier: outcomes of earlier runs by source, from `Journal.earlier`.
        stop: once set, started files are finished and no others are started.
        watch: told now and then how far a video is, from several threads.

    Raises:
        MissingExtra: the run as a whole cannot be done. RequestError: the only task cannot be done as asked; of several
            tasks, such a one fails by itself.
    """
    plainly = fingerprint(setup)
    made_by = {str(task.source): fingerprint(setup, task.annotation) if task.annotation else plainly for task in tasks}
    todo: list[Task] = []
    for task in tasks:
        before = (earlier or {}).get(str(task.source))
        writes = setup.action in ("veil", "apply")
        done = None if overwrite or not writes else _standing(task, before, made_by[str(task.source)])
        if done is not None:
            yield done
        else:
            # What is identical to its source may be replaced: nothing is lost, and a copied original must not stand.
            todo.append(task.model_copy(update={"overwrite": overwrite or _is_original(task)}))
    states = {str(task.source): _State.of(task.source) for task in todo}
    in_place = {str(task.source) for task in todo if task.output == task.source}
    for outcome in _run(todo, setup, workers, stop, watch):
        state = _State.of(Path(outcome.source)) if outcome.source in in_place else states[outcome.source]
        made = {"size": state.size, "mtime_ns": state.mtime_ns, "policy": made_by[outcome.source]}
        yield outcome.model_copy(update=made)


def _run(
    tasks: list[Task], setup: Setup, workers: int, stop: threading.Event | None, watch: Watcher | None
) -> Iterator[Outcome]:
    if len(tasks) == 1:
        told = None if watch is None else partial(watch, tasks[0])
        yield run(tasks[0], setup.model_copy(update={"threads": cores()}), told)
    elif tasks:
        size = min(workers, len(tasks))
        with Pool(setup.model_copy(update={"threads": max(1, cores() // size)}), size, stop, watch) as pool:
            yield from pool.run(tasks)


def _standing(task: Task, before: Outcome | None, made_by: str) -> Outcome | None:
    """The outcome of a task whose output stands; None where there is work to do."""
    if not os.path.lexists(task.output):
        return None
    state = _State.of(task.source)
    kept = Outcome(
        source=str(task.source),
        output=str(task.output),
        status="kept",
        size=state.size,
        mtime_ns=state.mtime_ns,
    )
    if before is None or before.status not in ("done", "kept") or before.output != kept.output:
        return None if _is_original(task) else kept
    same_source = (before.size, before.mtime_ns) == (state.size, state.mtime_ns)
    if not (same_source and before.policy == made_by) and _is_original(task):
        return None
    note = ""
    if not same_source:
        note = "the picture has changed since its output was made — --overwrite makes it anew"
    elif before.policy != made_by:
        note = "the output was made with other settings — --overwrite makes it anew"
    return kept.model_copy(
        update={
            "faces": before.faces,
            "labels": before.labels,
            "visible": before.visible,
            "notes": (note,) if note else (),
            "policy": before.policy,
        }
    )


def _is_original(task: Task) -> bool:
    """Whether the output is the untouched input: copied there, linked, or to be written in place."""
    try:
        return task.source.samefile(task.output) or filecmp.cmp(task.source, task.output, shallow=False)
    except OSError:
        return False
