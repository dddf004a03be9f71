"""Added models that are damaged: one sentence for whatever their libraries raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from faceveil.errors import MissingExtra


@contextmanager
def loading(name: str) -> Iterator[None]:
    """The block loads the model `name`; what it raises becomes `MissingExtra`, whose hint finds the damage."""
    try:
        yield
    except (MissingExtra, MemoryError):
        raise
    except Exception as error:  # what these libraries raise shares no base but Exception
        said = " ".join(str(error).split())[:200]
        raise MissingExtra(f"the model '{name}' cannot be loaded: {said}", hint="faceveil models verify") from error
