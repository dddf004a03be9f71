"""TIFF of one page: 8 bits through Pillow, 16 bits through OpenCV and the small writer in `tiff16`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from faceveil.errors import UnsupportedError
from faceveil.media import tiff16
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import cut_off, damaged, several
from faceveil.media.info import Info, TiffCoding
from faceveil.media.pixels import from_pillow, to_pillow, upright_dpi, upright_size
from faceveil.media.png import decode16
from faceveil.media.quiet import quiet
from faceveil.types import Frame

if TYPE_CHECKING:
    from PIL import TiffImagePlugin

_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 254, 258, 259, 262, 274
_PLANAR, _SUB_IFDS, _SAMPLE_FORMAT, _ICC, _DNG = 284, 330, 339, 34675, 50706
_RAW_COLOURS = (32803, 34892)  # colour filter array, linear raw
_REDUCED_OR_MASK = 1 | 4  # bits of NewSubfileType: a thumbnail, a transparency mask
_MODELS = {"CMYK": "CMYK", "LAB": "Lab"}
_WRITABLE = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")  # lossless; others become deflate
_PAGE_CAP = 1000

# Pillow logs some damage besides raising; without any handler, Python would print that.
logging.getLogger("PIL.TiffImagePlugin").addHandler(logging.NullHandler())


def _open(data: bytes) -> TiffImagePlugin.TiffImageFile:
    from PIL import TiffImagePlugin  # noqa: PLC0415

    return TiffImagePlugin.TiffImageFile(BytesIO(data))


def probe(data: bytes) -> Info:
    """The description from the directories."""
    with _open(data) as image:
        tags = image.tag_v2
        _refuse(image)
        _expect_strips(image, len(data))
        turn = tags.get(_ORIENTATION, 1)
        turn = turn if turn in range(1, 9) else 1
        stored = tags[256], tags[257]
        grey = (image.mode[0] in "1L" and image.mode != "LAB") or image.mode.startswith("I;16")
        alpha = image.mode in ("LA", "PA", "RGBA", "RGBa", "La")
        bits = 16 if 16 in tags.get(_BITS, (1,)) else 8
        icc, notes = fitting(tags.get(_ICC, b""), grey=grey, model=_MODELS.get(image.mode, "RGB"))
        dpi = image.info.get("dpi")
        packing = image.info.get("compression", "raw")
        thumbnails = _other_pages(image)
    coding = TiffCoding(packing if packing in _WRITABLE else "tiff_adobe_deflate")
    dpi = upright_dpi((float(dpi[0]), float(dpi[1])), turn) if dpi and all(v > 0 for v in dpi) else None
    size = upright_size(*stored, turn)
    info = Info("TIFF", *size, turn, icc, dpi, bits, grey, alpha, coding, notes)
    if not thumbnails:
        return info
    many = thumbnails > 1
    what = "thumbnails or masks in this file are" if many else "thumbnail or mask in this file is"
    return info.noting(f"{thumbnails} {what} dropped.")


def _refuse(image: TiffImagePlugin.TiffImageFile) -> None:
    """What Pillow would open but not show in full."""
    tags = image.tag_v2
    reduced = tags.get(_SUBFILE, 0) & 1 and _SUB_IFDS in tags
    if _DNG in tags or tags.get(_PHOTOMETRIC) in _RAW_COLOURS or reduced:
        raise UnsupportedError("is a camera RAW; camera RAW files are not supported")
    formats, bits = set(tags.get(_SAMPLE_FORMAT, (1,))), set(tags.get(_BITS, (1,)))
    if 3 in formats or image.mode == "F":
        raise UnsupportedError("holds floating-point pixels, which are not supported")
    if formats - {1, 4} or bits - {1, 2, 4, 8, 16} or image.mode == "I":
        raise UnsupportedError("holds signed or 32-bit integers, which are not supported")
    if 16 in bits and (image.mode in _MODELS or tags.get(_PHOTOMETRIC) not in (1, 2) or tags.get(_PLANAR, 1) != 1):
        raise UnsupportedError("holds 16-bit pixels in an unusual order, which are not supported")


def _expect_strips(image: TiffImagePlugin.TiffImageFile, size: int) -> None:
    """Raise where strips or tiles reach beyond the file; cheaper and plainer than what libtiff says later."""
    tags = image.tag_v2
    starts, counts = ((273, 279), (324, 325))[324 in tags]
    if any(at + n > size for at, n in zip(tags.get(starts, ()), tags.get(counts, ()), strict=False)):
        cut_off()


def _other_pages(image: TiffImagePlugin.TiffImageFile) -> int:
    """How many thumbnails and masks follow the first page. Raises for a second page."""
    for number in range(1, _PAGE_CAP):
        try:
            image.seek(number)
        except EOFError:
            return number - 1
        if not image.tag_v2.get(_SUBFILE, 0) & _REDUCED_OR_MASK:
            raise several("is a TIFF of several pages")
    raise several(f"is a TIFF of {_PAGE_CAP} directories or more")


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame. Both decoders turn it upright themselves."""
    if info.bits == 16:
        pixels16, alpha16 = decode16(data)
        if (pixels16.shape[1], pixels16.shape[0]) != info.size:
            damaged()
        yield Frame(pixels16, alpha16)
        return
    from PIL import Image  # noqa: PLC0415

    with _open(data) as image:
        del data
        profile = image.tag_v2.get(_ICC, b"")
        # Made here, since Pillow would refuse to make it above 179 MP; our own cap has been checked.
        image.im = Image.new(image.mode, (image.tag_v2[256], image.tag_v2[257])).im
        with quiet():
            image.load()
        if image.size != info.size:
            damaged()
        pixels, alpha = from_pillow(image, profile)
    yield Frame(pixels, alpha)


def encode(frame: Frame, info: Info) -> bytes:
    """A TIFF of one page, 8 or 16 bits as the frame has, in the source's lossless compression."""
    coding = info.coding if isinstance(info.coding, TiffCoding) else TiffCoding()
    if frame.pixels.dtype == np.uint16:
        return tiff16.encode(frame, info, packed=coding.compression != "raw")
    image, out = to_pillow(frame, grey=info.grey, alpha=frame.alpha is not None), BytesIO()
    icc = kept(info.icc, grey=image.mode[0] == "L")
    extra = {"dpi": info.dpi} if info.dpi else {}
    image.save(out, "TIFF", compression=coding.compression, icc_profile=icc or None, **extra)
    return out.getvalue()
