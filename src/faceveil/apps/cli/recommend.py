"""`faceveil evaluate recommend PEOPLE`: a method, its strength and its cover for people of the user's own."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from faceveil.apps.cli import show
from faceveil.apps.cli.evaluating import PATH, methods_option
from faceveil.apps.cli.privacy import attacks_of, gathered, people_options, settings_of
from faceveil.errors import Exit, RequestError
from faceveil.evaluate.privacy.attacks import FACE, WIDE
from faceveil.evaluate.privacy.painted import conditions
from faceveil.evaluate.privacy.privacy import measure
from faceveil.evaluate.privacy.recommend import LADDER, Advice, policy_text, recommend, sentences
from faceveil.evaluate.privacy.verdict import told_rate
from faceveil.media.atomic import publish

EPILOG = """\b
PEOPLE is what `faceveil evaluate privacy` takes. The more people and photos, the more a rate says: with 790 photos the
interval of a rate of 1 % reaches from .5 to 2 %.
\b
Example:
  faceveil evaluate recommend people/ --max-rank1 0.02 -o policy.yml
  faceveil holiday/ --policy policy.yml
\b
Exit codes: 0 done, 1 some photos could not be measured, 2 wrong request, 3 missing part, 4 nothing reaches it.
"""


@click.command("recommend", epilog=EPILOG)
@click.argument("people", type=PATH, metavar="PEOPLE")
@click.option(
    "--max-rank1",
    "most",
    type=click.FloatRange(0, 1, min_open=True),
    required=True,
    help="Of which share of the people may be named at most, by any attack.",
)
@click.option(
    "--field",
    type=click.Choice([FACE, WIDE]),
    default=FACE,
    show_default=True,
    help="What attackers look at: the face, or also hair, clothes and place around it.",
)
@methods_option(LADDER, "What to try, from what keeps most to what keeps least.")
@click.option("-o", "--output", type=PATH, metavar="FILE.yml", help="Write a policy there.")
@click.option("--overwrite", is_flag=True, help="Replace a policy that is there already.")
@people_options
def recommended(people: Path, most: float, field: str, **options: Any) -> None:
    """The method that keeps most of a picture, of those behind which attackers name few enough of your own people."""
    output = options["output"]
    if output is not None and output.exists() and not options["overwrite"]:
        raise RequestError(f"'{output}' is there already", hint="--overwrite replaces it")
    wanted = attacks_of(options["attacks"], cnn=options["cnn"])
    settings = settings_of(options)
    asked = conditions(options["methods"] or LADDER)
    _, found = gathered(people, options, settings, ((settings.finder, asked),))
    made = measure(
        found.everything,
        found.people,
        wanted=wanted,
        thresholds=found.thresholds,
        seed=options["seed"],
        resamples=options["resamples"],
    )
    advice = recommend(made, [one.name for one in asked], most, field)
    _print(advice)
    if output is not None:
        text = policy_text(advice, command=shlex.join(["faceveil", *sys.argv[1:]]), digest=found.digest)
        publish(output, text.encode("utf-8", "backslashreplace"), overwrite=options["overwrite"])
        if not options["quiet"]:
            click.echo(f"the policy is in {output}; use it with --policy {output}")
    sys.exit(Exit.SOME_FAILED if found.failed else Exit.DONE)


def _print(advice: Advice) -> None:
    for rung in advice.rungs:
        sign = "*" if rung is advice.chosen else " "
        text = f"{sign} {told_rate(rung.by.rank1):22} {rung.condition.name}, by {rung.by.attack.label}"
        click.echo(show.printable(text))
    for line in sentences(advice):
        click.echo(show.printable(line))
