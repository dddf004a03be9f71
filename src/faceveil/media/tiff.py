"""TIFF of one or several pages: 8 bits through Pillow, 16 bits through OpenCV and the small writer in `tiff16`.

Pages are separate pictures: each keeps its size, profile, resolution, bits and compression. They are counted by
`tiff_file` first; smaller copies, masks and directories below a page are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from faceveil.errors import UnsupportedError
from faceveil.media import camera, tiff16, tiff_file
from faceveil.media.camera import Settings
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import cut_off, damaged
from faceveil.media.info import Info, TiffCoding
from faceveil.media.pixels import from_pillow, to_pillow, upright_dpi, upright_size
from faceveil.media.png_still import decode16
from faceveil.media.quiet import quiet
from faceveil.media.tiff_file import Directory
from faceveil.types import Frame

if TYPE_CHECKING:
    from PIL import TiffImagePlugin

_BITS, _PHOTOMETRIC, _ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION = 258, 262, 274, 282, 283
_PLANAR, _SAMPLE_FORMAT, _ICC = 284, 339, 34675
_MODELS = {"CMYK": "CMYK", "LAB": "Lab"}
_WRITABLE = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")  # lossless; others become deflate

# Pillow logs some damage besides raising; without any handler, Python would print that.
logging.getLogger("PIL.TiffImagePlugin").addHandler(logging.NullHandler())


def _open(data: bytes) -> TiffImagePlugin.TiffImageFile:
    from PIL import TiffImagePlugin  # noqa: PLC0415

    return TiffImagePlugin.TiffImageFile(BytesIO(data))


def probe(data: bytes) -> Info:
    """The description from the directories; of the first page, with those of all where there are several."""
    chain = list(tiff_file.directories(data))
    chosen = _chosen(chain)
    with _open(data) as image:
        pages = []
        for number in chosen:
            image.seek(number)
            pages.append(_page(image, len(data)))
    notes = tuple(dict.fromkeys(note for page in pages for note in page.notes))
    below = sum(directory.counts.get(tiff_file.SUB_IFDS, 0) for directory in chain)
    several = tuple(replace(page, notes=()) for page in pages) if len(pages) > 1 else ()
    info = replace(pages[0], notes=notes, pages=several)
    return info.noting(*_dropped(len(chain) - len(chosen), below))


def settings(data: bytes) -> Settings | None:
    """The camera settings of the first directory; None of a BigTIFF, in which they are not read."""
    return None if data[2:4] in (b"+\x00", b"\x00+") else camera.read(data)


def _chosen(chain: list[Directory]) -> list[int]:
    """The numbers of the directories that are pictures: no smaller copies and no masks; all, where all claim to be."""
    return [i for i, directory in enumerate(chain) if not directory.small] or list(range(len(chain)))


def _dropped(small: int, below: int) -> Iterator[str]:
    if small:
        what = "thumbnails or masks in this file are" if small > 1 else "thumbnail or mask in this file is"
        yield f"{small} {what} dropped."
    if below:
        what = "pictures below the pages of this file are" if below > 1 else "picture below a page of this file is"
        yield f"{below} {what} dropped."


def _page(image: TiffImagePlugin.TiffImageFile, size: int) -> Info:
    """The description of the page that Pillow stands at, in a file of `size` bytes."""
    tags = image.tag_v2
    _refuse(image)
    _expect_strips(image, size)
    turn = tags.get(_ORIENTATION, 1)
    turn = turn if turn in range(1, 9) else 1
    stored = tags[256], tags[257]
    grey = (image.mode[0] in "1L" and image.mode != "LAB") or image.mode.startswith("I;16")
    alpha = image.mode in ("LA", "PA", "RGBA", "RGBa", "La")
    bits = 16 if 16 in tags.get(_BITS, (1,)) else 8
    icc, notes = fitting(tags.get(_ICC, b""), grey=grey, model=_MODELS.get(image.mode, "RGB"))
    dpi = _dpi(image)
    packing = image.info.get("compression", "raw")
    coding = TiffCoding(packing if packing in _WRITABLE else "tiff_adobe_deflate")
    size_upright = upright_size(*stored, turn)
    return Info("TIFF", *size_upright, turn, icc, upright_dpi(dpi, turn), bits, grey, alpha, coding, notes)


def _dpi(image: TiffImagePlugin.TiffImageFile) -> tuple[float, float] | None:
    """Dots per inch as stored. Pillow's own is that of an earlier page where a page has none."""
    if not {_X_RESOLUTION, _Y_RESOLUTION} <= set(image.tag_v2):
        return None
    dpi = image.info.get("dpi")
    return (float(dpi[0]), float(dpi[1])) if dpi and all(v > 0 for v in dpi) else None


