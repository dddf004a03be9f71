"""Options that the commands of `faceveil evaluate` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from faceveil.evaluate.intervals import RESAMPLES

_Command = TypeVar("_Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def methods_option(usual: Sequence[str], what: str = "What to measure, any number.") -> Callable[[_Command], _Command]:
    """`--methods`, any number of them, each with a cover of its own."""
    return click.option(
        "-m", "--methods", multiple=True, metavar="SPEC[@AREA]", help=f"{what} [default: {', '.join(usual)}]"
    )


def anonymised_option(command: _Command) -> _Command:
    """`--anonymised`, folders that other tools have made."""
    return click.option(
        "--anonymised",
        multiple=True,
        type=PATH,
        metavar="FOLDER",
        help="Pictures that any tool has made of these, under the same names; measured beside the methods, or alone.",
    )(command)


def report_options(command: _Command) -> _Command:
    """Where a report goes, and whether it may replace one."""
    command = click.option("--overwrite", is_flag=True, help="Replace a report that is there already.")(command)
    return click.option(
        "-o", "--output", type=PATH, metavar="FOLDER", help="Write report.html, result.json and result.csv there."
    )(command)


def running_options(command: _Command) -> _Command:
    """How intervals are made, with which seed, in how many processes, and how loudly."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures and figures."),
        click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes. [default: all cores]"),
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn by chance."
        ),
        click.option(
            "--resamples",
            type=click.IntRange(100, 100_000),
            default=RESAMPLES,
            show_default=True,
            help="For intervals.",
        ),
    ):
        command = option(command)
    return command
