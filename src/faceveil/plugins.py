"""Plug-ins: a name in an entry-point group leads to a class, imported only when it is named.

A plug-in is a frozen pydantic model: its fields are its settings, and command line, YAML and docs are derived from
them. It is written as text, called a *spec*, in one of two forms with the same meaning:

    mosaic:cells=4                      name, then settings
    union(centerface(size=640), mtcnn)  a call; nested plug-ins are positional
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from faceveil.errors import MissingExtra, RequestError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DETECT = "faceveil.detect"
DEIDENTIFY = "faceveil.deidentify"
MATCH = "faceveil.match"

KIND = {DETECT: "detector", DEIDENTIFY: "method", MATCH: "recogniser"}


class Plugin(BaseModel):
    """Base of all plug-ins. Subclasses declare their settings as fields and set `name` to their entry point's name."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, use_attribute_docstrings=True)

    name: ClassVar[str]
    positional: ClassVar[str] = ""
    """The field that takes nested plug-ins, for compositions."""

    @property
    def spec(self) -> str:
        """This plug-in as text, settings at their defaults left out."""
        nested, settings = self._parts()
        if nested:
            return self._call()
        return self.name + (":" + ",".join(f"{k}={v}" for k, v in settings.items()) if settings else "")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that its settings name, and those of the plug-ins in it: what they hold shapes results, too."""
        nested, _ = self._parts()
        own = [value for key in type(self).model_fields if isinstance(value := getattr(self, key), Path)]
        return tuple(dict.fromkeys([*own, *(file for part in nested if part is not None for file in part.files)]))

    def _parts(self) -> tuple[tuple[Plugin, ...], dict[str, str]]:
        nested = getattr(self, self.positional) if self.positional else ()
        nested = nested if isinstance(nested, tuple) else (nested,)
        settings = {
            key: _as_text(getattr(self, key))
            for key, info in type(self).model_fields.items()
            if key != self.positional and getattr(self, key) != info.default
        }
        return nested, settings

    def _call(self) -> str:
        nested, settings = self._parts()
        arguments = [child._call() for child in nested] + [f"{k}={v}" for k, v in settings.items()]
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


def _as_text(value: object) -> str:
    if isinstance(value, tuple | list):
        return "[" + ";".join(_as_text(v) for v in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- specs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec: the plug-in's name, its settings as text, and nested specs."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    nested: tuple[Spec, ...] = ()

    @property
    def text(self) -> str:
        """The spec as one call."""
        arguments = [child.text for child in self.nested] + [f"{k}={_as_text(v)}" for k, v in self.settings.items()]
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
DEEPEST = 32  # brackets in brackets; the deepest preset has 3, and each level is a level of Python's stack


def parse(text: str) -> Spec:
    """Read a spec. Raises `RequestError` that quotes the part it cannot read."""
    return _parse(text.strip(), DEEPEST)


def _parse(text: str, levels: int) -> Spec:
    if not levels:
        raise RequestError(f"brackets go deeper than {DEEPEST}")
    name = _NAME.match(text)
    if not name:
        raise RequestError(f"'{text}' does not start with a name", hint="write NAME or NAME:key=value,key=value")
    rest = text[name.end() :].strip()
    if not rest:
        return Spec(name.group())
    if rest.startswith(":"):
        return Spec(name.group(), _settings(_split(rest[1:], text), text))
    if not (rest.startswith("(") and rest.endswith(")")):
        raise RequestError(f"cannot read '{rest}' in '{text}'", hint="write NAME:key=value or NAME(other, key=value)")
    arguments = _split(rest[1:-1], text)
    nested = tuple(_parse(a, levels - 1) for a in arguments if not _is_setting(a))
    return Spec(name.group(), _settings([a for a in arguments if _is_setting(a)], text), nested)


def _is_setting(argument: str) -> bool:
    name = _NAME.match(argument)
    return bool(name) and argument[name.end() :].lstrip().startswith("=")  # type: ignore[union-attr]


def _split(text: str, whole: str) -> list[str]:
    """Split at commas that stand outside brackets."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth < 0:
            break
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    if depth:
        raise RequestError(f"brackets do not match in '{whole}'")
    parts.append(text[start:].strip())
    return [p for p in parts if p]


