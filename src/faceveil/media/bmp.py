"""BMP, through Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

from faceveil.media.faults import cut_off, damaged
from faceveil.media.info import Info
from faceveil.media.pixels import from_pillow, layers, to_pillow, to_uint8, upright_frame
from faceveil.types import Frame

_V5, _EMBEDDED = 124, b"DEBM"  # size of BITMAPV5HEADER; its bV5CSType PROFILE_EMBEDDED ("MBED", little-endian)

_INCH = 0.0254  # metres
_PLAIN = (0, 3, 6)  # BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS


def probe(data: bytes) -> Info:
    """The description from the headers. A profile in a BMP is rare and is dropped with a note: Pillow writes none."""
    from PIL import BmpImagePlugin  # noqa: PLC0415

    with BmpImagePlugin.BmpImageFile(BytesIO(data)) as image:
        dpi, alpha = image.info.get("dpi"), image.mode == "RGBA"
        grey = image.mode in ("L", "1")
        width, height = image.size
    _expect_rows(data, width, height)
    profile = int.from_bytes(data[14:18], "little") == _V5 and data[70:74] == _EMBEDDED
    notes = ("Its colour profile is dropped.",) if profile else ()
    usable = dpi is not None and all(v > 0 for v in dpi)
    return Info("BMP", width, height, dpi=dpi if usable else None, grey=grey, alpha=alpha, notes=notes)


def _expect_rows(data: bytes, width: int, height: int) -> None:
    """Raise where uncompressed rows, each of whole four bytes, reach beyond the file."""
    start, header = int.from_bytes(data[10:14], "little"), int.from_bytes(data[14:18], "little")
    depth, packing = int.from_bytes(data[28:30], "little"), int.from_bytes(data[30:34], "little")
    if header >= 40 and packing in _PLAIN and start + (width * depth + 31) // 32 * 4 * height > len(data):
        cut_off()


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame."""
    from PIL import BmpImagePlugin  # noqa: PLC0415

    with BmpImagePlugin.BmpImageFile(BytesIO(data)) as image:
        del data
        image.load()
        if image.size != info.size:
            damaged()
        pixels, alpha = from_pillow(image)
    yield upright_frame(pixels, alpha, info.orientation)


def encode(frame: Frame, info: Info) -> bytes:
    """An uncompressed BMP of 8, 24 or 32 bits a pixel. Files without resolution get Pillow's 96 dpi."""
    if frame.alpha is not None:
        return _encode_alpha(frame, info)
    image, out = to_pillow(frame, grey=info.grey), BytesIO()
    image.save(out, "BMP", **({"dpi": info.dpi} if info.dpi else {}))
    return out.getvalue()


def _encode_alpha(frame: Frame, info: Info) -> bytes:
    """With a BITMAPV4HEADER, whose masks say that the fourth byte is alpha; Pillow's header leaves that open."""
    rows = to_uint8(layers(frame, grey=False, alpha=True))[::-1, :, [2, 1, 0, 3]].tobytes()
    x, y = (round(v / _INCH) for v in info.dpi or (96, 96))
    head = struct.pack("<IiiHHIIiiII", 108, frame.width, frame.height, 1, 32, 3, len(rows), x, y, 0, 0)
    head += struct.pack("<IIII4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs") + bytes(48)  # LCS_sRGB
    return struct.pack("<2sIII", b"BM", 14 + len(head) + len(rows), 0, 14 + len(head)) + head + rows
