"""noise: random pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from faceveil.deidentify.base import Deidentifier, Patch, Privacy

if TYPE_CHECKING:
    from faceveil.types import Pixels


class Noise(Deidentifier):
    """Replaces a share of the pixels with random colours. A median filter undoes it; here for experiments."""

    name: ClassVar[str] = "noise"
    privacy: ClassVar[Privacy] = "cosmetic"
    evidence: ClassVar[str] = "after a median filter 98 % [97, 99] of 79 people are recognised at 50 percent"

    percent: float = Field(70.0, ge=0, le=100)
    """Share of the covered pixels that become random, in percent."""

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch with noise."""
        random = rng.integers(0, patch.white, patch.pixels.shape, patch.pixels.dtype.type, endpoint=True)
        chosen = rng.random(patch.known.shape, np.float32) * 100 < self.percent
        return np.where(chosen[:, :, None], random, patch.pixels)
