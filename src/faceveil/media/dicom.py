"""DICOM photographs, endoscopy, microscopy and secondary captures, of one or many frames. See docs/dicom.md.

`dicom_file` judges the header, `dicom_profile` de-identifies the attributes, `dicom_pixels` holds the pixels. What is
written is put together from those: the identifying attributes never get as far as the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

from faceveil.media import dicom_file, dicom_pixels
from faceveil.media.colour import fitting
from faceveil.media.dicom_file import LOSSY, NATIVE, Layout
from faceveil.media.dicom_write import Writer, packed
from faceveil.media.faults import damaged
from faceveil.media.info import Animation, DicomCoding, Info
from faceveil.types import Frame

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from faceveil.types import Pixels


def probe(data: bytes) -> Info:
    """The description from the attributes; pixels of more than 8 bits are decoded to see which values they have."""
    from faceveil.media.dicom_profile import deidentified  # noqa: PLC0415  (loads the table)

    found = dicom_file.read(data)
    layout = dicom_file.judge(found)
    used = dicom_pixels.levels(found, layout)
    palette = layout.photometric == "PALETTE COLOR"
    bits = (16, 16) if used.sixteen else (8, 8)
    allocated, stored = bits if palette else (layout.allocated, layout.stored)
    coding = DicomCoding(
        attributes=packed(_lossy(deidentified(found), layout)),
        frames=layout.frames,
        counted="NumberOfFrames" in found,
        photometric=layout.photometric if layout.grey else "RGB",
        allocated=allocated,
        stored=stored,
        signed=layout.signed,
        levels=used,
    )
    icc, notes = fitting(bytes(found.get("ICCProfile") or b""), grey=layout.grey)
    info = Info(
        "DICOM",
        layout.columns,
        layout.rows,
        icc=icc,
        bits=16 if used.sixteen else 8,
        grey=layout.grey,
        coding=coding,
        notes=notes,
        animation=Animation((Fraction(0),) * layout.frames) if layout.frames > 1 else None,
    )
    return info.noting(*_notes(data, found, layout))


def _lossy(kept: Dataset, layout: Layout) -> Dataset:
    """Pixels that went through a lossy compression stay lossy, also if the source forgot to say so (PS3.3, C.7.6.1)."""
    method = LOSSY.get(layout.syntax)
    if method:
        kept.LossyImageCompression = "01"
        kept.setdefault("LossyImageCompressionMethod", method)
    return kept


def _notes(data: bytes, found: Dataset, layout: Layout) -> Iterator[str]:
    """What is lost beside attributes, and what is not removed."""
    from pydicom.uid import UID  # noqa: PLC0415

    planes = len({tag.group for tag in found.keys() if tag.group & 0xFF00 == 0x6000})  # noqa: SIM118
    if planes:
        yield f"{planes} overlay{'s' if planes > 1 else ''} in this file {'are' if planes > 1 else 'is'} dropped."
    if "IconImageSequence" in found:
        yield "The icon in this file is dropped."
    if any(data[:128]):
        yield "What stands before the DICOM header is dropped."
    if layout.syntax not in NATIVE:
        yield f"Its pixels, stored as {UID(layout.syntax).name}, are written uncompressed."
    if not layout.grey and layout.photometric != "RGB":
        yield f"Its {layout.photometric} colours are written as RGB."
    if str(found.get("BurnedInAnnotation") or "") != "NO":
        yield "Text that is part of the pixels, if there is any, stays."


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """All frames, in order. Raises where pixels are missing."""
    found = dicom_file.read(data)
    layout = dicom_file.judge(found)
    if (layout.columns, layout.rows) != info.size or not isinstance(info.coding, DicomCoding):
        damaged()
    for index, array in enumerate(dicom_pixels.arrays(found, layout)):
        shown = info.coding.levels.shown(array)
        if layout.grey:
            shown = cast("Pixels", np.repeat(shown[..., None], 3, axis=2))
        yield Frame(shown, index=index)


def encode(frame: Frame, info: Info) -> bytes:
    """A DICOM of one frame."""
    made = writer(info)
    made.append(frame)
    return made.finish()


def writer(info: Info) -> Writer:
    """What makes a DICOM of one or several frames."""
    return Writer(info)
