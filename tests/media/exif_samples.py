"""EXIF blocks made by hand, entry by entry, with whatever types, counts and bytes a test wants; and a plain reader."""

from __future__ import annotations

import struct
from fractions import Fraction
from io import BytesIO

import media_samples as samples
import pillow_heif
from PIL import Image

Entry = tuple[int, int, int, bytes]
"""Tag, type, count and value in the block's byte order."""

EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10
_FORMS = {SHORT: "H", LONG: "L", RATIONAL: "LL", SRATIONAL: "ll"}


def number(tag: int, kind: int, *parts: int, order: str = "<") -> Entry:
    """An entry of one number."""
    return tag, kind, 1, struct.pack(order + _FORMS[kind], *parts)


def block(
    exif: list[Entry], first: list[Entry] | None = None, second: list[Entry] | None = None, order: str = "<"
) -> bytes:
    """A TIFF block: the first directory with a pointer to EXIF's, and the second, which is a thumbnail's."""
    start = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "L", 8)
    zeroth = [*(first or []), (EXIF_IFD, LONG, 1, bytes(4))]
    below = 8 + len(directory(zeroth, 8, order))
    zeroth[-1] = (EXIF_IFD, LONG, 1, struct.pack(order + "L", below))
    body = directory(exif, below, order)
    after = below + len(body) if second else 0
    return start + directory(zeroth, 8, order, after) + body + (directory(second, after, order) if second else b"")


def directory(entries: list[Entry], start: int, order: str = "<", after: int = 0) -> bytes:
    """One directory with its longer values behind it; offsets of GPS and the like are the caller's."""
    room = start + 2 + 12 * len(entries) + 4
    head, values = b"", b""
    for tag, kind, count, load in entries:
        inside = load.ljust(4, b"\x00") if len(load) <= 4 else struct.pack(order + "L", room + len(values))
        values += load if len(load) > 4 else b""
        head += struct.pack(order + "HHL", tag, kind, count) + inside
    return struct.pack(order + "H", len(entries)) + head + struct.pack(order + "L", after) + values


def seen(data: bytes) -> dict[int, Fraction]:
    """The numbers of EXIF's directory in a file, read by Pillow."""
    pillow_heif.register_heif_opener()
    with Image.open(BytesIO(data)) as image:
        tags = image.getexif()
        found = {}
        for tag, value in tags.get_ifd(EXIF_IFD).items():
            top, bottom = getattr(value, "numerator", value), getattr(value, "denominator", 1)
            found[tag] = Fraction(int(top), int(bottom))
        assert not set(tags) - {0x0112, 0x011A, 0x011B, 0x0128, EXIF_IFD, *range(254, 340), 34675}
        return found


def picture(form: str, exif: bytes, *, frames: int = 1) -> bytes:
    """A picture of a format that holds EXIF, of one or several frames."""
    images = [Image.fromarray(samples.picture()).rotate(10 * i) for i in range(frames)]
    out = BytesIO()
    if form == "HEIC":
        pillow_heif.from_pillow(images[0]).save(out, exif=exif)
        return out.getvalue()
    several = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    if form != "TIFF":
        images[0].save(out, form.upper(), exif=b"Exif\x00\x00" * (form == "JPEG") + exif, **several)
        return out.getvalue()
    images[0].save(out, "TIFF", **several)
    return tagged(out.getvalue(), exif)


def tagged(tiff: bytes, exif: bytes) -> bytes:
    """A TIFF with the block's EXIF directory: the block is laid behind it and its offsets are moved along."""
    order = "<"
    assert exif[:2] == b"II"
    pointer = next(e for e in _raw(exif, 8) if e[0] == EXIF_IFD)[3]
    entries = _raw(exif, struct.unpack("<L", pointer)[0])
    loads = []
    for tag, kind, count, inside in entries:
        size = count * {BYTE: 1, ASCII: 1, UNDEFINED: 1, SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}[kind]
        at = struct.unpack("<L", inside)[0]
        loads.append((tag, kind, count, exif[at : at + size] if size > 4 else inside[:size]))
    at = struct.unpack_from("<L", tiff, 4)[0]
    old = _raw(tiff, at)
    tail = 2 + 12 * len(old)
    start = len(tiff) + len(tiff) % 2
    first = sorted([*old, (EXIF_IFD, LONG, 1, struct.pack("<L", start + tail + 12 + 4))])
    made = bytearray(tiff) + bytes(len(tiff) % 2)
    made += struct.pack("<H", len(first)) + b"".join(struct.pack("<HHL", *e[:3]) + e[3] for e in first)
    made += tiff[at + tail : at + tail + 4] + directory(loads, start + tail + 12 + 4, order)
    struct.pack_into("<L", made, 4, start)
    return bytes(made)


def _raw(data: bytes, at: int) -> list[Entry]:
    count = struct.unpack_from("<H", data, at)[0]
    return [struct.unpack_from("<HHL4s", data, at + 2 + 12 * i) for i in range(count)]
