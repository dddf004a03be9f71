"""Display matrices and EXIF's eight orientations."""

from __future__ import annotations

import struct

from faceveil.errors import UnsupportedError

# Where the stored axes point on the display, as the signs of a, b, c and d: (x, y) is shown at (ax + cy, bx + dy).
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_ODD = 1 / 64  # entries below this part of the greatest are rounding: 0.9 degrees


def matrix_of(data: bytes) -> tuple[int, ...]:
    """The nine numbers of FFmpeg's display matrix (ISO/IEC 14496-12, 6.2.2)."""
    return struct.unpack("=9i", data)


def orientation_of(matrix: tuple[int, ...]) -> int:
    """EXIF's number for a display matrix. Raises `UnsupportedError` for other than quarter turns and mirrors."""
    if not matrix:
        return 1
    a, b, _, c, d = matrix[:5]
    least = max(abs(a), abs(b), abs(c), abs(d)) * _ODD
    signs = tuple(0 if abs(v) <= least else 1 if v > 0 else -1 for v in (a, b, c, d))
    if signs not in _ORIENTATIONS:
        raise UnsupportedError("is shown at an angle that is no quarter turn, which is not supported")
    return _ORIENTATIONS[signs]
