"""WebP files (RFC 9649): every chunk by allow-list, nothing after the RIFF."""

from __future__ import annotations

from faceveil.verify import tiff
from faceveil.verify.leak import Leak, printable

_PICTURE = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ICCP"))
_FRAME = 16  # bytes of an ANMF chunk before its own chunks


def carve(data: bytes) -> list[Leak]:
    """Leaks of a WebP file."""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    leaks = _chunks(data, 12, end)
    if end < len(data):
        leaks.append(Leak("data after the end of the picture", end, len(data) - end))
    return leaks


def _chunks(data: bytes, at: int, end: int) -> list[Leak]:
    leaks: list[Leak] = []
    while at + 8 <= end:
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        load = at + 8
        if name == b"ANMF":
            leaks += _chunks(data, load + _FRAME, load + size)
        elif name == b"EXIF":
            start = load + 6 if data[load : load + 4] == b"Exif" else load
            leaks += tiff.exif(data, start, load + size)
        elif name not in _PICTURE:
            leaks.append(Leak("XMP" if name == b"XMP " else f"chunk {printable(name)}", at, 8 + size))
        at = load + size + size % 2
    if at < end:
        leaks.append(Leak("bytes between the parts of the picture", at, end - at))
    return leaks
