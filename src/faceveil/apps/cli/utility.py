"""`faceveil evaluate utility PICTURES`: what de-identified pictures are still good for."""

from __future__ import annotations

import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from faceveil.apps.cli import cost, show
from faceveil.apps.cli.evaluating import PATH, anonymised_option, methods_option, report_options, running_options
from faceveil.apps.cli.options import LOOKING, looking_options, policy_of
from faceveil.apps.cli.privacy import complain
from faceveil.dataset.batch import cores
from faceveil.errors import Exit
from faceveil.evaluate.cnn import cnn, expect_torch
from faceveil.evaluate.privacy.painted import conditions
from faceveil.evaluate.privacy.report.result import About
from faceveil.evaluate.utility import labelled, report
from faceveil.evaluate.utility.extras import Extras
from faceveil.evaluate.utility.learn import classic, expect_sklearn
from faceveil.evaluate.utility.measure import Used, measure
from faceveil.evaluate.utility.run import JUDGE, Gathered, gather

METHODS = ("veil", "solid", "blur:sigma=0.25", "mosaic:cells=8")
"""What is measured where nobody says what."""
MODELS = {"classic": (classic, "features", expect_sklearn), "cnn": (cnn, "thumbs", expect_torch)}
"""What learns, from which array of `Rows`, and what tells that a part of it is missing."""
EPILOG = """\b
PICTURES is a folder with one folder for each class (or train/CLASS beside val/CLASS), a CSV file with the columns file
and label, or a COCO file whose picture records hold the label in a field (--label).
\b
A method is NAME[:key=value,...], and may be followed by @ and a cover: solid@head, veil@width=2,height=1.7.
\b
Examples:
  faceveil evaluate utility scenes/ -o report
  faceveil evaluate utility wider.json --label event -m veil -m solid@head -m blur:sigma=0.4
  faceveil evaluate utility scenes/ --anonymised made/by/another/tool --seeds 5
\b
Exit codes: 0 done, 1 some pictures could not be measured, 2 wrong request, 3 missing part.
"""


@click.command(epilog=EPILOG)
@click.argument("pictures", type=PATH, metavar="PICTURES")
@methods_option(METHODS)
@anonymised_option
@click.option("--label", "field", metavar="NAME", help="The field of a COCO file's picture records that is learned.")
@click.option("--images", type=PATH, metavar="FOLDER", help="Where the pictures of a file of labels are.")
@click.option(
    "--model",
    type=click.Choice(list(MODELS)),
    default="classic",
    show_default=True,
    help="classic: gradients and colours, logistic regression; cnn: a small network from scratch, with PyTorch.",
)
@click.option("--seeds", type=click.IntRange(3, 100), default=5, show_default=True, help="Splits and models.")
@click.option("--judge", default=JUDGE, show_default=True, metavar="SPEC", help="Looks whether faces are still found.")
@click.option(
    "--attributes",
    multiple=True,
    type=PATH,
    metavar="FILE.yml",
    help="A manifest of a classifier of faces, as of recognisers: how often its class stays; any number.",
)
@click.option(
    "--features",
    multiple=True,
    type=PATH,
    metavar="FILE.yml",
    help="A manifest of a network for whole pictures, such as Inception: the Fréchet distance (FID); any number.",
)
@click.option(
    "--lpips",
    type=PATH,
    metavar="FILE.pth",
    help="Measure LPIPS, with AlexNet's weights as torchvision publishes them; needs the package lpips.",
)
@report_options
@running_options
@looking_options
def utility(pictures: Path, policy_file: Path | None, **options: Any) -> None:
    """What a model still learns of painted pictures, what a detector still finds, and what has changed."""
    model, seen, expect = MODELS[options["model"]]
    expect()
    if options["output"] is not None:
        report.expect_folder(options["output"], overwrite=options["overwrite"])
    policy = policy_of(policy_file, {name: options.pop(name) for name in LOOKING})
    asked = conditions(
        options["methods"] or (() if options["anonymised"] else METHODS),
        [folder.name for folder in options["anonymised"]],
    )
    data = labelled.load(pictures, field=options["field"], images=options["images"])
    for folder in options["anonymised"]:
        data = labelled.beside(data, options["images"] or (pictures if pictures.is_dir() else pictures.parent), folder)
    started, quiet = time.monotonic(), options["quiet"]
    if policy.detector is not None:
        cost.announce_specs((policy.detector,), policy, len(data.pictures))
    display = show.Display(len(data.pictures), quiet=quiet, each=False)
    found = gather(
        data,
        asked,
        policy,
        judge=options["judge"],
        extras=Extras(**{name: options[name] for name in Extras.model_fields}),
        seed=options["seed"],
        workers=options["jobs"] or cores(),
        display=display.run,
    )
    for word, files in (("failed", found.failed), ("left out", found.left_out)):
        complain(word, files)
    used = measure(
        found.rows,
        found.label,
        found.tested,
        model,
        seen=seen,
        seeds=range(options["seed"], options["seed"] + options["seeds"]),
        seed=options["seed"],
        resamples=options["resamples"],
    )
    _print(used)
    if options["output"] is not None:
        made = report.Report(used, _about(pictures, data, found, options, round(time.monotonic() - started, 1)))
        report.write(options["output"], made, overwrite=options["overwrite"])
        if not quiet:
            click.echo(f"the report is in {options['output'] / 'report.html'}")
    sys.exit(Exit.SOME_FAILED if found.failed else Exit.DONE)


def _print(used: tuple[Used, ...]) -> None:
    top = min(used[0].top)
    for one in used:
        text = f"{one.name}: top-{top} {report.percent(one.top[top])}"
        if one is not used[0]:
            text += f", lost {report.percent(one.lost[top])}, from originals {report.percent(one.moved[top])}"
            if one.found is not None:
                text += f"; faces found again {report.percent(one.found)}"
            text += "".join(f"; {words}" for words in report.told(one))
        click.echo(show.printable(text))


def _named(options: dict[str, Any]) -> dict[str, Any]:
    """The user's own networks, of paths the last part alone."""
    lists = {name: [file.name for file in options[name]] for name in ("attributes", "features") if options[name]}
    return lists | ({"lpips": options["lpips"].name} if options["lpips"] else {})


def _about(
    pictures: Path, data: labelled.Labelled, found: Gathered, options: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """What the report says of the run; of paths the last part alone."""
    return {
        "made": About(versions={"torch": version("torch")} if options["model"] == "cnn" else {}).made,
        "command": shlex.join(["faceveil", *sys.argv[1:]]),
        "data": {
            "path": pictures.name,
            "layout": data.layout,
            "sha256": found.digest,
            "pictures": len(found.label),
            "faces": found.faces,
            "classes": found.counts,
            "failed": len(found.failed),
            "left out": len(found.left_out),
        },
        "settings": {
            "model": options["model"],
            "seeds": list(range(options["seed"], options["seed"] + options["seeds"])),
            "split": "the set's own" if data.split else "three tenths of each class by chance, for each seed anew",
            "detector": found.finder,
            "judge": found.judge,
            "extras": _named(options),
            "resamples": options["resamples"],
        },
        "seconds": seconds,
    }
