"""ICC profiles: which may be kept, and the way to sRGB for colour models that the output does not have."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_HEADER = 128  # bytes of an ICC header (ICC.1:2022, 7.2)


def space_of(icc: bytes) -> str:
    """The colour space that a profile describes ("RGB", "GRAY", "CMYK", "Lab"); empty if it is not a sound profile.

    A profile longer than it says, beyond padding to four bytes, is not sound: what follows would travel unseen.
    """
    size = int.from_bytes(icc[:4], "big")
    if len(icc) < _HEADER or icc[36:40] != b"acsp" or not size <= len(icc) < size + 4:
        return ""
    return icc[16:20].decode("ascii", "replace").strip()


def fitting(icc: bytes, *, grey: bool, model: str = "RGB") -> tuple[bytes, tuple[str, ...]]:
    """The profile if it may stay as it is, and a note if not.

    model: "RGB", or "CMYK" or "Lab" for pixels that are converted to sRGB. An RGB profile on a grey picture stays: it
    was there before and means the same afterwards.
    """
    if model != "RGB":
        return b"", (f"Its {model} colours are converted to sRGB.",)
    space = space_of(icc)
    if not icc or space == "RGB" or (space == "GRAY" and grey):
        return icc, ()
    if not space:
        return b"", ("Its colour profile is damaged and is dropped.",)
    return b"", (f"Its colour profile is for {space} and does not fit its colours; it is dropped.",)


def kept(icc: bytes, *, grey: bool) -> bytes:
    """The profile for an output: a grey one cannot stay on a picture that was painted in colour."""
    return b"" if not grey and space_of(icc) == "GRAY" else icc


def to_srgb(mode: str, icc: bytes) -> Callable[[Image.Image], Image.Image]:
    """What turns a CMYK or LAB image into RGB: through its profile, or by the plain formula where it has none."""
    from PIL import ImageCms  # noqa: PLC0415

    srgb = ImageCms.createProfile("sRGB")
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(icc)) if mode == "CMYK" else ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(own, srgb, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError):
        if mode != "CMYK":
            raise
        return lambda band: band.convert("RGB")

    def convert(band: Image.Image) -> Image.Image:
        done = ImageCms.applyTransform(band, transform)
        assert done is not None  # noqa: S101  # None only for inPlace
        return done

    return convert
