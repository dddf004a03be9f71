"""What a run shows: one line for one file, a bar or plain lines for many, each failure by name, a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from faceveil.dataset.report import Outcome, Totals, summed
from faceveil.pipeline import Progress
from faceveil.types import FACE

_EVERY_S = 10.0  # between plain progress lines, where the output is not a terminal


class Display:
    """Progress of a run on standard error: a bar on a terminal, plain lines now and then elsewhere, or nothing.

    total: inputs. each: name every failure as it happens. `film` may be called from any thread.
    """

    def __init__(self, total: int, *, quiet: bool, each: bool = True) -> None:
        self._total = total
        self._quiet = quiet
        self._each = each
        self._bars = _Bars() if sys.stderr.isatty() and not quiet else None
        self._started = self._last = time.monotonic()

    def run(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass outcomes on and show how far they are."""
        with self._bars or nullcontext():
            if self._bars is not None and self._total > 1:
                self._bars.files(0, self._total, "")
            faces, labels = 0, dict[str, int]()
            for n, outcome in enumerate(outcomes, 1):
                faces, labels = faces + outcome.faces, summed((labels, outcome.labels))
                line = complaint(outcome) if self._each else ""
                if line:
                    self._say(line)
                if self._bars is not None:
                    self._bars.done(outcome.source)
                    if self._total > 1:
                        self._bars.files(n, self._total, _tally(faces, labels))
                elif 1 < self._total > n and self._due():
                    rate = n / (self._last - self._started)
                    self._say(f"{n} of {self._total}, {rate:.1f}/s, {(self._total - n) / rate:.0f} s left")
                yield outcome

    def film(self, source: str, at: Progress) -> None:
        """Show how far a video is."""
        if self._bars is not None:
            self._bars.film(source, at)
        elif not self._quiet and self._due():
            of = "" if at.total is None else f" of {at.total}"
            left = "" if at.left is None else f", {at.left:.0f} s left"
            done = f"{at.rate:.1f} fps, {_found(at.faces, at.labels)}{left}" if at.frames else "looking ahead"
            self._say(f"{printable(source)}: frame {at.frames}{of}, {done}")

    def _say(self, line: str) -> None:
        if self._bars is not None:
            self._bars.say(line)
        else:
            click.echo(line, err=True)

    def _due(self) -> bool:
        now = time.monotonic()
        if self._quiet or now - self._last < _EVERY_S:
            return False
        self._last = now
        return True


class _Bars:
    """One bar for the files and one for each video that is being worked on."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  (costs 50 ms, wanted only for a bar)
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f}/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[found]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._rows: dict[str, Any] = {}
        self._started = time.monotonic()

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        self._progress.console.out(line)

    def files(self, n: int, total: int, found: str) -> None:
        self._row("", "", n, total, n / max(time.monotonic() - self._started, 1e-3), found)

    def film(self, source: str, at: Progress) -> None:
        self._row(source, printable(Path(source).name), at.frames, at.total, at.rate, _tally(at.faces, at.labels))

    def done(self, source: str) -> None:
        row = self._rows.pop(source, None)
        if row is not None:
            self._progress.remove_task(row)

    def _row(self, key: str, label: str, n: int, total: int | None, rate: float, found: str) -> None:
        if key not in self._rows:
            self._rows[key] = self._progress.add_task(label, total=total, rate=rate, found=found)
        self._progress.update(self._rows[key], completed=n, total=total, rate=rate, found=found)


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
    found = _found(outcome.faces, outcome.labels) + (f" in {outcome.frames} frames" if outcome.frames else "")
    some = "" if outcome.visible == (sum(outcome.labels.values()) or outcome.faces) else f"{outcome.visible} of them "
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
    return f"{', '.join(parts)}; {_found(totals.faces, totals.labels)} in {seconds:.1f} s{rate}{where}"


def _found(faces: int, labels: dict[str, int]) -> str:
    """What was found: "2 faces"; "1 face, no plate"; "no face and no plate found"."""
    counts = labels or {FACE: faces}
    if not any(counts.values()):
        return " and ".join(f"no {label}" for label in counts) + " found"
    return ", ".join(f"{n or 'no'} {label}{'s' if n > 1 else ''}" for label, n in counts.items())


def _tally(faces: int, labels: dict[str, int]) -> str:
    """The same beside a bar, where numbers change."""
    return ", ".join(f"{n} {label}s" for label, n in (labels or {FACE: faces}).items())
