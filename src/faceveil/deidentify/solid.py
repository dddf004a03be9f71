"""solid: one colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
from PIL import ImageColor
from pydantic import field_validator

from faceveil.deidentify.base import Deidentifier, Patch, Privacy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Pixels

RING = "ring"


class Solid(Deidentifier):
    """Fills the cover with one colour: the blackout that every other method is measured against."""

    name: ClassVar[str] = "solid"
    privacy: ClassVar[Privacy] = "independent"
    joint: ClassVar[bool] = True

    color: str = "black"
    """A colour's name, `#rrggbb`, or `ring` for the mean colour around the cover."""

    @field_validator("color")
    @classmethod
    def _known_color(cls, value: str) -> str:
        return checked_color(value)

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch in one colour."""
        return filled(patch, self.color)


def checked_color(value: str) -> str:
    """A colour's text, if it is one. Raises `ValueError`."""
    if value != RING:
        try:
            ImageColor.getrgb(value)
        except ValueError:
            raise ValueError("give a colour's name, #rrggbb or 'ring'") from None
    return value


def filled(patch: Patch, color: str) -> Pixels:
    """A patch of one colour, (h, w, 3) like the patch's own pixels; mid-grey for a `ring` that is not there."""
    out = np.empty_like(patch.pixels)
    if color == RING:
        out[:] = _ring_mean(patch)
    else:
        out[:] = np.array(ImageColor.getrgb(color)[:3]) * (patch.white // 255)
    return out


def _ring_mean(patch: Patch) -> NDArray[np.int64]:
    count = np.count_nonzero(patch.known)
    if not count:
        return np.full(3, (patch.white + 1) // 2)
    # Erased pixels are zero, so the sum needs no mask.
    total = np.array(cv2.sumElems(patch.pixels)[:3])
    return np.rint(total / count).astype(np.int64)
