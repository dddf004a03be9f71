"""A DICOM's pixels: decoded strictly, shown as frames, and turned back into exactly the stored values."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import UnreadableError
from faceveil.media import jpeg, jpeg_file
from faceveil.media.dicom_file import JPEG, JPEG_2000, JPEG_LOSSLESS, Layout, missing
from faceveil.media.faults import cut_off, damaged
from faceveil.media.levels import Levels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

# Decoders log some damage besides raising; without any handler, Python would print that.
for _name in ("pydicom", "pylibjpeg", "openjpeg"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

_EOI = b"\xff\xd9"  # of JPEG: T.81, B.1


def levels(found: Dataset, layout: Layout) -> Levels:
    """The levels of a file. With more than 8 bits or a window, all frames are decoded once to see which values it has.

    Either may leave the stored values dark, and a detector would find no face that a viewer shows.
    """
    if not layout.grey:
        if layout.photometric == "PALETTE COLOR":
            wide = _palette_shift(found) is None
            return Levels(sixteen=wide, high=65535 if wide else 255)
        if layout.stored == 8:
            return Levels()
    inverted = layout.grey and _inverted(found, layout)
    if layout.stored <= 8 and not (layout.grey and "WindowWidth" in found):
        low = -(1 << layout.stored - 1) if layout.signed else 0
        return Levels(low, low + (1 << layout.stored) - 1, inverted)
    padding = _padding(found, layout) if layout.grey else None
    low, high = 1 << 16, -(1 << 16)
    outside = False
    for array in arrays(found, layout):
        used = array if padding is None else array[array != padding]
        outside = outside or used.size < array.size
        if used.size:
            low, high = min(low, int(used.min())), max(high, int(used.max()))
    if low > high:  # nothing but padding
        low = high = padding or 0
    if padding is not None and (not outside or low <= padding <= high):
        padding = None
    if padding is not None and high - low >= (65535 if layout.stored > 8 else 255):  # no level is left for it
        low, high, padding = min(low, padding), max(high, padding), None
    return Levels(low, high, inverted, padding, sixteen=layout.stored > 8)


def _inverted(found: Dataset, layout: Layout) -> bool:
    """Whether larger stored values are darker: each of these turns the greyscale once (PS3.3, C.7.6.3.1.2, C.11.6)."""
    turns = (
        layout.photometric == "MONOCHROME1",
        float(found.get("RescaleSlope") or 1) < 0,
        layout.photometric == "MONOCHROME2" and str(found.get("PresentationLUTShape") or "") == "INVERSE",
    )
    return bool(sum(turns) % 2)


def _padding(found: Dataset, layout: Layout) -> int | None:
    value = found.get("PixelPaddingValue")
    if value is None or "PixelPaddingRangeLimit" in found:
        return None
    value = int(value) & 0xFFFF  # implicit VR leaves open whether it is signed
    return value - 0x10000 if layout.signed and value > 0x7FFF else value


def arrays(found: Dataset, layout: Layout) -> Iterator[NDArray[Any]]:
    """The stored frames: (H, W) greyscale, (H, W, 3) RGB for all colours. Raises where pixels are missing."""
    frames = _lossless_jpeg(found, layout) if layout.syntax in JPEG_LOSSLESS else _decoded(found, layout)
    shape = (layout.rows, layout.columns) + (() if layout.grey else (3,))
    for count, array in enumerate(frames, 1):
        if array.shape != shape:
            damaged()
        yield used_bits(array, layout.stored) if layout.grey else array
        if count == layout.frames:
            return
    cut_off()


def used_bits(array: NDArray[Any], stored: int) -> NDArray[Any]:
    """Without what stands in the bits above `stored`: old files keep overlays there."""
    spare = array.itemsize * 8 - stored
    return array if spare == 0 else (array << spare) >> spare  # the shift keeps the sign of signed types


def _decoded(found: Dataset, layout: Layout) -> Iterator[NDArray[Any]]:
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415
    from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415

    if layout.syntax in JPEG:
        for frame in _encapsulated(found, layout):
            _expect_whole_jpeg(jpeg_file.read(frame).picture(frame))
    plugin = "pylibjpeg" if layout.syntax in JPEG_2000 else "pillow" if layout.syntax in JPEG else ""
    decoder = get_decoder(layout.syntax)
    if not decoder.is_native and not decoder.is_available:
        missing("a decoder")
    for array, _ in decoder.iter_array(found, decoding_plugin=plugin):
        if layout.photometric == "PALETTE COLOR":
            coloured, shift = apply_color_lut(array, found), _palette_shift(found)
            yield coloured if shift is None else (coloured >> shift).astype(np.uint8)
        else:
            yield array


def _encapsulated(found: Dataset, layout: Layout) -> Iterator[bytes]:
    from pydicom.encaps import generate_frames  # noqa: PLC0415

    return generate_frames(found.PixelData, number_of_frames=layout.frames)


def _expect_whole_jpeg(clean: bytes) -> None:
    """Raise at any warning of libjpeg, unless it is about padding in front of the end marker, as cameras leave it."""
    import simplejpeg  # noqa: PLC0415

    try:
        simplejpeg.decode_jpeg(clean, "GRAY")
    except ValueError as error:
        if not jpeg.only_padding(clean, str(error)):
            raise


def _lossless_jpeg(found: Dataset, layout: Layout) -> Iterator[NDArray[Any]]:
    """By simplejpeg's libjpeg-turbo 3, which raises at any damage; pydicom would need GDCM or a GPL package."""
    import simplejpeg  # noqa: PLC0415
    from pydicom.pixels.processing import convert_color_space  # noqa: PLC0415

    for frame in _encapsulated(found, layout):
        file = frame[: frame.rfind(_EOI) + 2]  # a zero may follow, to an even length
        array = np.asarray(simplejpeg.decode_jpeg(file, "RGB" if layout.samples == 3 else "GRAY"), np.uint8)
        if layout.samples == 1:
            array = array[..., 0]
        if layout.photometric.startswith("YBR"):
            array = convert_color_space(array, "YBR_FULL", "RGB")
        yield array.view(np.int8) if layout.signed else array


def _palette_shift(found: Dataset) -> int | None:
    """By how many bits a palette's colours are shifted to become 8 bits without loss; None where they need 16.

    Many are 8 bits that were stretched to 16, and some are 8 bits in words of 16.
    """
    entries = [_entries(found, colour) for colour in ("Red", "Green", "Blue")]
    if all(e.max(initial=0) < 256 for e in entries):
        return 0
    stretched = all(((e & 0xFF == 0) | (e & 0xFF == e >> 8)).all() for e in entries)
    return 8 if stretched else None


def _entries(found: Dataset, colour: str) -> NDArray[Any]:
    """A palette's entries as 16 bits, or as far as they can be told without unpacking segments: then all of it."""
    descriptor = found.get(f"{colour}PaletteColorLookupTableDescriptor")
    data = found.get(f"{colour}PaletteColorLookupTableData")
    if descriptor is None:
        damaged()
    if int(descriptor[2]) == 8:
        return np.zeros(1, np.uint16)
    if data is None:
        return np.array([0x0102], np.uint16)  # segmented: taken as 16 bits
    if len(data) % 2:
        raise UnreadableError("is damaged: its palette is incomplete")
    return np.frombuffer(data, "<u2")
