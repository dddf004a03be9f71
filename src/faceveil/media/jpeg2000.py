"""JPEG 2000 (ISO/IEC 15444-1), as a file of boxes (.jp2) or a bare codestream (.j2k), through Pillow's OpenJPEG."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from faceveil.errors import UnsupportedError
from faceveil.media import isobmff
from faceveil.media.camera import Settings
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import cut_off, damaged
from faceveil.media.info import Info, Jpeg2000Coding, trailer
from faceveil.media.pixels import from_pillow, is_grey, to_pillow, upright_frame
from faceveil.types import Frame

if TYPE_CHECKING:
    from PIL import Jpeg2KImagePlugin

_SIZ, _COD, _SOT, _END = 0xFF51, 0xFF52, 0xFF90, 0xFFD9  # markers (15444-1, table A.2)
_REVERSIBLE = 1  # the transformation in COD
_INCH = 0.0254  # metres
_MODELS = {"CMYK": "CMYK", "YCbCr": "RGB"}
_TOP = frozenset((b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c", b"jp2i", b"xml ", b"uuid", b"uinf", b"asoc", b"free"))
# The file does not say its own quality: 46 dB is what our other lossy formats reach (docs/formats.md).
_DECIBELS = 46


@dataclass(frozen=True, slots=True)
class _Stream:
    """What a codestream says: the channels' bits, whether it is lossless, and where it ends."""

    bits: tuple[int, ...]
    lossless: bool
    stop: int


def probe(data: bytes) -> Info:
    """The description from boxes and markers; OpenJPEG decodes nothing yet."""
    bare = data[:2] == b"\xff\x4f"
    start, more, rest = (0, 0, 0) if bare else _boxes(data)
    stream = _stream(data, start)
    with _open(data) as image:
        width, height, mode = *image.size, image.mode
        dpi = image.info.get("dpi")
    bits = 16 if max(stream.bits) > 8 else 8
    if bits == 16 and (len(stream.bits) > 1 or max(stream.bits) > 16):
        raise UnsupportedError(
            f"is a JPEG 2000 of {len(stream.bits)} channels and {max(stream.bits)} bits; only 8 bits, "
            "and 16 bits of grey, are supported"
        )
    grey = mode in ("L", "LA", "I;16")
    icc, notes = fitting(b"" if bare else _profile(data), grey=grey, model=_MODELS.get(mode, "RGB"))
    coding = Jpeg2000Coding(bare, stream.lossless)
    alpha = mode in ("LA", "RGBA")
    usable = (float(dpi[0]), float(dpi[1])) if dpi and all(v > 0 for v in dpi) else None
    info = Info("JPEG 2000", width, height, 1, icc, usable, bits, grey, alpha, coding, notes)
    if more:
        info = info.noting(f"{more} more picture{'s' if more > 1 else ''} in this file {_are(more)} dropped.")
    return info.noting(*trailer(len(data) - stream.stop if bare else rest))


def settings(data: bytes) -> Settings | None:
    """None where there is EXIF: JPEG 2000 has no place of its own for it, and it is neither read nor written."""
    return None if b"uuidJpgTiffExif->JP2" in data else ()


def _are(number: int) -> str:
    return "are" if number > 1 else "is"


def _open(data: bytes) -> Jpeg2KImagePlugin.Jpeg2KImageFile:
    from PIL import Jpeg2KImagePlugin  # noqa: PLC0415

    return Jpeg2KImagePlugin.Jpeg2KImageFile(BytesIO(data))


def _boxes(data: bytes) -> tuple[int, int, int]:
    """Where the first codestream starts, how many follow, and how many bytes are behind the last box."""
    streams, at = [], 0
    while data[at + 4 : at + 8] in _TOP:
        kind, start, at = next(isobmff.boxes(data, at))
        if kind == b"jp2c":
            streams.append(start)
    if not streams:
        cut_off()
    return streams[0], len(streams) - 1, len(data) - at


