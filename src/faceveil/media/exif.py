"""The two things that are read from EXIF before it is dropped, and may be written again: orientation and resolution.

EXIF is a TIFF directory (CIPA DC-008, 4.6). It is read with the patience of a parser that expects damage: whatever
does not fit is as if it were absent, since none of it is kept.
"""

from __future__ import annotations

from struct import Struct, error

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_SHORT, _LONG, _RATIONAL = 3, 4, 5


def numbers(block: bytes, base: int = 0) -> dict[int, float]:
    """The first value of every numeric tag in the first directory of a TIFF block; empty if it is damaged."""
    base += 6 * (block[base : base + 6] == b"Exif\x00\x00")  # JPEG's prefix; some writers of other formats keep it
    order = {b"II": "<", b"MM": ">"}.get(block[base : base + 2])
    found: dict[int, float] = {}
    if order is None:
        return found
    short, long, pair, entry = (Struct(order + f) for f in ("H", "L", "LL", "HHL"))
    try:
        at = base + long.unpack_from(block, base + 4)[0]
        for i in range(short.unpack_from(block, at)[0]):
            place = at + 2 + 12 * i
            tag, kind, _ = entry.unpack_from(block, place)
            if kind == _SHORT:
                found[tag] = short.unpack_from(block, place + 8)[0]
            elif kind == _LONG:
                found[tag] = long.unpack_from(block, place + 8)[0]
            elif kind == _RATIONAL:
                top, bottom = pair.unpack_from(block, base + long.unpack_from(block, place + 8)[0])
                found[tag] = top / bottom if bottom else 0.0
    except error:
        pass  # cut off: what was read so far counts
    return found


def orientation(tags: dict[int, float]) -> int:
    """1 to 8; 1 where the tag is absent or out of range."""
    value = tags.get(ORIENTATION, 1)
    return int(value) if value in range(1, 9) else 1


def dpi(tags: dict[int, float]) -> tuple[float, float] | None:
    """Dots per inch as stored, or None."""
    unit = tags.get(RESOLUTION_UNIT, 2)
    scale = {2: 1.0, 3: 2.54}.get(int(unit))
    x, y = tags.get(X_RESOLUTION, 0.0), tags.get(Y_RESOLUTION, 0.0)
    return (x * scale, y * scale) if scale and x > 0 and y > 0 else None


def block(orientation: int, dpi: tuple[float, float] | None = None) -> bytes:
    """A TIFF block with these tags alone; empty where the orientation is 1 and there is no resolution."""
    entry, tags, values = Struct("<HHIL"), [], b""
    if orientation != 1:
        tags.append(entry.pack(ORIENTATION, _SHORT, 1, orientation))
    if dpi:
        after = 8 + 2 + 12 * (len(tags) + 3) + 4
        tags += [entry.pack(tag, _RATIONAL, 1, after + 8 * i) for i, tag in enumerate((X_RESOLUTION, Y_RESOLUTION))]
        tags.append(entry.pack(RESOLUTION_UNIT, _SHORT, 1, 2))
        values = b"".join(Struct("<LL").pack(round(1000 * min(v, 1e6)), 1000) for v in dpi)
    head = b"II*\x00\x08\x00\x00\x00" + Struct("<H").pack(len(tags))
    return head + b"".join(tags) + bytes(4) + values if tags else b""
