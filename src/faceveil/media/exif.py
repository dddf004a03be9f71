"""What is read from EXIF before it is dropped, and may be written again: orientation, resolution, camera settings.

EXIF is a TIFF directory (CIPA DC-008, 4.6). It is read with the patience of a parser that expects damage: whatever
does not fit is as if it were absent, since none of it is kept. The camera settings stand in `camera`.
"""

from __future__ import annotations

from struct import Struct, error

from faceveil.media import camera

Entry = tuple[int, int, bytes]  # tag, type, value as it is stored, little-endian

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_SIZES = {_SHORT: 2, _LONG: 4, _RATIONAL: 8, camera.SRATIONAL: 8}


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


def block(orientation: int, dpi: tuple[float, float] | None = None, settings: camera.Settings = ()) -> bytes:
    """A TIFF block with these alone; empty where the orientation is 1 and there is nothing else."""
    tags: list[Entry] = []
    if orientation != 1:
        tags.append((ORIENTATION, _SHORT, Struct("<H").pack(orientation)))
    if dpi:
        ratios = (Struct("<LL").pack(round(1000 * min(v, 1e6)), 1000) for v in dpi)
        tags += [(tag, _RATIONAL, load) for tag, load in zip((X_RESOLUTION, Y_RESOLUTION), ratios, strict=True)]
        tags.append((RESOLUTION_UNIT, _SHORT, Struct("<H").pack(2)))
    if settings:
        # The room of the first directory is known before its last entry says where the next one starts.
        place = 8 + len(directory([*tags, (camera.EXIF_POINTER, _LONG, bytes(4))], 8))
        tags.append((camera.EXIF_POINTER, _LONG, Struct("<L").pack(place)))
    if not tags:
        return b""
    more = directory(camera.entries(settings), place) if settings else b""
    return b"II*\x00\x08\x00\x00\x00" + directory(tags, 8) + more


def directory(entries: list[Entry], start: int) -> bytes:
    """A little-endian directory that stands at `start`, the last of its chain, its longer values behind it."""
    head, values = b"", b""
    room = start + 2 + 12 * len(entries) + 4
    for tag, kind, load in sorted(entries):
        place = load.ljust(4, b"\x00") if len(load) <= 4 else Struct("<L").pack(room + len(values))
        values += load if len(load) > 4 else b""
        head += Struct("<HHL").pack(tag, kind, len(load) // _SIZES[kind]) + place
    return Struct("<H").pack(len(entries)) + head + bytes(4) + values