def _stream(data: bytes, start: int) -> _Stream:
    """The markers up to the first tile, then the tiles by their lengths. Raises where one of them is missing."""
    bits: tuple[int, ...] = ()
    lossless, at = False, start + 2
    try:
        while (marker := struct.unpack_from(">H", data, at)[0]) != _SOT:
            if marker == _SIZ:
                channels = struct.unpack_from(">H", data, at + 38)[0]
                bits = tuple((data[at + 40 + 3 * i] & 0x7F) + 1 for i in range(channels))
            elif marker == _COD:
                lossless = data[at + 13] == _REVERSIBLE
            elif marker < 0xFF00:
                damaged()
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        while marker == _SOT:
            size = struct.unpack_from(">I", data, at + 6)[0]
            at = at + size if size else data.rfind(_END.to_bytes(2, "big"), at)
            marker = struct.unpack_from(">H", data, at)[0]
    except (struct.error, IndexError):
        cut_off()
    if marker != _END or not bits:
        damaged()
    return _Stream(bits, lossless, at + 2)


def _header(data: bytes) -> list[isobmff.Box]:
    """The boxes inside jp2h."""
    place = next(((a, b) for kind, a, b in isobmff.boxes(data) if kind == b"jp2h"), None)
    return list(isobmff.boxes(data, *place)) if place else []


def _profile(data: bytes) -> bytes:
    """The profile in the first colour box that has one (methods 2 and 3; 15444-1, I.5.3.3)."""
    found = (data[a + 3 : b] for kind, a, b in _header(data) if kind == b"colr" and data[a] in (2, 3))
    return next(found, b"")


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame."""
    profile = b"" if data[:2] == b"\xff\x4f" else _profile(data)
    with _open(data) as image:
        del data
        image.load()
        pixels, alpha = from_pillow(image, profile)
    yield upright_frame(pixels, alpha, info.orientation)


def encode(frame: Frame, info: Info) -> bytes:
    """A JPEG 2000 of the source's kind: lossless, or lossy at a fixed quality; 16 bits only as long as it is grey."""
    from PIL import Image  # noqa: PLC0415

    coding = info.coding if isinstance(info.coding, Jpeg2000Coding) else Jpeg2000Coding()
    if frame.pixels.dtype == np.uint16 and frame.alpha is None and is_grey(frame.pixels):
        image = Image.fromarray(np.ascontiguousarray(frame.pixels[..., 0]))
    else:
        image = to_pillow(frame, grey=info.grey, alpha=frame.alpha is not None)
    lossy = {} if coding.lossless else {"irreversible": True, "quality_mode": "dB", "quality_layers": [_DECIBELS]}
    out = BytesIO()
    image.save(out, "JPEG2000", no_jp2=coding.bare, mct=int(image.mode in ("RGB", "RGBA")), **lossy)
    if coding.bare:
        return out.getvalue()
    return _described(out.getvalue(), info, kept(info.icc, grey=image.mode not in ("RGB", "RGBA")))


def _described(data: bytes, info: Info, icc: bytes) -> bytes:
    """The file with profile and resolution in its header."""
    parts = []
    for kind, a, b in _header(data):
        load = b"\x02\x00\x00" + icc if kind == b"colr" and icc else data[a:b]
        parts.append(_box(kind, load))
    if info.dpi:
        (across, a_ten), (down, d_ten) = (_scaled(v / _INCH) for v in info.dpi)
        parts.append(_box(b"res ", _box(b"resc", struct.pack(">HHHHbb", down, 1, across, 1, d_ten, a_ten))))
    whole = (_box(b"jp2h", b"".join(parts)) if kind == b"jp2h" else _box(kind, data[a:b]) for kind, a, b in _top(data))
    return b"".join(whole)


def _top(data: bytes) -> list[isobmff.Box]:
    return list(isobmff.boxes(data))


def _box(kind: bytes, load: bytes) -> bytes:
    return struct.pack(">I", 8 + len(load)) + kind + load


def _scaled(value: float) -> tuple[int, int]:
    """A number of at most 16 bits and the power of ten beside it."""
    ten = 0
    while value > 0xFFFF:
        value, ten = value / 10, ten + 1
    return max(1, round(value)), ten
