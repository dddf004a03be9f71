"""`faceveil INPUT...` and `faceveil apply PLAN`."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from faceveil import __version__, pipeline, plans, plugins
from faceveil.apps.cli import cost, show
from faceveil.apps.cli.options import policy_of, policy_options
from faceveil.dataset.batch import cores, process
from faceveil.dataset.inputs import annotated, collect, of_plans
from faceveil.dataset.names import NeutralNames, names_for
from faceveil.dataset.report import Journal, exit_code
from faceveil.dataset.task import Setup, Task
from faceveil.errors import RequestError
from faceveil.media.atomic import publish
from faceveil.policy import Policy
from faceveil.types import FACE, Plan

_PATH = click.Path(path_type=Path)

EXIT_CODES = """\b
Exit codes:
  0  everything asked for was done
  1  some inputs failed: each is named, the others are complete
  2  the request is wrong: nothing was started
  3  an optional part is missing: the cure is named
  4  refused by verification: the output is kept aside
"""


def _run_options(command: Any) -> Any:
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures."),
        click.option("--overwrite", is_flag=True, help="Make existing outputs anew; without it they are kept."),
        click.option(
            "--neutral-names",
            is_flag=True,
            help="Names and times of outputs say nothing of the originals; only --report tells which is which.",
        ),
        click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes. [default: all cores]"),
        click.option("--report", type=_PATH, metavar="FILE.json", help="An account of each file; a rerun resumes."),
        click.option("-o", "--output", type=_PATH, help="Folder for the results, or a file for a single input."),
    ):
        command = option(command)
    return command


@click.command(epilog=EXIT_CODES)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@_run_options
@policy_options
@click.option("--plan", type=_PATH, metavar="FILE.jsonl", help="Look only: write what would be covered, to review.")
@click.option(
    "--annotations",
    type=_PATH,
    help="Cover what it says instead of looking (COCO, YOLO, WIDER, CSV ...).",
)
@click.option("--add-detected", is_flag=True, help="Look as well, and cover both.")
@click.option("--in-place", is_flag=True, help="Replace the originals by their veiled copies.")
@click.option("-y", "--yes", is_flag=True, help="Confirm --in-place for a folder.")
def veil(  # noqa: PLR0913  (one parameter for each option)
    inputs: tuple[str, ...],
    output: Path | None,
    report: Path | None,
    jobs: int | None,
    overwrite: bool,
    quiet: bool,
    neutral_names: bool,
    plan: Path | None,
    annotations: Path | None,
    add_detected: bool,
    in_place: bool,
    yes: bool,
    policy_file: Path | None,
    **settings: Any,
) -> None:
    """Cover the faces in files, folders and patterns. The originals are never touched."""
    policy = policy_of(policy_file, settings)
    if in_place and not yes and any(Path(item).is_dir() for item in inputs):
        raise RequestError("--in-place would replace all originals in a folder", hint="confirm with --yes")
    if plan is not None and (output is not None or in_place):
        raise RequestError("--plan looks only and writes no pictures", hint="leave --output and --in-place out")
    if neutral_names and (plan is not None or in_place):
        other = "--plan" if plan is not None else "--in-place"
        raise RequestError(f"--neutral-names is about new files, and {other} makes none", hint=f"leave {other} out")
    if plan is not None and plan.exists() and not overwrite:
        raise RequestError(f"the plan '{plan}' is there already, perhaps with edits", hint="--overwrite replaces it")
    if add_detected and annotations is None:
        raise RequestError("--add-detected adds to annotations", hint="name them with --annotations")
    expect_parts(policy)
    names = names_for(output, report, neutral=neutral_names)
    found = collect(inputs, output, in_place=in_place, names=names)
    if annotations is not None:
        found.tasks[:] = with_annotations(found.tasks, annotations, inputs, policy)
    warn(policy)
    setup = Setup(
        policy=policy,
        action="analyse" if plan else "veil",
        plan=plan,
        annotations=str(annotations or ""),
        add_detected=add_detected,
    )
    run = Run(found.tasks, setup, report, jobs, quiet, overwrite, output, found.ignored, names)
    code = run()
    if plan is not None:
        body = [line for task in found.tasks for line in run.lines.get(str(task.source), ())]
        looked = annotations is None or add_detected
        made_by = pipeline.detector_of(policy).spec if looked else f"annotations {annotations}"
        publish(plan, plans.text(policy, made_by, body), overwrite=overwrite, mode=0o600)
        if not quiet:
            click.echo(f"the plan is in {plan}; it is personal data")
    sys.exit(code)


def with_annotations(tasks: list[Task], path: Path, inputs: tuple[str, ...], policy: Policy) -> list[Task]:
    """The tasks with their annotations; names that are about no input are told. Raises `RequestError`."""
    for spec in policy.used:
        if getattr(plugins.make(plugins.DEIDENTIFY, spec), "needs_landmarks", False):
            raise RequestError(f"method '{spec}' needs landmarks, which annotations do not give")
    if policy.area.shape == "contour":
        raise RequestError("shape=contour needs the outline of a face, which annotations do not give")
    from faceveil.annotation.files import read  # noqa: PLC0415  (the formats: most runs read none)

    done, left = annotated(tasks, read(path), inputs)
    if left:
        some = f"{len(left)} pictures" if len(left) > 1 else "a picture"
        click.echo(show.printable(f"note: {path} names {some} not among the inputs: '{left[0]}'…"), err=True)
    return done


@click.command()
@click.argument("plan", type=_PATH, metavar="PLAN")
@_run_options
def apply(
    plan: Path,
    output: Path | None,
    report: Path | None,
    jobs: int | None,
    overwrite: bool,
    quiet: bool,
    neutral_names: bool,
) -> None:
    """Cover what a plan names, without looking for faces. Make one with: faceveil INPUT --plan FILE.jsonl."""
    planned = plans.read(plan)
    policy = Policy.of(**(planned[0].policy if planned else {}))
    names = names_for(output, report, neutral=neutral_names)
    tasks = [
        task.model_copy(update={"plan": plans.text(policy, one.detector, _whole(one)).decode()})
        for task, one in zip(of_plans(planned, output, names=names), planned, strict=True)
    ]
    setup = Setup(policy=policy, action="apply")
    sys.exit(Run(tasks, setup, report, jobs, quiet, overwrite, output, names=names)())


def _whole(plan: Plan) -> Iterator[str]:
    return plans.lines(plan, landmarks=True, outline=True)


@dataclass
class Run:
    """One run over tasks, with its display and its report; jobs are run by it, too."""

    tasks: list[Task]
    setup: Setup
    report: Path | None
    jobs: int | None
    quiet: bool
    overwrite: bool
    output: Path | None
    ignored: list[Path] = field(default_factory=list)
    names: NeutralNames | None = None
    lines: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Plan lines by source, filled by the run."""

    def __call__(self) -> int:
        """Do it all; the exit code."""
        looks = self.setup.action != "apply" and (not self.setup.annotations or self.setup.add_detected)
        if looks and not self.quiet:
            cost.announce(self.setup.policy, (task.source for task in self.tasks if self._is_due(task)))
        started = time.monotonic()
        stop = threading.Event()
        command = shlex.join(["faceveil", *sys.argv[1:]])
        policy = self.setup.policy.model_dump(mode="json")
        key = self.names.key if self.names else ""
        journal = Journal(self.report, version=__version__, command=command, policy=policy, names_key=key)
        journal.ignored = self.ignored
        earlier = journal.earlier()
        display = show.Display(len(self.tasks), quiet=self.quiet)
        with journal, _gentle_interrupt(stop, active=len(self.tasks) > 1):
            outcomes = process(
                self.names.shuffled(self.tasks) if self.names else self.tasks,
                self.setup,
                workers=self.jobs or cores(),
                overwrite=self.overwrite,
                earlier=earlier,
                stop=stop,
                watch=lambda task, at: display.film(str(task.source), at),
            )
            if self.names:
                outcomes = map(self.names.settled, outcomes)
            for outcome in display.run(outcomes):
                journal.add(outcome)
                self.lines[outcome.source] = outcome.plan
            journal.interrupted = stop.is_set()
            if self.names:
                self.names.close()
        if not self.quiet:
            self._sum_up(journal, time.monotonic() - started)
        return exit_code(journal.outcomes, interrupted=journal.interrupted)

    def _is_due(self, task: Task) -> bool:
        """Whether there is no result of this task yet, or it is made anew."""
        anew = self.overwrite or self.setup.action == "analyse" or task.output == task.source
        return anew or not os.path.lexists(task.output)

    def _sum_up(self, journal: Journal, seconds: float) -> None:
        if len(self.tasks) > 1 or not journal.outcomes:
            click.echo(show.summary(journal.report().totals, seconds, self.output))
        elif journal.outcomes[0].status in ("done", "kept"):
            click.echo(show.one_line(journal.outcomes[0]))


@contextmanager
def _gentle_interrupt(stop: threading.Event, *, active: bool) -> Iterator[None]:
    """The first Ctrl-C sets `stop`, so that started files are finished; the second raises as usual."""
    if not active or threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo("stopping: started files are finished; a rerun resumes", err=True)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def expect_parts(policy: Policy) -> None:
    """Raises where what a policy names is wrong or not installed. The workers load the defaults: one load less."""
    plain = (policy.detector, policy.used, policy.cover) == (None, ("veil",), (FACE,))
    if not plain or policy.method != "veil" or policy.area.shape == "contour":
        pipeline.detector_of(policy)


def warn(policy: Policy) -> None:
    """Say once what each method is worth that does not cover completely what it is for."""
    if policy.used == ("veil",):
        return
    from faceveil.deidentify import paint  # noqa: PLC0415  (loads OpenCV)

    for spec in policy.used:
        method = paint.method(spec)
        labels = [label for label in policy.cover if policy.method_of(label) == spec]
        whose = "" if len(policy.used) == 1 else f"for {' and '.join(labels)}, "
        if method.promise != "independent":
            click.echo(f"note: {whose}{method.claim}", err=True)
