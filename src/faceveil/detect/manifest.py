"""Manifests: YAML files that describe a network of the user's own, for the detector `onnx`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator

from faceveil import plugins
from faceveil.detect.families.choice import AnyFamily
from faceveil.detect.recipe import Recipe
from faceveil.errors import RequestError
from faceveil.policy import read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Manifest(Recipe):
    """Where a network is, on which terms it may be used, and how to run it."""

    file: Path
    """The ONNX file; relative to the manifest."""
    licence: str = Field(min_length=3)
    """On which terms the weights may be used, and what they were trained on, in a sentence or two."""
    size: int | None = Field(None, ge=32, le=16384)
    """Longest side that pictures are scaled to; needed for networks that take any size, refused for others."""
    enlarge: float = Field(1.5, ge=1, le=8)
    """How far a small picture may be scaled up."""
    score_threshold: float = Field(0.5, ge=0.01, le=1)
    """What is below this score is dropped."""

    @field_validator("file", mode="before")
    @classmethod
    def _sayable(cls, value: object) -> object:
        if isinstance(value, str) and ("\0" in value or not value.strip()):
            raise ValueError("it names no file")
        return value


def read(path: Path) -> Manifest:
    """The manifest in a file, with the network's path made whole. Raises `RequestError` that names file and field."""
    said = read_yaml(path, "the manifest", "file: detector.onnx")
    try:
        manifest = Manifest.model_validate(said)
    except ValidationError as error:
        raise _wrong(path, error) from None
    file = path.parent / manifest.file
    if not file.is_file():
        raise RequestError(f"the manifest {path}: file: there is no file {file}")
    return manifest.model_copy(update={"file": file})


def _wrong(path: Path, error: ValidationError) -> RequestError:
    """The first complaint, with the field's name as it is written in the file."""
    found = error.errors(include_url=False)
    # What is missing comes last: a misspelt field is missing, too.
    first = min(found, key=lambda one: one["type"] == "missing")
    field = _written(first)
    before = f"the manifest {path}: "
    if first["type"] == "extra_forbidden":
        known = list(_model(first).model_fields)
        return RequestError(f"{before}there is no field '{field}'", hint=plugins.suggest(str(first["loc"][-1]), known))
    if first["type"] == "missing":
        return RequestError(f"{before}the field '{field}' is missing")
    if first["type"] == "union_tag_not_found":
        return RequestError(f"{before}the field '{field}.family' is missing", hint=f"known: {', '.join(families())}")
    if first["type"] == "union_tag_invalid":
        tag = str(first.get("ctx", {}).get("tag"))
        return RequestError(f"{before}no family is called '{tag}'", hint=plugins.suggest(tag, list(families())))
    said = plugins.complaint(first)
    return RequestError(f"{before}{field}: {said}" if field else f"{before}{said}")


def _written(error: ErrorDetails) -> str:
    """The place of a complaint: names and numbers, without pydantic's own words for the branches of its unions."""
    place = [str(part) for part in error["loc"] if re.fullmatch(r"[A-Za-z0-9_]+", str(part))]
    if place[:1] == ["decoder"] and len(place) > 1:
        del place[1]  # the family that was chosen
    return ".".join(place)


def _model(error: ErrorDetails) -> type[BaseModel]:
    """The model that the complaint is about."""
    outer = error["loc"][:-1]
    if not outer:
        return Manifest
    if outer[0] == "decoder":
        return families()[str(outer[1])]
    annotation = Manifest.model_fields[str(outer[0])].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else Manifest


def families() -> dict[str, type[BaseModel]]:
    """Every family by its name."""
    union = get_args(AnyFamily)[0]
    return {kind.model_fields["family"].default: kind for kind in get_args(union)}
