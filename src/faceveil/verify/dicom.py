"""What a DICOM file holds beside its pixels: attributes that the basic profile of PS3.15 wants gone, and side doors.

The elements are read by `dicom_file`, apart from the code that writes files. Which attributes the profile names comes
from dicom-anonymizer's table of PS3.15, E.1-1, and keywords from pydicom's dictionary: both are data of the standard.
Findings name keywords and places, never values.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from faceveil.verify import jpeg
from faceveil.verify.dicom_file import ITEM, PIXELS, Element, Reader
from faceveil.verify.leak import Leak

_PREAMBLE, _START = 128, 132
_INFLATED_CAP = 1 << 30
_IMPLICIT, _DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70))
_SYNTAX = 0x00020010
_ICON, _PADDING = 0x00880200, 0xFFFCFFFC
_REMOVED, _BURNED_IN, _VISUAL = 0x00120062, 0x00280301, 0x00280302
_PHOTOMETRIC, _FRAMES = 0x00280004, 0x00280008
# Samples, rows, columns, bits allocated, bits stored, high bit, whether signed.
_LAYOUT = (0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103)
# Of the file meta information: titles and addresses of machines, and what a program put there for itself.
_MACHINES = (0x00020016, 0x00020017, 0x00020018, 0x00020026, 0x00020027, 0x00020028, 0x00020100, 0x00020102)
_DONE = {"X": "removes", "Z": "empties", "D": "replaces", "U": "replaces"}
_DUMMIES = frozenset("ANON ANONYMIZED ANONYMISED ANONYMOUS DEIDENTIFIED DE-IDENTIFIED REMOVED UNKNOWN NONE".split())
_DATES = ("19000101", "00010101", "00010101010101.000000+0000")  # the last is dicom-anonymizer's
_BYTES = frozenset("OB OD OF OL OV OW UN FL FD SL SS SV UL US UV AT".split())
_OWN_ROOTS = ("1.2.840.10008.", "2.25.", "1.2.826.0.1.3680043.8.498.")
"""Beginnings of UIDs that say nothing of who gave them out: the standard's own, random numbers, and pydicom's."""


def carve(data: bytes) -> list[Leak]:
    """Leaks of a DICOM file."""
    leaks = [Leak("data in the preamble", 0, _PREAMBLE)] if data[:_PREAMBLE].strip(b"\0") else []
    try:
        _table()
    except ImportError:
        need = "attributes, which only pydicom and dicom-anonymizer can name: pip install 'faceveil[dicom]'"
        return [*leaks, Leak(need, _START, len(data) - _START)]
    meta: list[Element] = []
    at = Reader(data, _is_sequence).dataset(_START, meta, until=lambda tag: tag >> 16 != 2)
    leaks += _judged(data, meta)
    syntax = next((_text(data, element) for element in meta if element.tag == _SYNTAX), "")
    if syntax != _DEFLATED:
        return leaks + _dataset(data, at, syntax)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(data[at:], _INFLATED_CAP)
    except zlib.error:
        return [*leaks, Leak("a deflated data set that is damaged", at, len(data) - at)]
    packed = len(data) - at - len(unpacker.unused_data)
    inside = (
        replace(leak, what=f"{leak.what} (at byte {leak.offset} once inflated)") for leak in _dataset(plain, 0, "")
    )
    leaks += [replace(leak, offset=at, size=packed) for leak in inside]
    if not unpacker.eof:
        leaks.append(Leak("a deflated data set that is cut off or too large", at, packed))
    elif unpacker.unused_data.strip(b"\0"):
        leaks.append(Leak("data after the end of the data set", at + packed, len(unpacker.unused_data)))
    return leaks


def parts(data: bytes) -> frozenset[int]:
    """Where the fragments of compressed pixels begin."""
    meta: list[Element] = []
    try:
        at = Reader(data, _is_sequence).dataset(_START, meta, until=lambda tag: tag >> 16 != 2)
    except ImportError:
        return frozenset()
    found: list[Element] = []
    Reader(data, _is_sequence).dataset(at, found)
    return frozenset(part.load for one in found if one.tag in PIXELS for part in one.inside)


def _dataset(data: bytes, at: int, syntax: str) -> list[Leak]:
    """Leaks of the data set that starts at a place."""
    found: list[Element] = []
    order = ">" if syntax == _BIG_ENDIAN else "<"
    end = Reader(data, _is_sequence, implicit=syntax == _IMPLICIT, order=order).dataset(at, found)
    leaks = _judged(data, found) + list(_flags(data, found, at))
    pixels = next((element for element in found if element.tag in PIXELS), None)
    if pixels is not None and pixels.inside and syntax in _JPEG:
        leaks += _pictures(data, pixels.inside[1:])
    elif pixels is not None and not pixels.inside:
        leaks += _native(data, found, pixels, order)
    if data[end:].strip(b"\0"):
        complete = pixels is not None
        what = "data after the end of the data set" if complete else "a data set that is damaged from here on"
        leaks.append(Leak(what, end, len(data) - end))
    return leaks


# --- attributes -------------------------------------------------------------------------------------------------------


@cache
def _table() -> dict[int, str]:
    """Tag -> X (remove), Z (empty), D (replace) or U (replace the UID), of PS3.15, E.1-1, 2026c."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector  # noqa: PLC0415

    lists = dicom_anonymization_database_selector("dicomfields_2026c")
    return {
        tag[0] << 16 | tag[1]: name[0]
        for name, tags in lists.items()
        if name != "ALL_TAGS"
        for tag in tags
        if len(tag) == 2  # curves and overlays, whose groups repeat, are known by their groups
    }


