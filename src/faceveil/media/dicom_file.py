"""A DICOM file's header, read and judged: what is supported is said here, everything else is refused in words."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn

from faceveil.errors import TooLargeError, UnreadableError, UnsupportedError
from faceveil.media.codecs import PIXEL_CAP
from faceveil.media.faults import cut_off, damaged

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

_PREAMBLE = 132  # 128 bytes for any use, then "DICM" (PS3.10, 7.1)
_PIXEL_DATA = 0x7FE00010
_INFLATED_CAP = 1 << 30  # bytes; deflate packs up to 1000 times, so a file of 4 MB may unfold to more than this
FRAME_CAP = 10_000  # six minutes at 25 a second; their pixels together are capped as well
CURE = "pip install 'faceveil[dicom]'"
ONLY = "of DICOM only photographs, endoscopy, microscopy and secondary captures are supported"

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_DICOMDIR = "1.2.840.10008.1.3.10"
SECONDARY_CAPTURE = _STORAGE + "7"
_CLASSES = frozenset(  # PS3.4, annex B.5
    _STORAGE + tail
    for tail in (
        "7",  # secondary capture
        "7.2",  # multi-frame greyscale byte
        "7.3",  # multi-frame greyscale word
        "7.4",  # multi-frame true colour
        "77.1.1",  # endoscopic
        "77.1.1.1",  # video endoscopic; refused later where the pixels are a video
        "77.1.2",  # microscopic
        "77.1.2.1",
        "77.1.3",  # slide-coordinates microscopic
        "77.1.4",  # photographic
        "77.1.4.1",
        "77.1.5.1",  # ophthalmic photography 8 bit
        "77.1.5.2",  # 16 bit
        "77.1.5.5",  # wide field
        "77.1.5.6",
        "77.1.7",  # dermoscopic photography
    )
)
_SLICED = {  # how to speak of what shows a head in slices: SOP classes by their beginning, modalities by their code
    "a CT image": (("2",), ("CT",)),
    "an MR image": (("4",), ("MR",)),
    "a PET image": (("128", "130"), ("PT",)),
    "a nuclear medicine image": (("20",), ("NM", "ST")),
    "a tomogram": (("13.1",), ("XT", "OPT", "OCT")),
}

NATIVE = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"))
_DEFLATED, _BIG_ENDIAN, _IMPLICIT = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2"
JPEG = frozenset(("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"))
JPEG_LOSSLESS = frozenset(("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"))
JPEG_LS = frozenset(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"))
JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203))  # 201 to 203: high throughput
LOSSY = {  # always; JPEG 2000 may be either
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
}
RLE = "1.2.840.10008.1.2.5"
_SYNTAXES = NATIVE | JPEG | JPEG_LOSSLESS | JPEG_LS | JPEG_2000 | {RLE}

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_IN_CODESTREAM = ("YBR_ICT", "YBR_RCT")  # JPEG 2000 turns these into RGB by itself


@dataclass(frozen=True, slots=True)
class Layout:
    """How the pixels are stored (PS3.3, C.7.6.3). `syntax` is the transfer syntax UID; `samples` 1 or 3."""

    syntax: str
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    signed: bool

    @property
    def grey(self) -> bool:
        """Whether it is greyscale; palettes are colour."""
        return self.photometric in _GREY

    @property
    def frame_bytes(self) -> int:
        """Of one uncompressed frame."""
        samples = 2 if _halved(self) else self.samples
        return self.rows * self.columns * samples * (self.allocated // 8)


def read(data: bytes) -> Dataset:
    """The dataset up to its pixels, with its file meta information; what follows the pixels is not looked at.

    Raises `UnsupportedError` where pydicom is not installed: one DICOM among photos fails alone.
    """
    try:
        import dicomanonymizer  # noqa: F401, PLC0415
        from pydicom.dataset import FileMetaDataset  # noqa: PLC0415
        from pydicom.filereader import read_dataset  # noqa: PLC0415
    except ImportError as error:
        missing("pydicom and dicom-anonymizer", error)

    file = BytesIO(data)
    file.seek(_PREAMBLE)
    meta = FileMetaDataset(read_dataset(file, False, True, stop_when=_after_meta))
    syntax = str(meta.get("TransferSyntaxUID") or "")
    if not syntax:
        raise UnreadableError("does not say how it is stored")
    if syntax == _DEFLATED:
        file = BytesIO(_inflated(data[file.tell() :]))
    found = read_dataset(file, syntax == _IMPLICIT, syntax != _BIG_ENDIAN, stop_when=_after_pixels)
    found.file_meta = meta
    return found


def missing(what: str, error: ImportError | None = None) -> NoReturn:
    """A part of the extra is not installed."""
    raise UnsupportedError(f"is a DICOM, which needs {what}", hint=CURE) from error


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    del vr, length
    return int(tag) >> 16 != 2


def _after_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    del vr, length
    return int(tag) > _PIXEL_DATA


def _inflated(packed: bytes) -> bytes:
    """PS3.5, A.5: deflate without header. Raises where it unfolds to too much or ends early."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = unpacker.decompress(packed, _INFLATED_CAP)
    if unpacker.unconsumed_tail:
        raise TooLargeError(f"unfolds to more than {_INFLATED_CAP >> 20} MiB")
    if not unpacker.eof:
        cut_off()
    return plain


