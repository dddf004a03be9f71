"""What a run shows: one line for one file, a bar or plain lines for many, each failure by name, a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from faceveil.dataset.report import Outcome, Totals

_EVERY_S = 10.0  # between plain progress lines, where the output is not a terminal


def progress(outcomes: Iterable[Outcome], total: int, *, quiet: bool, each: bool = True) -> Iterator[Outcome]:
    """Pass outcomes on, showing progress on standard error and, if `each`, every failure as it happens."""
    if total == 1 or quiet:
        yield from _complaining(outcomes, _say) if each else outcomes
    elif sys.stderr.isatty():
        yield from _bar(outcomes, total, each=each)
    else:
        yield from _plain(outcomes, total, each=each)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _complaining(outcomes: Iterable[Outcome], say: Callable[[str], None]) -> Iterator[Outcome]:
    for outcome in outcomes:
        line = complaint(outcome)
        if line:
            say(line)
        yield outcome


def _bar(outcomes: Iterable[Outcome], total: int, *, each: bool) -> Iterator[Outcome]:
    from rich.console import Console  # noqa: PLC0415  (costs 50 ms, wanted only for a bar)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[faces]} faces"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, rate=0.0, faces=0)
        started, faces = time.monotonic(), 0
        for n, outcome in enumerate(_complaining(outcomes, bar.console.out) if each else outcomes, 1):
            faces += outcome.faces
            rate = n / max(time.monotonic() - started, 1e-3)
            bar.update(task, advance=1, rate=rate, faces=faces)
            yield outcome


def _plain(outcomes: Iterable[Outcome], total: int, *, each: bool) -> Iterator[Outcome]:
    started = last = time.monotonic()
    for n, outcome in enumerate(_complaining(outcomes, _say) if each else outcomes, 1):
        now = time.monotonic()
        if now - last >= _EVERY_S and n < total:
            rate = n / (now - started)
            _say(f"{n} of {total}, {rate:.1f}/s, {(total - n) / rate:.0f} s left")
            last = now
        yield outcome


def complaint(outcome: Outcome) -> str:
    """The line for an input that failed; empty for others."""
    if outcome.status in ("failed", "refused"):
        return f"{outcome.status}: {printable(outcome.source)}: {printable(outcome.reason)}"
    return ""


def printable(text: str) -> str:
    """Text for a terminal: file names may hold line ends, control codes, or bytes that are no text at all."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def one_line(outcome: Outcome) -> str:
    """What became of the only file of a run."""
    if outcome.status == "kept":
        note = "".join(f" ({n})" for n in outcome.notes) or " (--overwrite makes it anew)"
        return printable(f"{outcome.source}: {outcome.output} is there already and was kept{note}")
    found = _faces(outcome.faces)
    some = "" if outcome.visible == outcome.faces else f"{outcome.visible} of them "
    visible = f", {some}left visible" if outcome.visible else ""
    where = f" -> {outcome.output}" if outcome.output else ""
    notes = "".join(f"\n  {note}" for note in outcome.notes)
    return printable(f"{outcome.source}: {found}{visible}{where}") + notes


def summary(totals: Totals, seconds: float, output: Path | None) -> str:
    """What became of many files."""
    parts = [f"{totals.done} done"]
    if totals.kept:
        parts.append(f"{totals.kept} kept (there already; --overwrite makes them anew)")
    if totals.failed:
        parts.append(f"{totals.failed} failed")
    if totals.refused:
        parts.append(f"{totals.refused} refused")
    if totals.ignored:
        parts.append(f"{totals.ignored} left alone (not pictures)")
    rate = f", {totals.done / seconds:.1f}/s" if totals.done and seconds > 0 else ""
    where = f" -> {output}" if output else ""
    return f"{', '.join(parts)}; {_faces(totals.faces)} in {seconds:.1f} s{rate}{where}"


def _faces(n: int) -> str:
    return "no face found" if n == 0 else f"{n} face{'s' if n > 1 else ''}"
