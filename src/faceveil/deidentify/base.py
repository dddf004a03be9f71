"""What every de-identification method is: a kernel that sees one patch and returns it painted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from faceveil.plugins import Plugin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats, Mask, Pixels

Privacy = Literal["independent", "bounded", "cosmetic"]

CLAIMS: dict[Privacy, str] = {
    "independent": "{name} carries nothing of the face: no painted pixel depends on a covered one",
    "bounded": "{name} carries a bounded amount of the face: {evidence}",
    "cosmetic": "{name} is known to be re-identifiable: {evidence}",
}


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The geometry of the n faces in one patch, or of what else is covered, in the patch's pixels.

    It may reach beyond the patch.
    covers: float32 (n, 4), xyxy, the rectangle around each face's cover, not yet rounded or clipped.
    boxes: float32 (n, 4), xyxy, the faces. For `independent` and `bounded` methods these are derived from the cover,
        never the detector's own: the geometry of a face identifies people too.
    landmarks: float32 (n, 5, 2) or None, NaN where one has none; None for `independent` and `bounded` methods, always.
    labels: what each is; None: all are faces.
    keys: in a video, the same bytes for a face in all frames, by the seed and its track; None where nobody is followed.
    """

    covers: Floats
    boxes: Floats
    landmarks: Floats | None = None
    labels: tuple[str, ...] | None = None
    keys: tuple[bytes, ...] | None = None

    def __len__(self) -> int:
        return len(self.covers)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A part of the picture, as much of it as a method may see.

    pixels: (h, w, 3) uint8 or uint16, the covered area with a ring of its surroundings; read only. Pixels that the
        method may not see are erased (zero).
    cover: bool (h, w), True where the method is to paint. Only these, and a soft edge outside, are taken from the
        result.
    known: bool (h, w), False where pixels are erased: every pixel that a method of a stricter class covers and, for
        `independent` methods, all that they cover themselves.
    faces: the geometry of the faces in the patch: one, or all of a cluster for `joint` methods.
    moving: whether the patch is of a video or an animation: what is painted must not jump from frame to frame.
    """

    pixels: Pixels
    cover: Mask
    known: Mask
    faces: Faces
    moving: bool = False

    @property
    def white(self) -> int:
        """The largest value of a pixel: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def rounded(self, values: NDArray[np.floating[Any]]) -> Pixels:
        """Values clipped and rounded to pixels of the patch's type."""
        return cast("Pixels", np.rint(np.clip(values, 0, self.white)).astype(self.pixels.dtype))


class Deidentifier(Plugin, ABC):
    """Hides faces: `method(patch, rng)` returns new pixels of the patch's shape and type.

    Kernels mutate nothing and draw randomness from `rng` alone. Margin, shape, clipping, overlap, erasing and feather
    belong to `paint`.
    """

    privacy: ClassVar[Privacy]
    """The class with default settings. independent: the output depends on no covered pixel. bounded: on a stated
    amount of information. cosmetic: known to be re-identifiable."""
    evidence: ClassVar[str] = ""
    """What is known about its leak, as the end of a sentence; empty for `independent` methods."""
    feather: ClassVar[float] = 0.0
    """Width of the soft edge outside the cover, relative to half the size of the cover."""
    joint: ClassVar[bool] = False
    """Whether overlapping faces are painted as one area; otherwise the kernel gets one face at a time."""
    smooth: ClassVar[bool] = False
    """Whether what it paints has no detail, so that the cells of a video, which share a chroma sample, are fine enough
    to paint it on. For `independent` methods only."""
    random: ClassVar[bool] = True
    """Whether it draws randomness. A generator is made for each group of faces, which takes 30 us."""
    needs_landmarks: ClassVar[bool] = False
    """Whether it works from landmarks."""

    @property
    def promise(self) -> Privacy:
        """The class with these settings. Only settings that a property test guards may raise it."""
        return self.privacy

    @property
    def claim(self) -> str:
        """What this method promises or is known to leak, in one sentence for the command line and the docs."""
        return CLAIMS[self.promise].format(name=self.name, evidence=self.evidence)

    def ring(self, face: float) -> float:
        """Pixels of surroundings that it wants around the cover of a face `face` pixels wide."""
        return max(4.0, 0.25 * face)

    def area(self, cover: Mask, faces: Faces) -> Mask:
        """The part of one face's cover that it paints, bool (h, w): all of it, unless it is a bar or nothing.

        A method that paints only a part must say so here, or it would keep the cover of an overlapping face away.
        """
        return cover

    @abstractmethod
    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch with its faces hidden, a new array."""
