"""Options, derived from the policy's fields: the same words as in YAML and Python."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from faceveil.errors import RequestError
from faceveil.policy import DEFAULT, Policy, read_yaml

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SHORT = {"method": "-m", "detector": "-d"}
_METAVAR = {
    "cover": "face,plate,...",
    "method": "[LABEL=]NAME[:key=value,...]",
    "detector": "NAME[:key=value,...]",
    "area": "face|head|key=value,...",
}
_SHOWN = {"cover": "face", "area": "face"}
_ASSIGNED = re.compile(r"\s*([^:(=]+?)\s*=\s*(.*)", re.DOTALL)  # a spec has a colon or a bracket before its first "="


LOOKING = ("preset", "detector", "min_score", "allow_cloud", "cover", "provider")
"""The fields of a policy that say what is looked for, and how."""


def policy_options(command: _Command) -> _Command:
    """Add `--policy FILE` and one option for each field of `Policy`."""
    return _with(command, tuple(name for name in Policy.model_fields if name != "methods"))  # said by --method


def looking_options(command: _Command) -> _Command:
    """Add `--policy FILE` and the options of a policy that say how faces are looked for."""
    return _with(command, LOOKING)


def _with(command: _Command, names: tuple[str, ...]) -> _Command:
    for name in reversed(names):
        command = _option(name, Policy.model_fields[name])(command)
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
    default = _SHOWN.get(name, info.default)
    more = " For one label: -m plate=solid." if name == "method" else ""
    help_text = f"{info.description}{more}" + (f" [default: {default}]" if default is not None else "")
    return click.option(
        *flags,
        name,
        type=click.Choice(get_args(choices)) if choices else str,
        multiple=name == "method",
        metavar=_METAVAR.get(name),
        help=help_text,
    )


def policy_of(policy_file: Path | None, settings: dict[str, Any]) -> Policy:
    """The policy from a file with the given options on top. Raises `RequestError`."""
    given = {key: value for key, value in settings.items() if value is not None}
    read = read_yaml(policy_file) if policy_file else {}
    if isinstance(given.get("method"), tuple):  # as options; jobs give one text
        given |= _methods(given.pop("method"), read.get("methods"))
        if "method" in given and isinstance(read.get("methods"), dict):
            read = {**read, "methods": {k: v for k, v in read["methods"].items() if k != DEFAULT}}
    return Policy.of(**{**read, **given})


def _methods(specs: tuple[str, ...], read: object) -> dict[str, Any]:
    """`method` and `methods` as several --method say them, on top of the methods in a file."""
    own: dict[str, str] = {}
    for text in specs:
        assigned = _ASSIGNED.fullmatch(text)
        label, spec = (assigned[1], assigned[2]) if assigned else (DEFAULT, text)
        if label in own:
            what = "everything" if label == DEFAULT else f"'{label}'"
            raise RequestError(f"--method names two for {what}: '{own[label]}' and '{spec}'")
        own[label] = spec
    said: dict[str, Any] = {"method": own.pop(DEFAULT)} if DEFAULT in own else {}
    if own:
        said["methods"] = {**(read if isinstance(read, dict) else {}), **own}
    return said
