"""What pydantic says about a value, as one sentence with file, line and field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from faceveil import plugins

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from faceveil.errors import RequestError
    from faceveil.jobs.written import Where, Written


def complaint(
    written: Written, kind: type[BaseModel], error: ValidationError, *, at: Where = (), called: str = ""
) -> RequestError:
    """The complaint that stands first in the file, about a model whose value stands at `at`; `called`: its name."""
    found = error.errors(include_url=False)
    # What is missing comes last: a misspelt field is missing, too.
    first = min(found, key=lambda one: (one["type"] == "missing", written.line((*at, *one["loc"]))))
    return _sentence(written, kind, first, at, f"{called}: " if called else "")


def _sentence(written: Written, kind: type[BaseModel], error: ErrorDetails, at: Where, called: str) -> RequestError:
    where = (*at, *error["loc"])
    # The line says which one of a list it is.
    name = ".".join(part for part in error["loc"] if isinstance(part, str))
    if error["type"] == "extra_forbidden":
        *outer, last = error["loc"]
        hint = plugins.suggest(str(last), _names(kind, outer))
        return written.error(where, f"{called}there is no field '{name}'", hint=hint)
    if error["type"] == "missing" and isinstance(error["loc"][-1], int):
        return written.error(where, f"{called}{name}: it has too few values")
    if error["type"] == "missing":
        return written.error(where[:-1], f"{called}the field '{name}' is missing")
    return written.error(where, f"{called}{name}: {plugins.complaint(error)}")


def _names(kind: type[BaseModel], way: Iterable[str | int]) -> list[str]:
    """The fields that there are where a way of names leads to."""
    for name in way:
        kind = next(_models(kind.model_fields[str(name)].annotation))
    return list(kind.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
