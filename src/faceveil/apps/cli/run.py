"""`faceveil run JOB.yml`: files or a stream, as one typed file says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from faceveil.apps.cli.veil import Run, expect_parts, warn, with_annotations
from faceveil.dataset.task import Setup
from faceveil.errors import OutputError, RequestError
from faceveil.jobs import Files, Loaded, Stream, decide, read, schema


@click.command(epilog="\b\nThe fields, with examples: docs/pipelines.md. Exit codes are those of INPUT.")
@click.argument("job", type=click.Path(path_type=Path), metavar="JOB.yml", required=False)
@click.option(
    "--print-job", is_flag=True, help="Print the job and run nothing; of a PeekingDuck file, the job it makes."
)
@click.option("--schema", "print_schema", is_flag=True, help="Print the JSON schema of job files, for editors.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.pass_context
def run(context: click.Context, job: Path | None, print_job: bool, print_schema: bool, quiet: bool) -> None:
    """Run a job: source, detector, method and outputs from one file. PeekingDuck's pipeline files run as they stand."""
    if print_schema:
        click.echo(json.dumps(schema(), indent=2))
        return
    if job is None:
        raise RequestError("which job?", hint="faceveil run JOB.yml")
    loaded = read(job)
    todo = None if print_job else decide(loaded)
    if not quiet:
        for note in loaded.notes:
            click.echo(f"note: {note}", err=True)
    if todo is None:
        click.echo(loaded.job.text, nl=False)
        return
    _check(loaded)
    warn(loaded.job.policy)
    if isinstance(todo, Files):
        sys.exit(_files(loaded, todo, quiet))
    _live(context, loaded, todo, quiet)


def _check(loaded: Loaded) -> None:
    try:
        expect_parts(loaded.job.policy)
    except RequestError as error:
        # What is wrong with one field was said when the job was read: here it is what others ask of the detector.
        raise loaded.written.error((_field(error.message),), error.message, hint=error.hint) from None


def _field(message: str) -> str:
    """The field that a complaint is about."""
    if message.startswith("detector") and ", not " not in message:  # "finds face, not plate" is about what is covered
        return "detector"
    fields = {"method": "method", "shape": "area"}
    return next((field for word, field in fields.items() if message.startswith(word)), "cover")


def _files(loaded: Loaded, todo: Files, quiet: bool) -> int:
    job = loaded.job
    report = None if job.report is None else Path(job.report)
    setup = Setup(policy=job.policy, annotations=job.annotations or "", add_detected=job.add_detected)
    inputs, tasks = todo.inputs, todo.inputs.tasks
    if job.annotations is not None:
        try:
            tasks = with_annotations(tasks, Path(job.annotations), job.source, job.policy)
        except RequestError as error:
            raise loaded.written.error(("annotations",), error.message, hint=error.hint) from None
    return Run(tasks, setup, report, job.jobs, quiet, job.overwrite, todo.output, inputs.ignored, todo.names)()


def _live(context: click.Context, loaded: Loaded, todo: Stream, quiet: bool) -> None:
    """Call `faceveil live` with all that the job says."""
    from faceveil.apps.cli.live import live  # noqa: PLC0415  (batches need none of it)

    job = loaded.job
    report = None if job.report is None else Path(job.report)
    for file in (*todo.files, *([report] if report else ())):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder '{file.parent}': {error.strerror}") from None
    options = {**_fields(job.policy), **_fields(todo.settings)}
    options |= {"report": report, "overwrite": job.overwrite, "quiet": quiet}
    try:
        context.invoke(live, source=todo.source, sinks=todo.sinks, **options)
    except RequestError as error:
        raise loaded.written.error(("outputs",), error.message, hint=error.hint) from None


def _fields(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}
