"""Manifests: YAML files that describe a recogniser of the user's own, for `onnx`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.match.recipe import Recipe
from faceveil.policy import read_yaml


class Manifest(Recipe):
    """Where a network is, on which terms it may be used, and how to run it."""

    file: Path
    """The ONNX file; relative to the manifest."""
    licence: str = Field(min_length=3)
    """On which terms the weights may be used, and what they were trained on, in a sentence or two."""

    @field_validator("file", mode="before")
    @classmethod
    def _sayable(cls, value: object) -> object:
        if isinstance(value, str) and ("\0" in value or not value.strip()):
            raise ValueError("it names no file")
        return value


def read(path: Path) -> Manifest:
    """The manifest in a file, with the network's path made whole. Raises `RequestError` that names file and field."""
    said = read_yaml(path, "the manifest", "file: recogniser.onnx")
    try:
        manifest = Manifest.model_validate(said)
    except ValidationError as error:
        raise _wrong(path, error) from None
    file = path.parent / manifest.file
    if not file.is_file():
        raise RequestError(f"the manifest {path}: file: there is no file {file}")
    return manifest.model_copy(update={"file": file})


def _wrong(path: Path, error: ValidationError) -> RequestError:
    """The first complaint that says most: what is missing comes last, because a misspelt field is missing, too."""
    first = min(error.errors(include_url=False), key=lambda one: one["type"] == "missing")
    field, before = str(first["loc"][0]), f"the manifest {path}: "
    if field == "align":
        return RequestError(f"{before}align: it is arcface, five points, or a box such as {{margin: 0.1}}")
    if first["type"] == "extra_forbidden":
        return RequestError(
            f"{before}there is no field '{field}'", hint=plugins.suggest(field, list(Manifest.model_fields))
        )
    if first["type"] == "missing":
        return RequestError(f"{before}the field '{field}' is missing")
    return RequestError(f"{before}{field}: {plugins.complaint(first)}")
