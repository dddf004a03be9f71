"""A TIFF writer for 16-bit pixels (TIFF 6.0), since Pillow writes 16 bits for grey alone and OpenCV no profile."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from faceveil.media.colour import kept
from faceveil.media.pixels import layers

if TYPE_CHECKING:
    from faceveil.media.info import Info
    from faceveil.types import Frame

_STRIP = 8 << 20  # bytes of a strip before packing
_LEVEL = 3  # as for PNG
_SHORT, _LONG, _RATIONAL, _BYTES = 3, 4, 5, 7
_CODES = {_SHORT: "H", _LONG: "I", _RATIONAL: "I"}


def encode(frame: Frame, info: Info, *, packed: bool) -> bytes:
    """Little-endian, one page, strips deflated or plain."""
    array = layers(frame, grey=info.grey and frame.alpha is None, alpha=True)  # Pillow reads no grey with alpha
    height, width, channels = array.shape
    rows = max(1, _STRIP // (width * channels * 2))
    strips = [array[top : top + rows].astype("<u2", copy=False).tobytes() for top in range(0, height, rows)]
    if packed:
        strips = [zlib.compress(strip, _LEVEL) for strip in strips]
    starts, at = [], 8
    for strip in strips:
        starts.append(at)
        at += len(strip) + len(strip) % 2
    tags: dict[int, tuple[int, tuple[int, ...] | bytes]] = {
        256: (_LONG, (width,)),
        257: (_LONG, (height,)),
        258: (_SHORT, (16,) * channels),
        259: (_SHORT, (8 if packed else 1,)),
        262: (_SHORT, (2 if channels > 2 else 1,)),
        273: (_LONG, tuple(starts)),
        277: (_SHORT, (channels,)),
        278: (_LONG, (rows,)),
        279: (_LONG, tuple(map(len, strips))),
        284: (_SHORT, (1,)),
    }
    if info.dpi:
        tags |= {282: (_RATIONAL, _ratio(info.dpi[0])), 283: (_RATIONAL, _ratio(info.dpi[1])), 296: (_SHORT, (2,))}
    if channels in (2, 4):
        tags[338] = (_SHORT, (2,))  # alpha, not premultiplied
    if icc := kept(info.icc, grey=channels < 3):
        tags[34675] = (_BYTES, icc)
    body = b"".join(strip + bytes(len(strip) % 2) for strip in strips)
    return struct.pack("<2sHI", b"II", 42, at) + body + _directory(tags, at)


def _ratio(value: float) -> tuple[int, int]:
    return round(value * 1000), 1000


def _directory(tags: dict[int, tuple[int, tuple[int, ...] | bytes]], start: int) -> bytes:
    """The directory at `start`, its longer values behind it."""
    entries, values = b"", b""
    room = start + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        load = value if isinstance(value, bytes) else struct.pack(f"<{len(value)}{_CODES[kind]}", *value)
        count = len(value) // (2 if kind == _RATIONAL else 1)
        if len(load) > 4:
            place = struct.pack("<I", room + len(values))
            values += load + bytes(len(load) % 2)
        else:
            place = load.ljust(4, b"\x00")
        entries += struct.pack("<HHI", tag, kind, count) + place
    return struct.pack("<H", len(tags)) + entries + bytes(4) + values
