"""keep: leave a face as it is, on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from faceveil.deidentify.base import Deidentifier, Faces, Patch, Privacy

if TYPE_CHECKING:
    from faceveil.types import Mask, Pixels


class Keep(Deidentifier):
    """Leaves the face visible; plan and report record it. A neighbour's cover still goes over it."""

    name: ClassVar[str] = "keep"
    privacy: ClassVar[Privacy] = "cosmetic"
    evidence: ClassVar[str] = "the face stays as it is"

    def area(self, cover: Mask, faces: Faces) -> Mask:
        """Nothing."""
        return np.zeros_like(cover)

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch, unchanged."""
        return patch.pixels.copy()