def _is_sequence(tag: int) -> bool:
    from pydicom.datadict import dictionary_has_tag, dictionary_VR  # noqa: PLC0415

    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _judged(data: bytes, elements: list[Element], *, nested: bool = False) -> list[Leak]:
    """Leaks among elements and what is inside them."""
    leaks: list[Leak] = []
    for element in elements:
        what = _what(data, element, nested=nested)
        if what and leaks and leaks[-1].what == what and "group" in what:  # one find for each plane and curve
            leaks[-1] = replace(leaks[-1], size=element.end - leaks[-1].offset)
        elif what:
            leaks.append(Leak(what, element.start, element.end - element.start))
        elif element.tag not in PIXELS:
            for item in element.inside:
                leaks += _judged(data, item.inside, nested=True)
    return leaks


def _what(data: bytes, element: Element, *, nested: bool) -> str:
    """What is wrong with an element, in words; empty where nothing is."""
    group, number = element.tag >> 16, element.tag & 0xFFFF
    place = f"({group:04X},{number:04X})"
    if element.tag in PIXELS:
        return "pixels inside a sequence" if nested else ""
    if element.tag == _PADDING:
        return "data in padding" if element.value(data).strip(b"\0") else ""
    if not _filled(data, element):
        return ""
    if group % 2:
        return f"a private attribute {place}"
    if group & 0xFF00 in (0x5000, 0x6000):
        return f"{'an overlay' if group & 0x2000 else 'a curve'} of group {group:04X}"
    return "" if number == 0 else _standard(data, element, place)


