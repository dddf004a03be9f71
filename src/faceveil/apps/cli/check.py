"""`faceveil check`: what still shows, in files of any origin."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from faceveil import pipeline
from faceveil.apps.cli import cost, show
from faceveil.dataset.batch import cores, process
from faceveil.dataset.inputs import to_check
from faceveil.dataset.report import Outcome, exit_code
from faceveil.dataset.task import Setup
from faceveil.errors import RequestError
from faceveil.policy import Policy


@click.command(
    epilog="\b\nExit codes: 0 nothing found, 1 a file cannot be read, 2 wrong request, 4 something was found."
)
@click.argument("files", nargs=-1, required=True, metavar="FILE|FOLDER...")
@click.option(
    "--original",
    type=click.Path(path_type=Path),
    help="File or folder that they were made from, or a report with neutral names.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found as JSON.")
@click.option("-d", "--detector", help="Looks for visible faces. [default: mtcnn:min_size=32]")
@click.option(
    "--allow-cloud", is_flag=True, help="Let detectors in the cloud have the files, which leave this machine."
)
@click.option("--min-score", type=float, help="Of a visible face. [default: 0.87]")
@click.option("--area", help="How much around the original's faces may differ. [default: face]")
@click.option(
    "--metadata",
    type=click.Choice(["technical", "all-but-identifying"]),
    help="What may stay beside the picture: all-but-identifying accepts camera settings. [default: technical]",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    help="Of a video, one frame of so many is looked at in all rotations and sizes, and each after a cut. [default: 5]",
)
@click.option("--allow-sound", is_flag=True, help="Of a video, sound that was kept on purpose is no leak.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes. [default: all cores]")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what was found.")
def check(  # noqa: PLR0913  (one parameter for each option)
    files: tuple[str, ...],
    original: Path | None,
    as_json: bool,
    detector: str | None,
    allow_cloud: bool,
    min_score: float | None,
    area: str | None,
    metadata: str | None,
    every: int | None,
    allow_sound: bool,
    jobs: int | None,
    quiet: bool,
) -> None:
    """Look for visible faces and leaks in pictures and films that any tool has made.

    Faces: by another detector than the default one, in four rotations and two sizes, in every frame; in videos upright
    in every frame, and in all rotations and sizes in some (--every); not those below some 3.5 % of the picture's longer
    side. Leaks: anything in the container beside the picture, its colour profile, resolution and orientation (and, with
    --metadata all-but-identifying, camera settings as plain numbers); in videos sound too. With --original: what
    changed outside the faces, and whether faces or bytes of the original are still there.
    """
    settings = {"detector": detector, "min_score": min_score, "area": area, "metadata": metadata}
    policy = Policy.of(allow_cloud=allow_cloud, **{key: value for key, value in settings.items() if value is not None})
    if policy.area.shape == "contour":
        raise RequestError("the faces of the original have no outlines", hint="name another --area, such as face")
    if detector is not None:
        pipeline.detector_of(policy)
    tasks = to_check(files, original).tasks
    if detector is not None and not quiet:
        cost.announce(policy, (task.source for task in tasks), once=False)
    setup = Setup(policy=policy, action="check", every=every, allow_sound=allow_sound)
    display = show.Display(len(tasks), quiet=quiet, each=False)
    outcomes = process(tasks, setup, workers=jobs or cores(), watch=lambda task, at: display.film(str(task.source), at))
    found = sorted(display.run(outcomes), key=lambda outcome: outcome.source)
    if as_json:
        click.echo(json.dumps([{"file": o.source, **(o.found or {"error": o.reason})} for o in found], indent=1))
    else:
        _print(found, quiet=quiet)
    sys.exit(exit_code(found))


def _print(found: list[Outcome], *, quiet: bool) -> None:
    for outcome in found:
        if outcome.status != "done" or (len(found) == 1 and not quiet):
            click.echo(show.printable(f"{outcome.source}: {outcome.reason}"))
    if len(found) > 1 and not quiet:
        bad = sum(outcome.status == "refused" for outcome in found)
        unread = sum(outcome.status == "failed" for outcome in found)
        rest = f", {unread} cannot be read" if unread else ""
        click.echo(f"{len(found)} files: nothing found in {len(found) - bad - unread}, something in {bad}{rest}")
