"""`faceveil annotate INPUT...`: faces as annotation files, to correct in a tool and give back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from faceveil import media, pipeline, plans
from faceveil.annotation import Labelled, files, roots
from faceveil.apps.cli import show
from faceveil.apps.cli.options import looking_options, policy_of
from faceveil.apps.cli.veil import Run, expect_parts
from faceveil.dataset.inputs import collect
from faceveil.dataset.task import Setup, Task
from faceveil.errors import Exit, RequestError
from faceveil.types import Plan

EPILOG = """\b
The name of the output tells the format: .json COCO, .csv, .txt WIDER FACE's list, a folder YOLO's labels.
\b
Examples:
  faceveil annotate holiday/ -o faces.json               correct it in CVAT, Label Studio, FiftyOne ..., then
  faceveil holiday/ --annotations faces.json -o out      cover what it says
\b
Exit codes: 0 done, 1 some inputs failed, 2 wrong request, 3 missing part.
"""


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.option("--format", "format_", type=click.Choice(files.FORMATS), help="[default: by the output's name]")
@click.option("--scores/--no-scores", default=True, help="Write how sure the detector was; YOLO trains without.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes. [default: all cores]")
@click.option("--overwrite", is_flag=True, help="Replace annotations that are there already.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@looking_options
def annotate(
    inputs: tuple[str, ...],
    output: Path,
    format_: str | None,
    scores: bool,
    jobs: int | None,
    overwrite: bool,
    quiet: bool,
    policy_file: Path | None,
    **settings: Any,
) -> None:
    """Find the faces in files, folders and patterns, and write them as annotations. No picture is written.

    The file is personal data, readable by its owner alone. Frames of videos and animations are written one by one in
    COCO (as file#frame) and CSV; the other formats have no place for them.
    """
    policy = policy_of(policy_file, settings)
    chosen = format_ or files.format_of(output)
    files.expect_writable(output, chosen, overwrite=overwrite)
    expect_parts(policy)
    tasks = collect(inputs).tasks
    names = _names(tasks, roots(inputs)[0])
    files.expect_names(list(names.values()), chosen)
    _expect_no_film(tasks, chosen)
    if chosen == "wider" and scores and not quiet:
        click.echo("note: WIDER FACE's list has no place for scores", err=True)
    run = Run(tasks, Setup(policy=policy, action="analyse"), None, jobs, quiet, overwrite, None)
    code = run()
    made_by = pipeline.detector_of(policy).spec
    pictures: list[Labelled] = []
    for task in tasks:
        lines = run.lines.get(str(task.source), ())
        for plan in plans.parse(plans.text(policy, made_by, lines).decode(), Path("plan")):
            said = _labelled(plan, names[task.source])
            if len(said) > 1 and chosen not in files.FRAMED:
                reason = f"has {len(said)} frames, for which {chosen} has no place — write coco or csv"
                click.echo(show.printable(f"failed: {task.source}: {reason}"), err=True)
                code = code or Exit.SOME_FAILED
            else:
                pictures += said
    if pictures:
        files.write(output, pictures, chosen, scores=scores, made_by=f"faceveil, {made_by}", overwrite=overwrite)
        if not quiet:
            click.echo(f"the annotations ({chosen}) are in {output}; they are personal data")
    sys.exit(code)


def _names(tasks: list[Task], root: Path) -> dict[Path, str]:
    """How annotations name each source: relative to the inputs' folder."""
    return {task.source: task.source.absolute().relative_to(root).as_posix() for task in tasks}


def _expect_no_film(tasks: list[Task], chosen: str) -> None:
    if chosen in files.FRAMED:
        return
    for task in tasks:
        if media.is_video(task.source):
            raise RequestError(
                f"'{task.source}' is a video, and {chosen} has no place for its frames", hint="write coco or csv"
            )


def _labelled(plan: Plan, name: str) -> list[Labelled]:
    """The annotations of one source, a frame each."""
    several = len(plan.frames) > 1
    return [Labelled(name, frame.size, frame.regions, frame=frame.index if several else None) for frame in plan.frames]
