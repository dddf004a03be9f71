"""`faceveil evaluate compare A.json B.json`: what changed between two evaluations of privacy."""

from __future__ import annotations

from pathlib import Path

import click

from faceveil.apps.cli import show
from faceveil.evaluate.privacy.compare import Change, Comparison, read
from faceveil.evaluate.privacy.compare import compare as compared
from faceveil.evaluate.privacy.verdict import ALL, told_rate

_PATH = click.Path(path_type=Path)
EPILOG = """\b
Each is a result.json, or the folder of a report, of: faceveil evaluate privacy.
\b
Example:
  faceveil evaluate compare march/ april/
\b
Exit codes: 0 compared, 2 wrong request.
"""


@click.command(epilog=EPILOG)
@click.argument("before", type=_PATH, metavar="A.json")
@click.argument("after", type=_PATH, metavar="B.json")
@click.option("--all", "everything", is_flag=True, help="Every attack, and not only what changed for sure.")
def compare(before: Path, after: Path, everything: bool) -> None:
    """What changed between two evaluations of privacy: verdicts, and rank-1 attack by attack.

    A change is sure where its 95 % interval does not hold zero; of many attacks some are so by chance.
    """
    made = compared(read(before), read(after))
    for line in _lines(made, everything=everything):
        click.echo(show.printable(line))
    for remark in made.remarks:
        click.echo(show.printable(f"note: {remark}"), err=True)


def _lines(made: Comparison, *, everything: bool) -> list[str]:
    lines = []
    for name in dict.fromkeys(one.condition for one in made.changes):
        turn = next((one for one in made.turns if one.condition == name and one.scope == ALL), None)
        words = "" if turn is None else turn.after if turn.before == turn.after else f"{turn.before} -> {turn.after}"
        lines.append(f"{name}: {words}" if words else name)
        mine = [one for one in made.changes if one.condition == name]
        shown = [one for one in mine if everything or one.sure]
        lines += [f"  {_told(one)}" for one in sorted(shown, key=lambda one: -abs(one.change.value or 0))]
        if not shown:
            lines.append(f"  no sure change in {len(mine)} attacks")
    return lines


def _told(one: Change) -> str:
    text = f"{one.attack.label}: {told_rate(one.before)} -> {told_rate(one.after)}"
    if one.change.value is None or one.change.low is None or one.change.high is None:
        return text
    points = (100 * value for value in (one.change.value, one.change.low, one.change.high))
    return f"{text}, {{:+.1f}} points [{{:+.1f}}, {{:+.1f}}]".format(*points)
