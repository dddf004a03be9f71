"""One file of a batch: what a worker does with it. Every error ends in an `Outcome`, never in a lost input."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from faceveil import pipeline, plans, plugins
from faceveil.dataset import annotated, looking
from faceveil.dataset.report import Outcome
from faceveil.errors import Exit, FaceveilError, OutputError
from faceveil.media import run_key
from faceveil.policy import Policy
from faceveil.types import Plan


class Setup(BaseModel):
    """What all tasks of a run share.

    action: veil finds and covers; analyse returns plan lines, with sources relative to the file `plan`; apply covers
    what each task's plan names; check examines `source`, beside `original` where there is one; look tells what each of
    the detectors `looks` finds.
    annotations: the name of the file whose annotations the tasks carry; veil and analyse then take their regions from
    there, and with add_detected look as well.
    every, allow_sound: of checked films, how often all looks are taken (the default where None), and whether sound is
    no leak.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Policy
    action: Literal["veil", "analyse", "apply", "check", "look"] = "veil"
    threads: int = 1
    plan: Path | None = None
    annotations: str = ""
    add_detected: bool = False
    looks: tuple[str, ...] = ()
    every: int | None = Field(None, ge=1)
    allow_sound: bool = False
    key: str = Field(default_factory=lambda: secrets.token_hex(32), repr=False)


class Task(BaseModel):
    """One input and its output.

    plan: the text of a plan file for this source alone, to apply. annotation: what annotations say of it
    (`dataset.annotated.packed`). overwrite: replace what stands at `output`.
    quarantine: where a result goes that verification refuses. original: what to check `source` against.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    output: Path
    quarantine: Path | None = None
    overwrite: bool = False
    plan: str = ""
    annotation: str = ""
    original: Path | None = None


def run(task: Task, setup: Setup, progress: pipeline.Watcher | None = None) -> Outcome:
    """Do one task. Raises nothing but what stops a whole run (`MissingExtra`, `RequestError`).

    progress: called now and then while a video is worked on.
    """
    started = time.perf_counter()
    run_key.use(setup.key)
    try:
        done = _ACTIONS[setup.action](task, setup, progress)
    except FaceveilError as error:
        if error.exit_code not in (Exit.SOME_FAILED, Exit.REFUSED):
            raise
        status: Literal["failed", "refused"] = "refused" if error.exit_code == Exit.REFUSED else "failed"
        reason = str(error).removeprefix(f"{task.source} ").removeprefix("the picture ")
        done = Outcome(source=str(task.source), status=status, reason=reason)
    except MemoryError:
        done = Outcome(source=str(task.source), status="failed", reason="not enough memory for this picture")
    return done.model_copy(update={"ms": round((time.perf_counter() - started) * 1000, 1)})


def _veil(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> Outcome:
    if setup.annotations:
        return _as_annotated(task, setup, progress)
    _make_folder(task.output.parent)
    return _written(
        pipeline.veil(
            task.source,
            task.output,
            policy=setup.policy,
            overwrite=task.overwrite,
            quarantine=task.quarantine,
            threads=setup.threads,
            progress=progress,
        )
    )


def _apply(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> Outcome:
    (plan,) = plans.parse(task.plan, Path("plan"))
    return _covered(task, setup, plan, progress)


def _as_annotated(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> Outcome:
    plan = annotated.plan(_order(task, setup, progress))
    done = _covered(task, setup, plan, progress)
    if plan.faces:
        return done
    beside = ", and none was found" if setup.add_detected else ""
    return done.model_copy(
        update={"notes": (*done.notes, f"It is annotated with no face{beside}: nothing is covered.")}
    )


def _order(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> annotated.Order:
    return annotated.Order(
        source=task.source,
        said=task.annotation,
        name=setup.annotations,
        policy=setup.policy,
        add_detected=setup.add_detected,
        threads=setup.threads,
        progress=progress,
    )


def _covered(task: Task, setup: Setup, plan: Plan, progress: pipeline.Watcher | None) -> Outcome:
    _make_folder(task.output.parent)
    return _written(
        pipeline.apply(
            task.source,
            plan,
            task.output,
            overwrite=task.overwrite,
            quarantine=task.quarantine,
            threads=setup.threads,
            progress=progress,
        )
    )


def _analyse(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> Outcome:
    if setup.annotations:
        plan = annotated.plan(_order(task, setup, progress))
    else:
        plan = pipeline.analyse(task.source, policy=setup.policy, threads=setup.threads, progress=progress)
    if setup.plan is not None:
        plan = replace(plan, source=plans.relative(task.source, setup.plan))
    policy = setup.policy
    methods = [plugins.make(plugins.DEIDENTIFY, spec) for spec in policy.used]
    needed = any(getattr(method, "needs_landmarks", False) for method in methods)
    lines = tuple(plans.lines(plan, landmarks=needed, outline=policy.area.shape == "contour"))
    labels = pipeline.counted(plan.counts(), policy)
    return Outcome(source=str(task.source), status="done", faces=plan.faces, labels=labels, plan=lines)


def _check(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> Outcome:
    from faceveil.verify.check import DETECTOR, MIN_SCORE, Original, check  # noqa: PLC0415  (loads OpenCV)

    policy = setup.policy
    looker = policy.model_copy(update={"detector": policy.detector or DETECTOR, "method": "veil", "min_score": None})
    finder = policy.model_copy(update={"detector": None, "min_score": None})
    original = None
    if task.original is not None:
        original = Original(task.original, pipeline.detector_of(finder, setup.threads), policy.area)
    least = MIN_SCORE if policy.min_score is None else policy.min_score
    found = check(
        task.source,
        pipeline.detector_of(looker, setup.threads),
        original=original,
        min_score=least,
        every=setup.every,
        allow_sound=setup.allow_sound,
        metadata=policy.metadata,
        tell=pipeline.Pace(None, progress).tick,
    )
    return Outcome(
        source=str(task.source),
        status="done" if found.clean else "refused",
        faces=len(found.faces),
        reason=found.sentence(),
        found=found.as_dict(),
    )


def _look(task: Task, setup: Setup, progress: pipeline.Watcher | None) -> Outcome:
    found = looking.look(task.source, setup.looks, setup.policy)
    return Outcome(source=str(task.source), status="done", found=found)


_ACTIONS = {"veil": _veil, "apply": _apply, "analyse": _analyse, "check": _check, "look": _look}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder '{folder}': {error.strerror}") from None


def _written(made: pipeline.Veiled) -> Outcome:
    return Outcome(
        source=str(made.source),
        output=str(made.output),
        status="done",
        faces=made.faces,
        visible=made.kept,
        frames=made.frames,
        labels=made.labels,
        notes=made.notes,
    )
