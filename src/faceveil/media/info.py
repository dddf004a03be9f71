"""What a picture is besides its pixels: enough to write the same kind of picture again, without its metadata."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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


Coding = JpegCoding | WebpCoding | TiffCoding | HeifCoding


def trailer(size: int) -> tuple[str, ...]:
    """The note on bytes behind the picture, if there are any."""
    return (f"{size} byte{'s' if size > 1 else ''} after the end of the picture are dropped.",) if size > 0 else ()


@dataclass(frozen=True, slots=True)
class Info:
    """One picture's description, read from its header.

    format: "JPEG", "PNG", "WebP", "BMP", "TIFF", "HEIC" or "AVIF".
    width, height: pixels, upright. orientation: as stored, 1 to 8 (EXIF's numbers); the frame is upright already.
    icc: the colour profile byte for byte, empty if there is none or if it does not fit the pixels.
    dpi: (horizontal, vertical) dots per inch of the upright picture, or None.
    bits: of one channel, 8 or 16. grey, alpha: what the stored pixels have.
    coding: what the format's writer needs to write alike; None for its defaults.
    notes: one sentence for each thing that is lost beside metadata.
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

    @classmethod
    def plain(cls, form: str, frame: Frame) -> Info:
        """For a frame that comes from no file: `form` is a key of `KINDS` with a codec, defaults for the rest."""
        bits = 16 if frame.pixels.itemsize == 2 and form in ("PNG", "TIFF") else 8
        return cls(form, frame.width, frame.height, bits=bits, alpha=frame.alpha is not None and form != "JPEG")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), upright."""
        return self.width, self.height

    def noting(self, *sentences: str) -> Info:
        """The same with more notes."""
        return replace(self, notes=self.notes + sentences)
