"""`faceveil detectors`, `methods`, `recognisers`, `doctor`: what there is, from the plug-ins themselves."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import click
from rich.console import Console
from rich.table import Table

from faceveil import __version__, detect, plugins
from faceveil.detect import runtime
from faceveil.errors import Exit, MissingExtra
from faceveil.media import lossless
from faceveil.models import store

_PARTS = ("numpy", "pillow", "pillow-heif", "opencv-python-headless", "onnxruntime", "simplejpeg", "av", "pydantic")


@click.command()
def detectors() -> None:
    """List the detectors and presets, with their settings and the licences of their weights."""
    table = Table("detector", "settings", "what it is", box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name, kind in _all(plugins.DETECT):
        licence = getattr(kind, "licence", "")
        table.add_row(name, _settings(kind), _summary(kind) + (f" Weights: {licence}" if licence else ""))
    _console().print(table)
    for preset, spec in detect.PRESETS.items():
        click.echo(f"--preset {preset:9} is {spec}")


@click.command()
def methods() -> None:
    """List the methods, with their privacy class and settings."""
    table = Table("method", "class", "settings", "what it does", box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name, kind in _all(plugins.DEIDENTIFY):
        table.add_row(name, str(getattr(kind, "privacy", "")), _settings(kind), _summary(kind))
    _console().print(table)
    click.echo(
        "independent: the result depends on no covered pixel. bounded: on a stated amount. "
        "cosmetic: people stay recognisable to software."
    )


@click.command()
def recognisers() -> None:
    """List the recognisers that `evaluate privacy` measures with, their settings and the licences of their weights."""
    table = Table("recogniser", "settings", "what it is", box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name, kind in _all(plugins.MATCH):
        table.add_row(name, _settings(kind), f"{_summary(kind)} Weights: {getattr(kind, 'licence', '')}")
    _console().print(table)
    click.echo("They measure what others could do to a picture: faceveil searches for nobody.")


@click.command()
def doctor() -> None:
    """Say what is installed and whether the weights are whole. Exit code 3 if a needed part is missing."""
    click.echo(f"faceveil {__version__}, Python {platform.python_version()}, {platform.platform()}")
    broken = []
    for part in _PARTS:
        try:
            click.echo(f"  {part} {version(part)}")
        except PackageNotFoundError:
            click.echo(f"  {part} is missing")
            broken.append(part)
    click.echo("weights (licences are shipped beside them):")
    for model in store.models():
        state = "DAMAGED" if store.damage(model) else "ok"
        added = "" if model.embedded else ", added"
        click.echo(f"  {model.name}: {model.bytes / 1e6:.2f} MB, {model.licence}{added}, {state}")
        if state != "ok":
            broken.append(model.name)
    ready = runtime.providers()
    for provider in runtime.PROVIDERS:
        click.echo(f"provider {provider}: {'ready' if provider in ready else runtime.CURES[provider]}")
    click.echo(lossless.advice())
    for group, word in ((plugins.DETECT, "detector"), (plugins.DEIDENTIFY, "method"), (plugins.MATCH, "recogniser")):
        for name in plugins.names(group):
            try:
                plugins.load(group, name)
            except MissingExtra as error:
                click.echo(f"{word} {name}: {error}")
    if broken:
        click.echo(
            f"faceveil: missing or damaged: {', '.join(broken)} — pip install --force-reinstall faceveil", err=True
        )
        sys.exit(Exit.MISSING_PART)


def _all(group: str) -> list[tuple[str, type[plugins.Plugin]]]:
    found = []
    for name in plugins.names(group):
        try:
            found.append((name, plugins.load(group, name)))
        except MissingExtra as error:
            click.echo(str(error), err=True)
    return found


def _settings(kind: type[plugins.Plugin]) -> str:
    fields = {k: f for k, f in kind.model_fields.items() if k != kind.positional}
    return "\n".join(f"{key}={'…' if f.is_required() or f.default is None else f.default}" for key, f in fields.items())


def _summary(kind: type[plugins.Plugin]) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").replace("    ", "")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)
