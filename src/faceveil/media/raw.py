"""Camera RAW through rawpy (LibRaw), which is the extra `[raw]`. Nobody can write one: the output is a TIFF.

The picture is developed with the camera's white balance to sRGB of 16 bits, upright. LibRaw's brightening is on, as
in its own programs: without it most pictures are too dark to be looked at, and for a detector.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from faceveil.errors import UnsupportedError
from faceveil.media import camera
from faceveil.media.camera import Settings
from faceveil.media.info import Info, TiffCoding
from faceveil.media.quiet import quiet
from faceveil.types import Frame

_TRANSPOSING = (5, 6)  # LibRaw's numbers for a quarter turn
_NOTE = "The camera RAW is developed and written as a TIFF of 16 bits."


def _rawpy() -> Any:
    try:
        import rawpy  # noqa: PLC0415
    except ImportError as error:
        # An InputError: the other files of a batch can be done.
        raise UnsupportedError(
            "is a camera RAW, and reading it needs rawpy", hint="pip install 'faceveil[raw]'"
        ) from error
    return rawpy


def _open(data: bytes) -> Any:
    rawpy = _rawpy()
    try:
        with quiet():
            return rawpy.imread(BytesIO(data))
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedError("is a camera RAW of a kind that is not supported") from error


def probe(data: bytes) -> Info:
    """The description from LibRaw's reading of the header."""
    with _open(data) as raw:
        sizes = raw.sizes
        width, height = sizes.iwidth, sizes.iheight
        if sizes.flip in _TRANSPOSING:
            width, height = height, width
    return Info("TIFF", width, height, bits=16, coding=TiffCoding(), notes=(_NOTE,))


def settings(data: bytes) -> Settings | None:
    """The camera settings where the RAW is a TIFF, as most are; None elsewhere: they are not read there.

    What the tags say of colours is not true of the developed picture.
    """
    return camera.read(data, colours=False) if data[:2] in (b"II", b"MM") else None


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame of 16 bits."""
    rawpy = _rawpy()
    with _open(data) as raw:
        del data
        with quiet():
            pixels = raw.postprocess(use_camera_wb=True, output_color=rawpy.ColorSpace.sRGB, output_bps=16)
    yield Frame(pixels)
