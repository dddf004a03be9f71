"""Where model files lie, and reading them: the package's own first, then what the user has added."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from platformdirs import user_cache_path

from faceveil.errors import MissingExtra

VARIABLE = "FACEVEIL_MODELS"


def folder() -> Path:
    """Where added models lie: `FACEVEIL_MODELS`, or the platform's folder for caches."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_cache_path("faceveil") / "models"


def path(name: str) -> Path:
    """The file of a model by its name in the catalogue, or by the name it was added under.

    Raises `MissingExtra` with the command that adds it.
    """
    own = Path(str(resources.files("faceveil"))) / "models" / f"{name}.onnx"
    if own.is_file():
        return own
    found = sorted((folder() / name).glob("model.*"))
    if not found:
        raise MissingExtra(f"the model '{name}' is not installed", hint=f"faceveil models add {name}")
    return found[0]
