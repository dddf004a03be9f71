"""`faceveil evaluate`: how well detectors find labelled faces, and how often people are still named."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from faceveil.apps.cli import cost, show
from faceveil.apps.cli.compare import compare
from faceveil.apps.cli.evaluating import running_options
from faceveil.apps.cli.privacy import privacy
from faceveil.apps.cli.recommend import recommended
from faceveil.apps.cli.utility import utility
from faceveil.dataset.batch import cores
from faceveil.errors import Exit, RequestError
from faceveil.evaluate.gauge import AP, FALSE, IOUS, MS, RECALL, SIZES
from faceveil.evaluate.report import write as report
from faceveil.evaluate.report.result import Evaluation
from faceveil.evaluate.run import Looked, look, specs_of
from faceveil.evaluate.summary import Figure, Row, remarks, summed_up
from faceveil.evaluate.truth import Dataset, load
from faceveil.policy import Policy

_PATH = click.Path(path_type=Path)
EPILOG = """\b
DATASET is an annotation file, or the folder that holds one: COCO (.json), YOLO (labels/ beside images/), WIDER FACE
(wider_face_*_bbx_gt.txt), FDDB (*ellipseList.txt), CSV or FiftyOne.
\b
Examples:
  faceveil evaluate detection photos/ -d balanced -d thorough -o report
  faceveil evaluate detection faces.json --images photos/ -d 'mtcnn:min_size=20'
\b
Exit codes: 0 done, 1 some pictures could not be measured, 2 wrong request, 3 missing part.
"""


def dataset_options(command: Any) -> Any:
    """The options that say what is labelled, and how."""
    command = running_options(command)
    for option in (
        click.option("--pictures", "limit", type=click.IntRange(1), help="Only so many, spread evenly."),
        click.option(
            "--recall-only",
            multiple=True,
            metavar="PATTERN",
            help="Names of pictures in which not every face is labelled, such as 'masks/*': nothing in them is false.",
        ),
        click.option(
            "--label", "labels", multiple=True, help="A label that means a face. [default: face, or the only one]"
        ),
        click.option(
            "--images", type=_PATH, metavar="FOLDER", help="Where the pictures are, unless beside the labels."
        ),
        click.option("--provider", default="cpu", show_default=True, help="Where networks run: cpu, cuda, ..."),
        click.option(
            "--allow-cloud",
            is_flag=True,
            help="Let detectors in the cloud have the pictures: they leave the machine.",
        ),
    ):
        command = option(command)
    return command


def loaded(path: Path, images: Path | None, labels: Any, recall_only: Any, limit: int | None) -> Dataset:
    """The data set of a command; pictures that are not there are named. Raises `RequestError`."""
    data = load(path, images=images, labels=labels, recall_only=recall_only, limit=limit)
    for name in data.missing[:5]:
        click.echo(show.printable(f"not there: {name}"), err=True)
    if len(data.missing) > 5:
        click.echo(f"not there: {len(data.missing) - 5} more", err=True)
    return data


def looked(data: Dataset, specs: tuple[str, ...], policy: Policy, jobs: int | None, *, quiet: bool) -> Looked:
    """What the detectors find; pictures that cannot be measured are named. Raises as `evaluate.run.look`."""
    if not quiet:
        cost.announce_specs(specs, policy, len(data.pictures))
    display = show.Display(len(data.pictures), quiet=quiet, each=False)
    found = look(data, specs, policy, jobs or cores(), display.run)
    for file, reason in found.failed:
        click.echo(show.printable(f"failed: {file}: {reason}"), err=True)
    return found


@click.group()
def evaluate() -> None:
    """Measure on labelled pictures, and on pictures of people whose names are known."""


evaluate.add_command(privacy)
evaluate.add_command(utility)
evaluate.add_command(recommended)


evaluate.add_command(compare)


@evaluate.command(epilog=EPILOG)
@click.argument("dataset", type=_PATH, metavar="DATASET")
@click.option(
    "-d",
    "--detector",
    "detectors",
    multiple=True,
    metavar="SPEC|PRESET",
    help="What to measure, any number; the others are compared with the first. [default: balanced]",
)
@click.option(
    "-o", "--output", type=_PATH, metavar="FOLDER", help="Write report.html, result.json and result.csv there."
)
@click.option("--no-pictures", is_flag=True, help="Leave the pictures of missed faces out of the report.")
@click.option("--overwrite", is_flag=True, help="Replace a report that is there already.")
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, help="Heights of faces, in pixels.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="Count no detection below it.")
@dataset_options
def detection(  # noqa: PLR0913  (one parameter for each option)
    dataset: Path,
    detectors: tuple[str, ...],
    output: Path | None,
    no_pictures: bool,
    overwrite: bool,
    sizes: str,
    min_score: float | None,
    provider: str,
    allow_cloud: bool,
    images: Path | None,
    labels: tuple[str, ...],
    recall_only: tuple[str, ...],
    limit: int | None,
    resamples: int,
    seed: int,
    jobs: int | None,
    quiet: bool,
) -> None:
    """Recall, average precision, false positives and time of detectors on labelled pictures, with intervals.

    The report is personal data: it shows the worst misses, faces of your own data set, unless --no-pictures.
    """
    policy = Policy.of(provider=provider, min_score=min_score, allow_cloud=allow_cloud)
    heights = _heights(sizes)
    names = detectors or ("balanced",)
    specs = specs_of(names, policy)
    if output is not None:
        report.expect_folder(output, overwrite=overwrite)
    data = loaded(dataset, images, labels, recall_only, limit)
    found = looked(data, specs, policy, jobs, quiet=quiet)
    rows = summed_up(found, sizes=heights, resamples=resamples, seed=seed)
    said = tuple(remarks(found, rows, data.missing))
    _print(names, rows, said, heights)
    if output is not None:
        made = Evaluation(
            data, found, rows, names, said, shlex.join(["faceveil", *sys.argv[1:]]), seed, resamples, heights
        )
        report.write(output, made, pictures=not no_pictures, overwrite=overwrite)
        if not quiet:
            click.echo(f"the report is in {output / 'report.html'}; it is personal data")
    sys.exit(Exit.SOME_FAILED if found.failed or data.missing else Exit.DONE)


def _heights(text: str) -> tuple[int, ...]:
    cells = [cell.strip() for cell in text.split(",")]
    if not all(cell.isdigit() and len(cell) < 6 for cell in cells):
        raise RequestError(f"--sizes are heights in pixels, such as 12,20,40, got '{text}'")
    return tuple(sorted({int(cell) for cell in cells}))


def _print(names: tuple[str, ...], rows: tuple[Row, ...], said: tuple[str, ...], heights: tuple[int, ...]) -> None:
    for name, row in zip(names, rows, strict=True):
        click.echo(show.printable(name))
        for line in _lines(row, heights):
            click.echo(f"  {line}")
    for remark in said:
        click.echo(show.printable(f"note: {remark}"), err=True)


def _lines(row: Row, heights: tuple[int, ...]) -> Iterator[str]:
    for iou in IOUS:
        parts = [f"{least} px {told(row.of(RECALL, f'from {least} px', iou))}" for least in heights]
        yield f"recall at IoU {iou}, from " + ", ".join(parts)
    yield f"average precision {told(row.of(AP))}"
    yield f"false positives a picture {told(row.of(FALSE), 2)}; {told(row.of(MS), 1)} ms a picture"


def told(figure: Figure, digits: int = 3) -> str:
    """A figure with its interval, for a terminal."""
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
