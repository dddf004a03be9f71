"""blur: Gaussian blur."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Self

import cv2
import numpy as np
from pydantic import Field, model_validator

from faceveil.deidentify.base import Deidentifier, Patch, Privacy
from faceveil.deidentify.coarse import enlarged, means, step_of, variance

if TYPE_CHECKING:
    from faceveil.types import Floats, Pixels

SIGMA = 0.4  # of the face's width; the strongest measured: 20 % trained rank-1 of 79 people (docs/methods.md)
REACH = 3.0  # sigmas of surroundings; 0.3 % of the weight lies beyond
COARSE = 4.0  # px; wider blurs are computed on a reduced picture, where this sigma is left


class Blur(Deidentifier):
    """Gaussian blur. Looks private and is not: people are recognised at every strength, and blur can be undone.

    Give at most one of `sigma`, `sigma_px` and `kernel`. Pixels that other methods hide take no part in the mean.
    """

    name: ClassVar[str] = "blur"
    privacy: ClassVar[Privacy] = "cosmetic"
    evidence: ClassVar[str] = (
        "trained on blurs, a recogniser names 19 % [15, 23] of 79 people at sigma 0.4 (chance 1.3 %)"
    )

    sigma: float | None = Field(None, gt=0, le=10)
    """Standard deviation in widths of the face; 0.4 where none of the three is given."""
    sigma_px: float | None = Field(None, gt=0, le=10_000)
    """Standard deviation in pixels, whatever the face's size."""
    kernel: int | None = Field(None, ge=1, le=9_999)
    """Width of the kernel in pixels, odd, as in experiments; OpenCV derives sigma from it. 1 changes nothing."""

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        if sum(v is not None for v in (self.sigma, self.sigma_px, self.kernel)) > 1:
            raise ValueError("give one of sigma, sigma_px and kernel")
        if self.kernel is not None and self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        return self

    def _sigma(self, face: float) -> float:
        """Standard deviation in pixels for a face of a width, where no kernel is given."""
        return self.sigma_px or (self.sigma or SIGMA) * face

    def ring(self, face: float) -> float:
        """All that the blur gathers from."""
        return (self.kernel + 1) / 2 if self.kernel else REACH * self._sigma(face) + 1

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch blurred."""
        if self.kernel == 1:
            return patch.pixels.copy()
        box = patch.faces.boxes[0]
        # A blur as wide as the patch leaves one colour; nothing is gained by going on to a wider one.
        sigma = min(self._sigma(max(1.0, float(box[2] - box[0]))), float(max(patch.known.shape)))
        if self.kernel or sigma < 2 * COARSE:
            size, sigma = (self.kernel, 0.0) if self.kernel else (0, sigma)
            colour = _gaussian(patch.pixels.astype(np.float32), sigma, size)
            weight = None if patch.known.all() else _gaussian(patch.known.astype(np.float32), sigma, size)
            return patch.rounded(_normal(colour, weight))
        step = step_of(sigma / COARSE)
        rest = math.sqrt(sigma**2 - variance(step)) / step
        # Erased pixels are zero and count for nothing, and so do those that the last cells lack.
        colour, weight = _gaussian(means(patch.pixels, step), rest), _gaussian(_shares(patch, step), rest)
        return enlarged(_normal(colour, weight), step, patch)


def _shares(patch: Patch, step: int) -> Floats:
    """The share of known pixels in each cell."""
    return means(patch.known.view(np.uint8), step)


def _normal(colour: Floats, weight: Floats | None) -> Floats:
    """Normalised convolution: the mean over what is known."""
    return colour if weight is None else np.asarray(colour / np.maximum(weight, 1e-6)[:, :, None], np.float32)


def _gaussian(values: Floats, sigma: float, size: int = 0) -> Floats:
    """OpenCV's Gaussian: a kernel of `size` pixels or, where 0, as large as sigma needs; sigma 0 follows from it."""
    return np.asarray(cv2.GaussianBlur(values, (size, size), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
