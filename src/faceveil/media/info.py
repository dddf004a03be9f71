"""What a picture is besides its pixels: enough to write the same kind of picture again, without its metadata."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate

from faceveil.media.camera import Settings
from faceveil.media.levels import Levels
from faceveil.types import Frame


@dataclass(frozen=True, slots=True)
class JpegCoding:
    """How a JPEG was quantised, for the upright picture (transposed where the orientation transposes).

    tables: one quantisation table for each component, 64 values in natural (row by row) order.
    subsampling: "444", "422", "420", "440" or "411".
    progressive, optimised: whether it has several scans; whether its Huffman tables are its own.
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: str = "420"
    progressive: bool = False
    optimised: bool = False


@dataclass(frozen=True, slots=True)
class WebpCoding:
    """Whether a WebP is lossless."""

    lossless: bool = False


@dataclass(frozen=True, slots=True)
class TiffCoding:
    """The lossless compression of a TIFF, in Pillow's words."""

    compression: str = "tiff_adobe_deflate"


@dataclass(frozen=True, slots=True)
class HeifCoding:
    """Chroma subsampling (420, 422, 444) and the colour description (primaries, transfer) of ITU-T H.273, if any."""

    chroma: int = 420
    colours: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class GifCoding:
    """The distinct colour tables of a GIF, three bytes for each colour, in the order of their first use."""

    tables: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Jpeg2000Coding:
    """Whether a JPEG 2000 is a bare codestream (.j2k), and whether its wavelet is the reversible one."""

    bare: bool = False
    lossless: bool = False


@dataclass(frozen=True, slots=True)
class DicomCoding:
    """How a DICOM's pixels are stored, and its de-identified attributes.

    attributes: a dataset in explicit VR little endian with what may stay, no pixels; empty for a new capture.
    frames: how many; counted: whether the file says so. photometric: "MONOCHROME1", "MONOCHROME2" or "RGB".
    allocated, stored: bits of a sample. levels: how stored values are shown.
    """

    attributes: bytes = b""
    frames: int = 1
    counted: bool = False
    photometric: str = "RGB"
    allocated: int = 8
    stored: int = 8
    signed: bool = False
    levels: Levels = field(default_factory=Levels)


Coding = JpegCoding | WebpCoding | TiffCoding | HeifCoding | GifCoding | Jpeg2000Coding | DicomCoding


@dataclass(frozen=True, slots=True)
class Animation:
    """How the frames of a picture follow each other.

    durations: seconds that each frame is shown, one for each frame; zero where the file leaves it to the viewer.
    loop: the repetition count in the format's own terms, None where the file has none.
    """

    durations: tuple[Fraction, ...]
    loop: int | None = None

    @property
    def starts(self) -> tuple[Fraction, ...]:
        """Seconds from the start at which each frame appears."""
        return tuple(accumulate(self.durations[:-1], initial=Fraction(0)))


def trailer(size: int) -> tuple[str, ...]:
    """The note on bytes behind the picture, if there are any."""
    return (f"{size} byte{'s' if size > 1 else ''} after the end of the picture are dropped.",) if size > 0 else ()


@dataclass(frozen=True, slots=True)
class Info:
    """One picture's description, read from its header.

    format: what is written: a key of `KINDS` with a codec. A camera RAW has "TIFF", since nobody can write a RAW.
    width, height: pixels, upright; of the first page where there are several.
    orientation: as stored, 1 to 8 (EXIF's numbers); the frame is upright already.
    icc: the colour profile byte for byte, empty if there is none or if it does not fit the pixels.
    dpi: (horizontal, vertical) dots per inch of the upright picture, or None.
    bits: of one channel, 8 or 16. grey, alpha: what the stored pixels have.
    coding: what the format's writer needs to write alike; None for its defaults.
    notes: one sentence for each thing that is lost beside metadata.
    animation: timing, where the picture moves. pages: one description for each page, where there are several; each
    page has its own size, profile, resolution, bits and coding.
    camera: for writing: the camera settings that stay (`media.camera`). Reading a header leaves it empty, so that they
    stay only where that was asked for.
    hidden: for writing: whether all faces that were found are covered independently of what was there; None if nobody
    says. Formats that have a place for it declare it.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    icc: bytes = field(default=b"", repr=False)
    dpi: tuple[float, float] | None = None
    bits: int = 8
    grey: bool = False
    alpha: bool = False
    coding: Coding | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    animation: Animation | None = field(default=None, repr=False)
    pages: tuple[Info, ...] = field(default=(), repr=False)
    camera: Settings = field(default=(), repr=False)
    hidden: bool | None = None

    @classmethod
    def plain(cls, form: str, frame: Frame) -> Info:
        """For a frame that comes from no file: `form` is a key of `KINDS` with a codec, defaults for the rest."""
        bits = 16 if frame.pixels.itemsize == 2 and form in ("PNG", "TIFF", "JPEG 2000", "PNM", "DICOM") else 8
        alpha = frame.alpha is not None and form not in ("JPEG", "PNM", "DICOM")
        return cls(form, frame.width, frame.height, bits=bits, alpha=alpha)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), upright."""
        return self.width, self.height

    @property
    def frames(self) -> int:
        """How many frames or pages there are."""
        return len(self.animation.durations) if self.animation else len(self.pages) or 1

    def of(self, index: int) -> Info:
        """The description of one frame or page."""
        return self.pages[index] if self.pages else self

    def bare(self) -> Info:
        """The same without colour profile, resolution and camera settings."""
        return replace(self, icc=b"", dpi=None, camera=(), pages=tuple(page.bare() for page in self.pages))

    def noting(self, *sentences: str) -> Info:
        """The same with more notes."""
        return replace(self, notes=self.notes + sentences)
