"""BMP files: header, palette, pixels, an embedded profile, and nothing else."""

from __future__ import annotations

import struct

from faceveil.verify.leak import Leak, Range, unclaimed


def carve(data: bytes) -> list[Leak]:
    """Leaks of a BMP file."""
    try:
        (pixels, header) = struct.unpack_from("<II", data, 10)
        if header == 12:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            compression = stored = colours = 0
        else:
            width, height, _, bits, compression, stored, _, _, colours = struct.unpack_from("<iiHHIIIII", data, 18)
    except struct.error:
        return [Leak("a damaged BMP header", 0, len(data))]
    size = stored if compression in (1, 2, 4, 5) else (abs(width) * bits + 31) // 32 * 4 * abs(height)
    palette = (colours or 1 << bits) * (3 if header == 12 else 4) if bits <= 8 else 0
    masks = 12 if header == 40 and compression == 3 else 0
    claimed: list[Range] = [(0, 14 + header + masks + palette), (pixels, pixels + size)]
    leaks: list[Leak] = []
    if header >= 124:
        kind, offset, length = data[70:74], *struct.unpack_from("<II", data, 14 + 112)
        if kind == b"KNIL":
            leaks.append(Leak("the path of a colour profile", 14 + offset, length))
        if kind in (b"KNIL", b"DEBM"):
            claimed.append((14 + offset, 14 + offset + length))
    return leaks + unclaimed(data, claimed, "bytes that nothing in the file refers to")
