"""`faceveil evaluate privacy PEOPLE`: how often people are still named after a method, as attackers would try."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click

from faceveil import detect
from faceveil.apps.cli import cost, show
from faceveil.apps.cli.evaluating import PATH, anonymised_option, methods_option, report_options, running_options
from faceveil.dataset.batch import cores
from faceveil.errors import Exit, RequestError
from faceveil.evaluate.privacy import attacks as known
from faceveil.evaluate.privacy import people as crowds
from faceveil.evaluate.privacy.denoise import FILTERS
from faceveil.evaluate.privacy.evidence import Gathered
from faceveil.evaluate.privacy.experiment import Experiment, together
from faceveil.evaluate.privacy.findings import Privacy
from faceveil.evaluate.privacy.painted import METHODS, Condition, conditions
from faceveil.evaluate.privacy.privacy import measure
from faceveil.evaluate.privacy.report import write as report
from faceveil.evaluate.privacy.report.result import About, Report
from faceveil.evaluate.privacy.report.samples import samples
from faceveil.evaluate.privacy.run import LOOKER, RECOGNISERS, Settings, gather
from faceveil.policy import Policy

_Command = TypeVar("_Command", bound=Callable[..., Any])

EPILOG = """\b
PEOPLE is a folder with one folder for each person, a folder in FERET's or LFW's layout, or a list of pairs: pairs.csv
with the columns a, b and same, or LFW's pairs.txt. Everybody needs two photos, better ten.
\b
A method is NAME[:key=value,...], and may be followed by @ and a cover: solid@head, veil@width=2,height=1.7.
\b
Examples:
  faceveil evaluate privacy people/ -o report
  faceveil evaluate privacy people/ -m veil -m solid@head -m mosaic:cells=8 --attacks naive,parrot,retrained
  faceveil evaluate privacy people/ --anonymised made/by/another/tool -o report