def _standard(data: bytes, element: Element, place: str) -> str:
    """What is wrong with an attribute that is neither private nor repeated, nor a group's length."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag  # noqa: PLC0415

    if not dictionary_has_tag(element.tag):
        return f"an unknown attribute {place}"
    keyword, vr = keyword_for_tag(element.tag) or place, element.vr or dictionary_VR(element.tag)
    if element.tag == _ICON or element.tag in _MACHINES:
        return f"an icon ({keyword})" if element.tag == _ICON else f"{keyword}, which names a machine or a program"
    action = _table().get(element.tag, "")
    if action == "U" or (action == "D" and vr == "UI"):
        harmless = all(uid.startswith(_OWN_ROOTS) for uid in _text(data, element).split("\\"))
    else:
        harmless = _dummy(data, element, vr)
    if action and not harmless:
        return f"{keyword}, which the basic profile {_DONE[action]}"
    return f"{keyword}, a person's name" if vr == "PN" and not harmless else ""


def _text(data: bytes, element: Element) -> str:
    return element.value(data).decode("latin-1").strip(" \0")


def _filled(data: bytes, element: Element) -> bool:
    """Whether an element has a value: bytes, or items with something in them."""
    if element.vr == "SQ" or element.inside:
        return any(item.inside or item.tag != ITEM for item in element.inside)
    return element.end > element.load and (element.vr in _BYTES or bool(_text(data, element)))


def _dummy(data: bytes, element: Element, vr: str) -> bool:
    """Whether a value is one of those that tools put in place of what was there."""
    if element.inside or vr == "SQ":
        return False
    if vr in _BYTES:
        return not element.value(data).strip(b"\0")
    text = _text(data, element).upper()
    if vr in ("DA", "DT"):
        return text in _DATES or (text[:8] in _DATES and not text[8:].strip("0."))
    if vr in ("TM", "DS", "IS", "AS"):
        return not text.strip("0:.DWMY")
    return text.strip("^") in _DUMMIES


def _flags(data: bytes, found: list[Element], at: int) -> Iterator[Leak]:
    """What a file should say of its own de-identification, and does not (PS3.15, E.1)."""
    said = {element.tag: element for element in found if element.tag in (_REMOVED, _BURNED_IN, _VISUAL)}
    for tag, keyword in ((_REMOVED, "PatientIdentityRemoved"), (_VISUAL, "RecognizableVisualFeatures")):
        if tag not in said or not _text(data, said[tag]):
            yield Leak(f"no word of {keyword}", at, 0)
    if _REMOVED in said and _text(data, said[_REMOVED]) not in ("", "YES"):
        element = said[_REMOVED]
        yield Leak("PatientIdentityRemoved, which is not YES", element.start, element.end - element.start)
    if _BURNED_IN in said and _text(data, said[_BURNED_IN]) == "YES":
        element = said[_BURNED_IN]
        yield Leak("BurnedInAnnotation: text is part of the pixels", element.start, element.end - element.start)


# --- pixels -----------------------------------------------------------------------------------------------------------


def _native(data: bytes, found: list[Element], pixels: Element, order: str) -> Iterator[Leak]:
    """What stands behind uncompressed pixels inside of their value, and in the bits that they do not use."""
    number = {
        element.tag: int.from_bytes(element.value(data), "little" if order == "<" else "big")
        for element in found
        if element.tag in _LAYOUT
    }
    samples, rows, columns, allocated, stored, high, signed = (number.get(tag, 0) for tag in _LAYOUT)
    texts = {element.tag: _text(data, element) for element in found if element.tag in (_PHOTOMETRIC, _FRAMES)}
    frames = texts.get(_FRAMES, "") or "1"
    if not (rows and columns and samples and frames.isdecimal()):
        return
    if texts.get(_PHOTOMETRIC) == "YBR_FULL_422":
        samples = 2
    end = pixels.load + (rows * columns * samples * allocated * int(frames) + 7) // 8
    if data[end : pixels.end].strip(b"\0"):
        yield Leak("bytes behind the pixels", end, pixels.end - end)
    if allocated == 16 and 0 < stored < 16 and high == stored - 1:
        values = np.frombuffer(data, order + "u2", (min(end, pixels.end) - pixels.load) // 2, pixels.load) >> stored
        allowed = values == 0
        if signed:
            allowed |= values == 0xFFFF >> stored
        if not allowed.all():
            yield Leak("bits above those of the pixels, as overlays were stored", pixels.load, end - pixels.load)


def _pictures(data: bytes, fragments: list[Element]) -> list[Leak]:
    """Leaks of JPEG frames, which may be spread over several fragments."""
    frames: list[list[Element]] = []
    for fragment in fragments:
        if data[fragment.load : fragment.load + 2] == b"\xff\xd8" or not frames:
            frames.append([])
        frames[-1].append(fragment)
    leaks: list[Leak] = []
    for frame in frames:
        joined = b"".join(fragment.value(data) for fragment in frame)
        found = jpeg.carve(joined.removesuffix(b"\0") if joined.endswith(b"\xff\xd9\0") else joined)
        leaks += [replace(leak, offset=_place(frame, leak.offset)) for leak in found]
    return leaks


def _place(frame: list[Element], offset: int) -> int:
    """Where a byte of joined fragments stands in the file."""
    for fragment in frame:
        size = fragment.end - fragment.load
        if offset < size:
            return fragment.load + offset
        offset -= size
    return frame[-1].end
