"""Arrays: frames turned upright, to and from Pillow's images, 16 bits to 8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import UnsupportedError
from faceveil.planes import TRANSPOSING, upright
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from faceveil.types import Pixels

_BAND = 4 << 20  # pixels converted at a time: Pillow keeps four bytes for each, and whole copies would add up


def upright_frame(pixels: Pixels, alpha: Pixels | None, orientation: int) -> Frame:
    """A frame of stored pixels."""
    return Frame(upright(pixels, orientation), None if alpha is None else upright(alpha, orientation))


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """(width, height) after `upright`."""
    return (height, width) if orientation in TRANSPOSING else (width, height)


def upright_dpi(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    """Resolution after `upright`."""
    return (dpi[1], dpi[0]) if dpi and orientation in TRANSPOSING else dpi


def to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    """16 bits to the upper 8; 8 bits as they are."""
    return (array >> 8).astype(np.uint8) if array.dtype == np.uint16 else array


def is_grey(pixels: Pixels) -> bool:
    """Whether all three channels are equal everywhere, so that one of them says it all."""
    return all(bool(np.array_equal(pixels[..., 0], pixels[..., c])) for c in (1, 2))


def layers(frame: Frame, *, grey: bool, alpha: bool) -> NDArray[Any]:
    """The frame as (H, W, C): L, LA, RGB or RGBA. Grey only where the pixels are grey still; alpha only if wanted."""
    colour = frame.pixels[..., :1] if grey and is_grey(frame.pixels) else frame.pixels
    if not alpha or frame.alpha is None:
        return np.ascontiguousarray(colour)
    return np.concatenate([colour, frame.alpha[..., None]], axis=2)


def to_pillow(frame: Frame, *, grey: bool = False, alpha: bool = False) -> Image.Image:
    """An 8-bit image of mode L, LA, RGB or RGBA, without any info."""
    from PIL import Image  # noqa: PLC0415

    array = to_uint8(layers(frame, grey=grey, alpha=alpha))
    height, width, channels = array.shape
    return Image.frombuffer(("L", "LA", "RGB", "RGBA")[channels - 1], (width, height), array, "raw")


def from_pillow(image: Image.Image, icc: bytes = b"") -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None of a loaded image; CMYK and Lab through `icc` to sRGB."""
    if image.mode.startswith("I;16"):
        return np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, axis=2), None
    mode, convert = _conversion(image, icc)
    has_alpha = mode in ("LA", "RGBA")
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    alpha = np.empty((image.height, image.width), np.uint8) if has_alpha else None
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        band = np.asarray(convert(image.crop((0, top, image.width, bottom))))
        if alpha is not None:
            alpha[top:bottom] = band[..., -1]
            band = band[..., :-1]
        pixels[top:bottom] = band if band.ndim == 3 else band[..., None]
    return pixels, alpha


def _conversion(image: Image.Image, icc: bytes) -> tuple[str, Any]:
    """The mode to read an image in, and what converts a band of it."""
    mode = image.mode
    if mode in ("CMYK", "LAB"):
        from faceveil.media.colour import to_srgb  # noqa: PLC0415

        return "RGB", to_srgb(mode, icc)
    clear = "transparency" in image.info
    targets = {"1": "L", "L": "LA" if clear else "L", "LA": "LA", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
    targets |= {"RGBA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}
    targets |= dict.fromkeys(("P", "RGB"), "RGBA" if clear else "RGB")
    if mode not in targets:
        raise UnsupportedError(_refusal(mode))
    target = targets[mode]
    if target == mode:
        return target, lambda band: band
    # Pillow has no way from L with a transparent value to LA but over RGBA.
    return ("RGBA" if clear else target), lambda band: band.convert("RGBA" if clear else target)


def _refusal(mode: str) -> str:
    if mode == "F":
        return "holds floating-point pixels, which are not supported"
    return "holds 32-bit integers, which are not supported" if mode == "I" else "has an unusual colour model"