\b
Exit codes: 0 done, 1 some photos could not be measured, 2 wrong request, 3 missing part.
"""


_SHARED = (
    click.option(
        "-r",
        "--recogniser",
        "recognisers",
        multiple=True,
        metavar="SPEC",
        help=f"What names people, any number (faceveil recognisers). [default: {', '.join(RECOGNISERS)}]",
    ),
    click.option(
        "--attacks",
        metavar="NAME,...",
        help=f"Of {', '.join(known.ATTACKS)}. [default: all but {known.CNN}]",
    ),
    click.option(
        "--cnn",
        is_flag=True,
        help=f"Also {known.CNN}: a small network, trained on painted pictures. It needs PyTorch, and takes longer.",
    ),
    click.option(
        "--filters",
        default=",".join(FILTERS),
        show_default=True,
        metavar="NAME,...",
        help="What attackers do to a picture first; none for nothing.",
    ),
    click.option("--thorough", is_flag=True, help="Let slow recognisers look at filtered pictures, too."),
    click.option(
        "-d",
        "--detector",
        metavar="SPEC|PRESET",
        help="What finds the faces to paint. [default: the attackers' detector]",
    ),
    click.option(
        "--attacker-detector",
        default=LOOKER,
        show_default=True,
        metavar="SPEC",
        help="What attackers find and align faces with, on originals and on what is painted.",
    ),
    click.option(
        "--cache",
        type=PATH,
        metavar="FOLDER",
        help="Keep embeddings between runs: biometric data, for your eyes alone.",
    ),
    click.option("--images", type=PATH, metavar="FOLDER", help="Where the pictures of a list of pairs are."),
    click.option("--frames", is_flag=True, help="A folder inside a person's holds the frames of one track."),
    click.option("--people", "most_people", type=click.IntRange(2), help="Only so many people, spread evenly."),
    click.option("--pictures", type=click.IntRange(2), help="Only so many photos of each, spread evenly."),
    click.option("--provider", default="cpu", show_default=True, help="Where networks run: cpu, cuda, ..."),
)


def people_options(command: _Command) -> _Command:
    """Add the options of all commands that let attackers look at people: who attacks, with what, on which of them."""
    command = running_options(command)
    for option in reversed(_SHARED):
        command = option(command)
    return command


@click.command(epilog=EPILOG)
@click.argument("people", type=PATH, metavar="PEOPLE")
@methods_option(METHODS)
@anonymised_option
@click.option(
    "--experiment",
    type=PATH,
    metavar="FILE.yml",
    help="Methods in many strengths, detectors, recognisers and attacks from one file: examples/adhoc_experiments.yml.",
)
@report_options
@click.option("--show-originals", is_flag=True, help="Put originals beside the painted pictures of the report.")
@people_options
def privacy(people: Path, **options: Any) -> None:
    """How often people are still named: recognisers and trained attackers on painted pictures, with intervals.

    Nothing is written but the report that --output names. It holds no name and no original; --cache is biometric data.
    """
    if options["output"] is not None:
        report.expect_folder(options["output"], overwrite=options["overwrite"])
    plan = _experiment(options)
    named = ",".join(plan.attacks) if plan is not None and plan.attacks else options["attacks"]
    wanted = attacks_of(named, cnn=options["cnn"])
    settings = settings_of(options, plan)
    asked = _conditions(options["methods"], options["anonymised"])
    runs = ((settings.finder, asked),) if plan is None else plan.runs()
    started, quiet = time.monotonic(), options["quiet"]
    crowd, found = gathered(people, options, settings, runs)
    made = measure(
        found.everything,
        found.people,
        wanted=wanted,
        thresholds=found.thresholds,
        seed=options["seed"],
        resamples=options["resamples"],
    )
    _print(made)
    if options["output"] is not None:
        about = _about(people, crowd, found, options, wanted, round(time.monotonic() - started, 1))
        shown = samples(found.everything, found.people, originals=options["show_originals"])
        report.write(options["output"], Report(made, about, shown), overwrite=options["overwrite"])
        if not quiet:
            click.echo(f"the report is in {options['output'] / 'report.html'}")
    if settings.cache is not None and not quiet:
        click.echo(show.printable(f"embeddings are kept in {settings.cache}; they are biometric data"))
    sys.exit(Exit.SOME_FAILED if found.failed else Exit.DONE)


def gathered(
    people: Path, options: dict[str, Any], settings: Settings, runs: Sequence[tuple[str | None, tuple[Condition, ...]]]
) -> tuple[crowds.Crowd, Gathered]:
    """The people, and what attackers have of them; what failed and was left out is told."""
    policy = Policy.of(provider=options["provider"])
    crowd = crowds.load(
        people,
        images=options["images"],
        anonymised=options.get("anonymised", ()),
        frames=options["frames"],
        people=options["most_people"],
        pictures=options["pictures"],
    )
    for finder, _ in runs:
        if finder is not None:
            cost.announce_specs((finder,), policy, len(crowd.photos))
    parts = []
    for finder, asked in runs:
        display = show.Display(len(crowd.photos), quiet=options["quiet"], each=False)
        chosen = replace(settings, finder=finder)
        parts.append(gather(crowd, asked, chosen, policy, options["jobs"] or cores(), display.run))
    found = together(parts)
    complain("failed", found.failed)
    complain("left out", found.left_out)
    return crowd, found


def attacks_of(text: str | None, *, cnn: bool = False) -> tuple[str, ...]:
    """The attacks that are asked for, the usual ones where none are named. Raises `RequestError`, `MissingExtra`."""
    wanted = _listed(text) if text is not None else known.DEFAULT
    if cnn and known.CNN not in wanted:
        wanted = (*wanted, known.CNN)
    known.expect_known(wanted)
    return wanted


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _conditions(methods: tuple[str, ...], anonymised: tuple[Path, ...]) -> tuple[Condition, ...]:
    """What is measured: the usual methods where nothing is named."""
    return conditions(methods or (() if anonymised else METHODS), [folder.name for folder in anonymised])


def _experiment(options: dict[str, Any]) -> Experiment | None:
    """The experiment in a file, which says all that these options say. Raises `RequestError`."""
    if options["experiment"] is None:
        return None
    for name in ("methods", "anonymised", "recognisers", "attacks", "detector"):
        if options[name]:
            raise RequestError(f"--{name.removesuffix('s')} and --experiment say the same", hint="leave one out")
    made = Experiment.read(options["experiment"])
    known.expect_known(made.attacks)
    return made


def settings_of(options: dict[str, Any], plan: Experiment | None = None) -> Settings:
    """How evidence is gathered, as options or an experiment say. Raises `RequestError`."""
    if plan is not None:
        return Settings(
            recognisers=plan.recognisers,
            looker=plan.attacker_detector,
            filters=_filters(",".join(plan.filters) or "none"),
            thorough=options["thorough"],
            seed=options["seed"],
            cache=options["cache"],
        )
    detector = options["detector"]
    return Settings(
        recognisers=options["recognisers"] or RECOGNISERS,
        finder=None if detector is None else detect.PRESETS.get(detector, detector),
        looker=options["attacker_detector"],
        filters=_filters(options["filters"]),
        thorough=options["thorough"],
        seed=options["seed"],
        cache=options["cache"],
    )


def _filters(text: str) -> tuple[str, ...]:
    filters = () if text == "none" else _listed(text)
    for name in filters:
        if name not in FILTERS:
            raise RequestError(f"no filter is called '{name}'", hint=f"known: {', '.join(FILTERS)}, none")
    return filters


def complain(word: str, files: tuple[tuple[str, str], ...]) -> None:
    """Tell of some files, and how many more there are."""
    for file, reason in files[:5]:
        click.echo(show.printable(f"{word}: {file}: {reason}"), err=True)
    if len(files) > 5:
        click.echo(f"{word}: {len(files) - 5} more", err=True)


def _print(made: Privacy) -> None:
    for condition in made.conditions:
        verdict = condition.verdict()
        if verdict is not None:
            click.echo(show.printable(f"{condition.name}: {verdict.sentence}"))
    for remark in made.remarks:
        click.echo(show.printable(f"note: {remark}"), err=True)


def _about(
    people: Path,
    crowd: crowds.Crowd,
    found: Gathered,
    options: dict[str, Any],
    wanted: Sequence[str],
    seconds: float,
) -> About:
    """What the report says of the run: nobody's name, and of paths the last part alone."""
    return About(
        command=shlex.join(["faceveil", *sys.argv[1:]]),
        data={
            "folder": people.name,
            "layout": crowd.layout,
            "sha256": found.digest,
            "failed": len(found.failed),
            "left out": len(found.left_out),
        },
        settings={
            "detector": found.finder,
            "attackers' detector": found.looker,
            "filters": list(found.settings["filters"]),
            "seed": options["seed"],
        },
        recognisers={
            name: {"spec": one.spec, "identity": one.identity, "licence": one.licence}
            for name, one in found.attackers.items()
        },
        versions=found.versions | ({"torch": version("torch")} if known.CNN in wanted else {}),
        seconds=seconds,
    )
