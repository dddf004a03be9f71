"""Where model files lie, and reading them: the package's own first, then what the user has added.

Added models lie in one folder, as NAME/model.SUFFIX with NAME/model.json beside it: what they are, where they come
from, on which terms, and by which sums they are known. A model is there as a whole or not at all (see `add`); reading
needs no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from faceveil.errors import MissingExtra, RequestError
from faceveil.models.catalogue import CATALOGUE, EMBEDDED

VARIABLE = "FACEVEIL_MODELS"
REBUILD = "pip install --force-reinstall faceveil, or python -m tools.models in a checkout"
RECORD = "model.json"

_OWN = Path(__file__).parent
_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # names of files that Windows does not allow
_BESIDE = (".json", ".prototxt")  # suffixes of files that accompany a model


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of a model as its record knows it."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Model:
    """One installed model: its files, where they come from, on which terms, and what it was trained on.

    embedded: it came with faceveil. trouble: why its record says nothing, in one sentence; empty where it does.
    """

    name: str
    folder: Path
    files: tuple[Stored, ...]
    source: str
    licence: str
    terms: str
    data: str
    embedded: bool
    trouble: str = ""

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(file.bytes for file in self.files)


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)


class Record(BaseModel):
    """What `model.json` holds. Texts are printable, because they are shown in terminals."""

    model_config = ConfigDict(strict=True)

    format: Literal[1] = 1
    files: dict[str, _Entry] = Field(min_length=1)
    source: str
    licence: str
    terms: str
    data: str

    @field_validator("source", "licence", "terms", "data")
    @classmethod
    def _printable(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("not printable")
        return text

    @field_validator("files")
    @classmethod
    def _beside(cls, files: dict[str, _Entry]) -> dict[str, _Entry]:
        if not all(re.fullmatch(r"model\.[a-z0-9]+", name) and name != RECORD for name in files):
            raise ValueError("files of a model are called model.SUFFIX")
        return files


# --- where ----------------------------------------------------------------------------------------------------------


def folder() -> Path:
    """Where added models lie: `FACEVEIL_MODELS`, or the platform's folder for caches."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_cache_path("faceveil") / "models"


def expect_name(name: str) -> None:
    """Raise `RequestError` unless `name` can be a model's: it becomes a folder's on every system."""
    if len(name) > 64 or not _NAME.fullmatch(name) or _DEVICES.fullmatch(name):
        raise RequestError(
            f"'{name}' cannot be a model's name", hint="small letters and digits, joined by single '-', '_' or '.'"
        )


def path(name: str) -> Path:
    """The file of a model by its name in the catalogue, or by the name it was added under.

    Of a Caffe model the weights; their description lies beside them as model.prototxt. Raises `MissingExtra` with the
    command that adds it.
    """
    own = _OWN / f"{name}.onnx"
    if own.is_file():
        return own
    if name in EMBEDDED:
        raise MissingExtra(f"the model {name}.onnx is missing from this installation", hint=REBUILD)
    expect_name(name)
    found = [file for file in sorted((folder() / name).glob("model.*")) if file.suffix not in _BESIDE]
    if not found:
        known = CATALOGUE.get(name)
        raise MissingExtra(
            f"the model '{name}' is not installed",
            hint=known.command if known else f"faceveil models add {name} --file FILE",
        )
    return found[0]


def read(name: str) -> bytes:
    """The bytes of `path(name)`."""
    return path(name).read_bytes()


# --- what is there --------------------------------------------------------------------------------------------------


def models() -> list[Model]:
    """Every installed model: the package's own, then the added ones, by name. Hashes nothing; see `damage`.

    Raises `MissingExtra` where the package's manifest is missing.
    """
    return [*embedded(), *added()]


def embedded() -> list[Model]:
    """The package's own, as its manifest lists them. Raises `MissingExtra` if there is no manifest."""
    try:
        manifest = json.loads((_OWN / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingExtra("manifest.json is missing from this installation", hint=REBUILD) from None
    listed = []
    for file, entry in manifest["files"].items():
        if file.endswith(".onnx"):
            source = manifest["sources"][entry["source"]]
            name = file.removesuffix(".onnx")
            listed.append(
                Model(
                    name=name,
                    folder=_OWN,
                    files=(Stored(file, entry["sha256"], entry["bytes"]),),
                    source=f"{source['package']} {source['version']}",
                    licence=source["licence"],
                    terms=source["terms"],
                    data=EMBEDDED.get(name, ""),
                    embedded=True,
                )
            )
    return listed


def added() -> list[Model]:
    """What the user has added, by name. Other things in the folder are not looked at."""
    names = sorted(inside.name for inside in folder().glob("*") if _NAME.fullmatch(inside.name))
    return [model for model in map(installed, names) if model]


def installed(name: str) -> Model | None:
    """One added model, or None."""
    place = folder() / name
    if not any(place.glob("model.*")):
        return None
    try:
        record = Record.model_validate_json((place / RECORD).read_bytes())
    except FileNotFoundError:
        return _unrecorded(name, f"it has no {RECORD} to compare with")
    except (OSError, ValidationError):
        return _unrecorded(name, f"its {RECORD} cannot be read")
    return Model(
        name=name,
        folder=place,
        files=tuple(Stored(file, entry.sha256, entry.bytes) for file, entry in sorted(record.files.items())),
        source=record.source,
        licence=record.licence,
        terms=record.terms,
        data=record.data,
        embedded=False,
    )


def _unrecorded(name: str, trouble: str) -> Model:
    return Model(name, folder() / name, (), "unknown", "unknown", "Ask its author.", "unknown", False, trouble)


def damage(model: Model) -> str:
    """Why the files are not those of the record, in a few words; empty where they are. Reads them all."""
    if model.trouble:
        return model.trouble
    for file in model.files:
        try:
            with (model.folder / file.name).open("rb") as opened:
                got = hashlib.file_digest(opened, "sha256").hexdigest()
        except FileNotFoundError:
            return f"{file.name} is missing"
        except OSError as error:
            return f"{file.name} cannot be read: {error.strerror}"
        if got != file.sha256:
            return f"{file.name} has SHA-256 {got}, must have {file.sha256}"
    return ""


def cure(model: Model) -> str:
    """What to do about a damaged model."""
    known = CATALOGUE.get(model.name)
    return REBUILD if model.embedded else known.command if known else f"faceveil models add {model.name} --file FILE"
