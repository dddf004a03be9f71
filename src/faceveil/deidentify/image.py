"""image: a sticker or a logo."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps
from pydantic import field_validator, model_validator

from faceveil.deidentify.base import Deidentifier, Patch, Privacy
from faceveil.deidentify.solid import checked_color, filled
from faceveil.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats, Pixels

LARGEST = 25_000_000  # pixels; a sticker larger than a face can be is a mistake or an attack


class Image(Deidentifier):
    """Lays a picture over each face, in its own proportions and as large as fits, on one colour.

    The colour fills the whole cover first, so nothing shows through transparent parts. The file is read once and
    again when it changes; `RequestError` where it cannot be read.
    """

    name: ClassVar[str] = "image"
    privacy: ClassVar[Privacy] = "independent"

    path: Path
    """The picture: PNG, WebP or what else Pillow reads; transparency is respected."""
    color: str = "ring"
    """What lies behind it: a colour's name, `#rrggbb`, or `ring` for the mean colour around the cover."""

    @field_validator("color")
    @classmethod
    def _known_color(cls, value: str) -> str:
        return checked_color(value)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        sticker(self.path)  # a wrong path is a wrong request, before the first picture
        return self

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch with the picture on it."""
        out = filled(patch, self.color)
        x1, y1, x2, y2 = patch.faces.covers[0].astype(np.float64).tolist()
        rgba = sticker(self.path)
        scale = min((x2 - x1) / rgba.shape[1], (y2 - y1) / rgba.shape[0])
        # The picture's centre falls on the cover's; only the part inside the patch is ever made.
        height, width = patch.known.shape
        layer = _placed(rgba, scale, ((x1 + x2) / 2, (y1 + y2) / 2), (width, height))
        share = layer[:, :, 3:]
        # Premultiplied alpha: transparent pixels of the sticker add no colour of their own.
        mixed = layer[:, :, :3] * np.float32(patch.white) + out * (1 - share)
        return patch.rounded(mixed)


def _placed(rgba: Floats, scale: float, centre: tuple[float, float], size: tuple[int, int]) -> Floats:
    """A sticker scaled about its centre onto a transparent plane of a size (width, height), (h, w, 4)."""
    if scale < 1:  # warping alone would alias
        width, height = (max(1, round(n * scale)) for n in (rgba.shape[1], rgba.shape[0]))
        rgba = np.asarray(cv2.resize(rgba, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        scale = 1.0
    x, y = (c - scale * n / 2 + (scale - 1) / 2 for c, n in zip(centre, (rgba.shape[1], rgba.shape[0]), strict=True))
    move = np.array([[scale, 0, x], [0, scale, y]])
    return np.asarray(cv2.warpAffine(rgba, move, size, flags=cv2.INTER_LINEAR), np.float32)


def sticker(path: Path) -> Floats:
    """A picture with premultiplied alpha, float32 (h, w, 4) in [0, 1]. Raises `RequestError`."""
    try:
        stat = path.stat()
    except OSError as error:
        raise RequestError(f"method 'image': cannot read {path}: {error.strerror}") from None
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, _size: int) -> Floats:
    try:
        with Pillow.open(path) as opened:
            if opened.width * opened.height > LARGEST:
                raise RequestError(f"method 'image': {path} has more than {LARGEST // 1_000_000} megapixels")
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise RequestError(f"method 'image': cannot read {path} as a picture") from error
    pixels: NDArray[np.float32] = np.asarray(upright, np.float32) / np.float32(255)
    pixels[:, :, :3] *= pixels[:, :, 3:]
    pixels.flags.writeable = False
    return pixels