def _refuse(image: TiffImagePlugin.TiffImageFile) -> None:
    """What Pillow would open but not show in full."""
    tags = image.tag_v2
    if tags.get(_PHOTOMETRIC) in tiff_file.RAW_COLOURS:  # of a later page; on the first it is a camera RAW
        raise UnsupportedError("has a page of raw sensor data, which is not supported beside others")
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


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """The pages, one at a time. Both decoders turn them upright themselves."""
    chain = list(tiff_file.directories(data))
    pages = [(number, info.of(i)) for i, number in enumerate(_chosen(chain))]
    if len(pages) != info.frames:
        damaged()
    # OpenCV decodes the first page: the link to it is turned to the page that is wanted.
    turned = bytearray(data) if any(page.bits == 16 for _, page in pages) else bytearray()
    place, link = tiff_file.first_link(data)
    image = _open(data)
    del data
    with image:
        for number, page in pages:
            if page.bits == 16:
                link.pack_into(turned, place, chain[number].at)
                yield Frame(*decode16(turned))
            else:
                image.seek(number)
                yield _decode8(image)


def _decode8(image: TiffImagePlugin.TiffImageFile) -> Frame:
    """The page that Pillow stands at."""
    from PIL import Image  # noqa: PLC0415

    profile = image.tag_v2.get(_ICC, b"")
    # Made here, since Pillow would refuse to make it above 179 MP; our own cap has been checked.
    image.im = Image.new(image.mode, (image.tag_v2[256], image.tag_v2[257])).im
    with quiet():
        image.load()
    return Frame(*from_pillow(image, profile))


def encode(frame: Frame, info: Info) -> bytes:
    """A TIFF of one page, 8 or 16 bits as the frame has, in the source's lossless compression."""
    return tiff_file.with_settings(_encoded(frame, info), info.camera)


def _encoded(frame: Frame, info: Info) -> bytes:
    coding = info.coding if isinstance(info.coding, TiffCoding) else TiffCoding()
    if frame.pixels.dtype == np.uint16:
        return tiff16.encode(frame, info, packed=coding.compression != "raw")
    image, out = to_pillow(frame, grey=info.grey, alpha=frame.alpha is not None), BytesIO()
    icc = kept(info.icc, grey=image.mode[0] == "L")
    extra = {"dpi": info.dpi} if info.dpi else {}
    image.save(out, "TIFF", compression=coding.compression, icc_profile=icc or None, **extra)
    return out.getvalue()


def writer(info: Info) -> Writer:
    """What encodes several pages."""
    return Writer(info)


@dataclass(slots=True)
class Writer:
    """A TIFF of several pages. What is held are the pages as files of their own, packed."""

    info: Info
    pages: list[bytes] = field(default_factory=list)

    def append(self, frame: Frame) -> None:
        """Encode the next page like its source."""
        self.pages.append(encode(frame, self.info.of(len(self.pages))))

    def finish(self) -> bytes:
        """All pages in one file; the camera settings are the first one's."""
        return tiff_file.with_settings(tiff_file.join(self.pages), self.info.camera)
