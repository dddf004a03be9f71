"""What every de-identification method is: a kernel that sees one patch and returns it painted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from faceveil.plugins import Plugin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceveil.types import Floats, Mask, Pixels

Privacy = Literal["independent", "bounded", "cosmetic"]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The geometry of the faces in one patch, in the patch's pixels; boxes may reach beyond it.

    covers: int32 (n, 4), the rectangle that each face's cover fills, rounded outward.
    boxes: float32 (n, 4), the faces. For `independent` methods these are derived from the cover, never the
        detector's own: the geometry of a face identifies people too.
    landmarks: float32 (n, 5, 2) or None; None for `independent` methods, always.
    """

    covers: NDArray[np.int32]
    boxes: Floats
    landmarks: Floats | None = None


class Deidentifier(Plugin, ABC):
    """Hides faces: `method(patch, cover, faces, rng)` returns a new patch of the same shape and type.

    patch: (h, w, 3) uint8 or uint16, the covered area with a ring of its surroundings. For `independent` methods every
        covered pixel is erased (zero) before the method sees it.
    cover: bool (h, w), True where pixels are covered. Only these, and a soft edge that lies outside of them, are
        taken from the result.
    faces: the geometry of the faces in the patch.
    rng: the only source of randomness.

    Kernels mutate nothing. Margin, shape, clipping, overlap and feather belong to `paint`.
    """

    privacy: ClassVar[Privacy]
    """independent: the output depends on no covered pixel. bounded: on a stated amount. cosmetic: re-identifiable."""
    feather: ClassVar[float] = 0.0
    """Width of the soft edge outside the cover, in widths of the cover."""
    needs_landmarks: ClassVar[bool] = False
    """Whether it works from landmarks."""

    @abstractmethod
    def __call__(self, patch: Pixels, cover: Mask, faces: Faces, rng: np.random.Generator) -> Pixels:
        """The patch with its faces hidden."""
