"""JPEG files (ITU T.81, JFIF): every segment by allow-list, nothing between them, nothing after the end."""

from __future__ import annotations

import re

from faceveil.verify import tiff
from faceveil.verify.leak import Leak, printable

_SOF = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_PICTURE = _SOF | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_OTHER = {
    b"http://ns.adobe.com/xap/1.0/\0": "XMP",
    b"http://ns.adobe.com/xmp/extension/\0": "extended XMP",
    b"MPF\0": "an index of more pictures (MPF)",
    b"Photoshop 3.0\0": "Photoshop resources, which may hold a thumbnail",
    b"JFXX\0": "a JFIF thumbnail",
    b"urn:iso:std:iso:ts:21496": "a gain map's description",
    b"JP\0": "content credentials (C2PA)",
}


def carve(data: bytes) -> list[Leak]:
    """Leaks of a JPEG file."""
    leaks: list[Leak] = []
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            following = data.find(b"\xff", at)
            stop = len(data) if following < 0 else following
            leaks.append(Leak("bytes between the parts of the picture", at, stop - at))
            at = stop
            continue
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker == 0xD9:
            break
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            leaks.append(Leak("a marker that does not belong here", at, 2))
            at += 2
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
            if marker == 0xDA:
                found = _SCAN_END.search(data, end)
                end = found.start() if found else len(data)
            elif marker not in _PICTURE:
                leaks += _application(data, marker, at, end)
            at = end
    if at + 2 < len(data):
        leaks.append(Leak("data after the end of the picture", at + 2, len(data) - at - 2))
    return leaks


def _application(data: bytes, marker: int, start: int, end: int) -> list[Leak]:
    load = data[start + 4 : end]
    if marker == 0xE0 and load.startswith(b"JFIF\0"):
        thumbnail = len(load) - 14
        return [Leak("a JFIF thumbnail", start + 18, thumbnail)] if thumbnail > 0 else []
    if marker == 0xE1 and load.startswith(b"Exif\0"):
        return tiff.exif(data, start + 10, end)
    profile = marker == 0xE2 and load.startswith(b"ICC_PROFILE\0")
    if profile or (marker == 0xEE and load.startswith(b"Adobe") and len(load) == 12):
        return []
    if marker == 0xFE:
        return [Leak(f"a comment ({printable(load)})", start, end - start)]
    name = f"APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"0x{marker:02X}"
    known = [what for head, what in _OTHER.items() if load.startswith(head)]
    return [Leak(known[0] if known else f"segment {name} ({printable(load, 16)})", start, end - start)]
