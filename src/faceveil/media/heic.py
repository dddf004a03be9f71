"""HEIC and HEIF, through pillow-heif. libheif applies rotation, mirroring and cropping; EXIF's orientation is void."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from faceveil.errors import UnsupportedError
from faceveil.media import camera, exif, isobmff
from faceveil.media.camera import Settings
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import damaged
from faceveil.media.info import HeifCoding, Info, trailer
from faceveil.media.pixels import from_pillow, to_pillow, upright_frame
from faceveil.types import Frame

# The file does not say its own quality. Against three decoded files 80 gave 47 to 51 dB (90: 50 to 57 at 1.6 times the
# size); x265's preset "fast" takes half the time of libheif's default for 10 % more bytes.
_QUALITY, _PRESET = 80, "fast"


def _primary(data: bytes) -> tuple[Any, int]:
    """The primary picture, not decoded yet, and how many pictures there are."""
    import pillow_heif  # noqa: PLC0415

    file = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)
    return file[file.primary_index], len(file)


def probe(data: bytes) -> Info:
    """The description from the boxes; libheif parses, and decodes nothing yet."""
    box = isobmff.primary(data)
    if box.sequence:
        raise UnsupportedError("is an image sequence; only its cover picture would be covered, so it is refused")
    image, count = _primary(data)
    width, height = image.size
    told = image.info
    grey = image.mode in ("L", "LA")
    icc, notes = fitting(told.get("icc_profile") or b"", grey=grey)
    colours = told.get("nclx_profile") or {}
    pair = (int(colours["color_primaries"]), int(colours["transfer_characteristics"])) if colours else None
    info = Info(
        "HEIC",
        width,
        height,
        icc=icc,
        grey=grey,
        alpha=image.mode in ("LA", "RGBA", "RGBa"),
        coding=HeifCoding(int(told.get("chroma") or 420), pair),
        notes=notes,
    )
    return info.noting(*_dropped(int(told.get("bit_depth") or 8), count - 1, box))


def _dropped(bits: int, more: int, box: isobmff.Primary) -> Iterator[str]:
    if bits > 8:
        yield f"Its {bits}-bit colours are reduced to 8 bits."
    if more:
        yield f"{more} more picture{'s' if more > 1 else ''} in this file {'are' if more > 1 else 'is'} dropped."
    if box.video:
        yield "The video in this file (motion photo) is dropped."
    yield from trailer(box.rest)


def settings(data: bytes) -> Settings:
    """The camera settings of the primary picture. Those of more than 8 bits may speak of other colours."""
    told = _primary(data)[0].info
    return camera.read(told.get("exif") or b"", colours=int(told.get("bit_depth") or 8) == 8)


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame: the primary picture."""
    image, _ = _primary(data)
    del data
    loaded = image.to_pillow()
    if loaded.size != info.size:
        damaged()
    pixels, alpha = from_pillow(loaded)
    yield upright_frame(pixels, alpha, 1)


def encode(frame: Frame, info: Info) -> bytes:
    """An HEIC of 8 bits with the chroma subsampling and colour description of the source."""
    import pillow_heif  # noqa: PLC0415

    coding = info.coding if isinstance(info.coding, HeifCoding) else HeifCoding()
    image, out = to_pillow(frame, grey=info.grey, alpha=frame.alpha is not None), BytesIO()
    file = pillow_heif.from_bytes(image.mode, image.size, image.tobytes())
    icc = kept(info.icc, grey=image.mode[0] == "L")
    colours = dict(zip(("color_primaries", "transfer_characteristic"), coding.colours or (), strict=False))
    if icc:
        file.info["icc_profile"], file.info["icc_profile_type"] = icc, "prof"
    options = {"quality": _QUALITY, "chroma": coding.chroma, "enc_params": {"preset": _PRESET}}
    tags = exif.block(1, settings=info.camera) or None
    file.save(out, exif=tags, xmp=None, **options, **colours)
    return out.getvalue()