def _settings(parts: list[str], whole: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or not value:
            raise RequestError(f"cannot read '{part}' in '{whole}'", hint="settings are written key=value")
        if key in settings:
            raise RequestError(f"'{key}' is given twice in '{whole}'")
        is_list = value.startswith("[") and value.endswith("]")
        settings[key] = [v.strip() for v in re.split("[;,]", value[1:-1]) if v.strip()] if is_list else value
    return settings


def written(value: object) -> str:
    """A spec as text, from text or from nested mappings as YAML has them.

    A plug-in is a text, or a mapping of one name to what it is made of: nested plug-ins, one or a list, or settings,
    of which `of` are the nested plug-ins. {union: [centerface, {tiles: {of: mtcnn, size: 640}}]} is
    union(centerface, tiles(mtcnn, size=640)). Raises `RequestError` that quotes the part it cannot read.
    """
    if isinstance(value, str):
        return value
    spec = _tree(value, DEEPEST)
    if parse(spec.text) != spec:  # a value with brackets or commas in it
        raise RequestError(f"'{spec.text}' holds a value that no spec can hold")
    return spec.text


def _tree(value: object, levels: int) -> Spec:
    if isinstance(value, str):
        return _parse(value.strip(), levels)
    if not levels:
        raise RequestError(f"brackets go deeper than {DEEPEST}")
    if not isinstance(value, Mapping) or len(value) != 1:
        hint = "write a name, or {NAME: [other, other]}, or {NAME: {key: value}}"
        raise RequestError(f"'{value}' is no spec", hint=hint)
    ((name, body),) = value.items()
    settings = dict(body) if isinstance(body, Mapping) else {"of": body}
    parts = settings.pop("of", None)
    nested = parts if isinstance(parts, list | tuple) else [] if parts is None else [parts]
    plain = {str(key): _plain(str(key), value) for key, value in settings.items()}
    return Spec(str(name), plain, tuple(_tree(part, levels - 1) for part in nested))


def _plain(key: str, value: object) -> str | list[str]:
    """A setting's value as `parse` gives it."""
    if isinstance(value, list | tuple):
        return [_as_text(_plain(key, part)) for part in value]
    if not isinstance(value, str | int | float):
        raise RequestError(f"'{key}' cannot be '{value}'", hint="settings are texts, numbers and lists of them")
    return _as_text(value).strip()


# --- from names to plug-ins ----------------------------------------------------------------------------------------


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda e: e.name)}


def names(group: str) -> list[str]:
    """The names of all plug-ins of a group, in alphabetical order. Imports none of them."""
    return list(_entries(group))


def load(group: str, name: str) -> type[Plugin]:
    """The class behind a name. Raises `RequestError` with the nearest name, or `MissingExtra`."""
    entry = _entries(group).get(name)
    if entry is None:
        raise RequestError(f"no {KIND[group]} is called '{name}'", hint=suggest(name, names(group)))
    try:
        loaded = entry.load()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("faceveil"):
            raise  # a broken installation, not a missing extra
        raise MissingExtra(
            f"{KIND[group]} '{name}' needs {error.name}", hint=f"pip install 'faceveil[{_extra(entry)}]'"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Plugin)):
        raise RequestError(f"{KIND[group]} '{name}' ({entry.value}) is not a faceveil plug-in")
    return loaded


def _extra(entry: EntryPoint) -> str:
    """The extra that brings what a plug-in imports: `name = "module:Class [extra]"`, or one of the plug-in's name."""
    return entry.extras[0] if entry.extras else entry.name


def make(group: str, spec: str | Spec) -> Plugin:
    """The plug-in that a spec describes. Raises `RequestError` that names the wrong setting and the known ones."""
    spec = parse(spec) if isinstance(spec, str) else spec
    kind = load(group, spec.name)
    settings: dict[str, Any] = dict(spec.settings)
    if spec.nested:
        if not kind.positional:
            raise RequestError(f"{KIND[group]} '{spec.name}' takes no other {KIND[group]}s in brackets")
        made = tuple(make(group, child) for child in spec.nested)
        many = "tuple" in str(kind.model_fields[kind.positional].annotation)
        if not many and len(made) > 1:
            raise RequestError(f"{KIND[group]} '{spec.name}' takes one {KIND[group]} in brackets, got {len(made)}")
        settings[kind.positional] = made if many else made[0]
    try:
        return kind(**settings)
    except ValidationError as error:
        raise RequestError(f"{KIND[group]} '{spec.name}': {explain(error)}", hint=known(kind, error)) from None


def explain(error: ValidationError) -> str:
    """The first complaint of a pydantic error, in one line without jargon."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(p) for p in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting '{where}'"
    if first["type"] == "missing":
        return f"'{where}' is missing"
    return f"'{where}': {complaint(first)}" if where else _message(first)


def complaint(error: ErrorDetails) -> str:
    """What one of pydantic's errors says about a value, with the value."""
    text = _message(error)
    said = f" (got '{error['input']}')" if isinstance(error.get("input"), str | int | float) else ""
    return f"{text[0].lower()}{text[1:]}{said}"


def _message(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")


def known(kind: type[BaseModel], error: ValidationError) -> str:
    """What to write instead, for a setting that does not exist; empty for other complaints."""
    wrong = error.errors(include_url=False)[0]
    fields = list(kind.model_fields)
    if wrong["type"] != "extra_forbidden":
        return ""
    return suggest(str(wrong["loc"][-1]), fields) if fields else "it has no settings"


def suggest(word: str, known: list[str]) -> str:
    """The nearest of the known words, or all of them."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(known)
