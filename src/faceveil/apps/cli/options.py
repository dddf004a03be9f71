"""Options, derived from the policy's fields: the same words as in YAML and Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from faceveil.policy import Policy, read_yaml

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SHORT = {"method": "-m", "detector": "-d"}
_METAVAR = {"method": "NAME[:key=value,...]", "detector": "NAME[:key=value,...]", "cover": "face|head|key=value,..."}


def policy_options(command: _Command) -> _Command:
    """Add `--policy FILE` and one option for each field of `Policy`."""
    for name, info in reversed(Policy.model_fields.items()):
        command = _option(name, info)(command)
    return click.option(
        "--policy",
        "policy_file",
        type=click.Path(path_type=Path),
        metavar="FILE.yml",
        help="Settings from a YAML file; options override them.",
    )(command)


def _option(name: str, info: FieldInfo) -> Callable[[_Command], _Command]:
    flag = name.replace("_", "-")
    if info.annotation == bool | None:
        return click.option(f"--{flag}/--no-{flag}", name, default=None, help=info.description)
    if info.annotation is bool:
        return click.option(f"--{flag}", name, is_flag=True, default=None, help=info.description)
    flags = [f"--{flag}"] + ([_SHORT[name]] if name in _SHORT else [])
    choices = next(
        (kind for kind in (info.annotation, *get_args(info.annotation)) if get_origin(kind) is Literal), None
    )
    default = "face" if name == "cover" else info.default
    help_text = f"{info.description} [default: {default}]" if default is not None else info.description
    return click.option(
        *flags,
        name,
        type=click.Choice(get_args(choices)) if choices else str,
        metavar=_METAVAR.get(name),
        help=help_text,
    )


def policy_of(policy_file: Path | None, settings: dict[str, Any]) -> Policy:
    """The policy from a file with the given options on top. Raises `RequestError`."""
    given = {key: value for key, value in settings.items() if value is not None}
    return Policy.of(**{**(read_yaml(policy_file) if policy_file else {}), **given})