def judge(found: Dataset) -> Layout:
    """The layout of a supported picture. Raises `UnsupportedError`, `UnreadableError` or `TooLargeError`."""
    _judge_class(found)
    syntax = str(found.file_meta.TransferSyntaxUID)
    if syntax not in _SYNTAXES:
        raise UnsupportedError(_unknown_syntax(syntax))
    if "PixelData" not in found:
        if "FloatPixelData" in found or "DoubleFloatPixelData" in found:
            raise UnsupportedError("holds floating-point pixels, which are not supported")
        cut_off()
    layout = _layout(found, syntax)
    _judge_pixels(layout, int(found.get("HighBit", layout.stored - 1)))
    total = layout.rows * layout.columns * layout.frames
    if layout.frames > FRAME_CAP:
        raise TooLargeError(f"has {layout.frames} frames; the cap is {FRAME_CAP}")
    if layout.frames > 1 and total > PIXEL_CAP:
        raise TooLargeError(
            f"has {layout.frames} frames of {layout.columns} x {layout.rows} pixels, together {total / 1e6:.4g} "
            f"million; the cap is {PIXEL_CAP / 1e6:.4g} million"
        )
    if syntax in NATIVE and len(found.PixelData) < layout.frame_bytes * layout.frames:
        cut_off()
    return layout


def _judge_class(found: Dataset) -> None:
    from pydicom.uid import UID  # noqa: PLC0415

    meta_class = str(found.file_meta.get("MediaStorageSOPClassUID") or "")
    if meta_class == _DICOMDIR:
        raise UnsupportedError("is a DICOMDIR, an index that names patients and other files; it holds no picture")
    kind = str(found.get("SOPClassUID") or meta_class)
    modality = str(found.get("Modality") or "")
    for one, (classes, modalities) in _SLICED.items():
        tail = kind.removeprefix(_STORAGE)
        if modality in modalities or any(tail == c or tail.startswith(f"{c}.") for c in classes):
            raise UnsupportedError(
                f"is {one}: a face can be rebuilt from the slices of a head, and covering does not prevent that; {ONLY}"
            )
    if kind not in _CLASSES:
        name = UID(kind).name if kind.startswith("1.2.840.10008.") else ""
        what = f"a DICOM of the kind '{name}'" if name and name != kind else "a DICOM of an unknown kind"
        raise UnsupportedError(f"is {what}; {ONLY}")


def _unknown_syntax(syntax: str) -> str:
    from pydicom.uid import UID  # noqa: PLC0415

    name = UID(syntax).name if syntax.startswith("1.2.840.10008.") else "a private transfer syntax"
    if any(word in name for word in ("MPEG", "HEVC", "SMPTE")):
        return f"is a DICOM that holds a video ({name}), which is not supported"
    return f"stores its pixels as {name}, which is not supported"


def _layout(found: Dataset, syntax: str) -> Layout:
    def number(keyword: str, default: int | None = None) -> int:
        value: Any = found.get(keyword)
        value = default if value is None or value == "" else value
        if value is None or int(value) < 0:
            damaged()
        return int(value)

    return Layout(
        syntax,
        number("Rows"),
        number("Columns"),
        max(1, number("NumberOfFrames", 1)),
        number("SamplesPerPixel", 1),
        str(found.get("PhotometricInterpretation") or ""),
        allocated := number("BitsAllocated"),
        number("BitsStored", allocated),
        bool(number("PixelRepresentation", 0)),
    )


def _halved(layout: Layout) -> bool:
    return layout.photometric == "YBR_FULL_422"


def _judge_pixels(layout: Layout, high_bit: int) -> None:
    if layout.allocated not in (8, 16):
        raise UnsupportedError(f"holds {layout.allocated}-bit pixels, which are not supported")
    if layout.photometric not in (*_GREY, *_COLOURS, "PALETTE COLOR"):
        raise UnsupportedError(f"has colours of the kind '{layout.photometric[:16]}', which are not supported")
    colour = layout.photometric in _COLOURS
    if layout.samples != (3 if colour else 1) or not 1 <= layout.stored <= layout.allocated:
        damaged()
    if high_bit != layout.stored - 1 or (layout.signed and not layout.grey):
        raise UnsupportedError("stores its pixels in a way that is not supported")
    ybr = layout.photometric.startswith("YBR") and layout.photometric not in _IN_CODESTREAM
    if (ybr and layout.stored != 8) or (layout.syntax in NATIVE and _halved(layout) and layout.columns % 2):
        raise UnsupportedError("stores its pixels in a way that is not supported")
    if layout.photometric in _IN_CODESTREAM and layout.syntax not in JPEG_2000:
        raise UnsupportedError("stores its pixels in a way that is not supported")
    if layout.stored > 8 and layout.syntax in JPEG | JPEG_LOSSLESS:
        raise UnsupportedError("holds a JPEG of more than 8 bits, which is not supported")
