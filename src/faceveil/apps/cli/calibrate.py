"""`faceveil calibrate DATASET --recall R`: a policy for a recall on your own pictures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from faceveil import detect
from faceveil.apps.cli.evaluate import dataset_options, loaded, looked
from faceveil.errors import Exit, RequestError
from faceveil.evaluate.calibrate import Choice, Wish, candidates, choose, policy_text, sentences
from faceveil.evaluate.run import specs_of
from faceveil.media.atomic import publish
from faceveil.policy import Policy

_PATH = click.Path(path_type=Path)
EPILOG = """\b
DATASET is as for: faceveil evaluate detection. One half of its pictures, by chance, is chosen on; what is stated was
measured on the other half.
\b
Example:
  faceveil calibrate photos/ --recall 0.95 -o policy.yml
  faceveil holiday/ --policy policy.yml
\b
Exit codes: 0 done, 1 some pictures could not be measured, 2 wrong request, 3 missing part, 4 the recall cannot be had.
"""


@click.command(epilog=EPILOG)
@click.argument("dataset", type=_PATH, metavar="DATASET")
@click.option("--recall", type=click.FloatRange(0, 1, min_open=True), required=True, help="Share of faces to be found.")
@click.option("-o", "--output", type=_PATH, metavar="FILE.yml", help="Write the policy there.")
@click.option("--overwrite", is_flag=True, help="Replace a policy that is there already.")
@click.option("--preset", type=click.Choice(list(detect.PRESETS)), default="balanced", show_default=True)
@click.option("-d", "--detector", metavar="SPEC", help="A detector instead of the preset's.")
@click.option("--size-from", type=click.IntRange(1), default=20, show_default=True, help="Height of faces, in pixels.")
@click.option("--iou", type=click.FloatRange(0.1, 0.95), default=0.5, show_default=True, help="From which it is found.")
@click.option("--keep-size", is_flag=True, help="Choose the threshold alone, and no other size of the picture.")
@click.option("--max-ms", type=click.FloatRange(0, min_open=True), help="At most so much of one core for a picture.")
@dataset_options
def calibrate(  # noqa: PLR0913  (one parameter for each option)
    dataset: Path,
    recall: float,
    output: Path | None,
    overwrite: bool,
    preset: str,
    detector: str | None,
    size_from: int,
    iou: float,
    keep_size: bool,
    max_ms: float | None,
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
    """Choose a threshold, and the size of the picture where the detector has one, for a recall on labelled pictures.

    Of all that reaches the recall with the fewest false positives, or half a one a picture more, the fastest is chosen.
    """
    policy = Policy.of(provider=provider, allow_cloud=allow_cloud)
    wish = Wish(recall, size_from, iou, max_ms)
    if output is not None and output.exists() and not overwrite:
        raise RequestError(f"'{output}' is there already", hint="--overwrite replaces it")
    specs = specs_of(candidates(detect.PRESETS.get(detector or preset, detector or ""), keep_size=keep_size), policy)
    data = loaded(dataset, images, labels, recall_only, limit)
    found = looked(data, specs, policy, jobs, quiet=quiet)
    choice = choose(found, wish, seed=seed, resamples=resamples)
    _print(choice, wish)
    if output is not None:
        command = shlex.join(["faceveil", *sys.argv[1:]])
        text = policy_text(choice, wish, data=str(dataset), digest=found.digest, provider=provider, command=command)
        publish(output, text.encode("utf-8", "backslashreplace"), overwrite=overwrite)
        if not quiet:
            click.echo(f"the policy is in {output}; use it with --policy {output}")
    sys.exit(Exit.SOME_FAILED if found.failed or data.missing else Exit.DONE)


def _print(choice: Choice, wish: Wish) -> None:
    click.echo("on the half that is chosen on:")
    for one in choice.options:
        false = "" if one.false is None else f"{one.false:7.2f} false/picture, "
        reached = f"at {one.min_score:.4f}" if one.min_score is not None else "never    "
        sign = "*" if one is choice.chosen else " "
        click.echo(f"{sign} {reached}  recall {one.recall:.3f}, {false}{one.ms:7.1f} ms  {one.spec}")
    click.echo(f"chosen: {choice.chosen.spec}, min_score {choice.chosen.min_score}")
    for line in sentences(choice, wish):
        click.echo(line)
