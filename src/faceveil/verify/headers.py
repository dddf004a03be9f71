"""What the headers of films say beside their picture: dates, names, languages, tags, and references to elsewhere.

ISO/IEC 14496-12, and Apple's QuickTime File Format for what it has beyond that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from faceveil.verify.boxes import Box, boxes, few, number, within
from faceveil.verify.leak import TOOL, Data, Leak, blank, printable

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_LENGTHS = {
    b"mvhd": (108, 120), b"tkhd": (92, 104), b"mdhd": (32, 44), b"vmhd": (20,), b"smhd": (16,), b"mehd": (16, 20),
    b"trex": (32,), b"mfhd": (16,), b"mfro": (16,), b"tfdt": (16, 20), b"nmhd": (12,), b"sthd": (12,),
    b"clef": (20,), b"prof": (20,), b"enof": (20,), b"pasp": (16,), b"clap": (40,), b"btrt": (20,), b"fiel": (10,),
    b"gama": (12,), b"clli": (12,), b"mdcv": (32,), b"ccst": (16,), b"load": (24,), b"cslg": (32, 52),
}  # fmt: skip
"""Sizes of boxes that have one, in versions 0 and 1: what is longer holds something else too."""
_ROWS = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8, b"stss": 4, b"stps": 4}
"""Bytes of one row of the tables that are a version, a count, and rows."""

# As FFmpeg, Apple, GPAC, Bento4, L-SMASH, MainConcept and Google's writers name them, for all files alike.
_HANDLERS = re.compile(
    rb"(?:Video|Sound|Data|Picture)Handler|Core Media (?:Video|Audio|Data Handler)|"
    rb"Apple (?:Video|Sound|Alias|Alias Data) (?:Media )?Handler|GPAC ISO (?:Video|Audio) Handler|"
    rb"Bento4 (?:Video|Sound) Handler|L-SMASH (?:Video|Audio) Handler|"
    rb"Mainconcept (?:MP4 )?(?:Video|Sound) Media Handler|Video Media Handler|Sound Media Handler|"
    rb"(?:ISO Media file produced by Google Inc\.(?: Created on: [\d/.]+)?)|"
    rb"Alias Data Handler|VideoHandle|SoundHandle|lib(?:heif|avif)|GPAC (?:pict Handler|avifs)|"
)
_COMPRESSORS = re.compile(
    r"(?:|Lavc[\d.]* [\w-]+|AVC Coding|HEVC Coding|AOM Coding|VPC Coding|H\.26[45]|HEVC|AV1|VP[89]|"
    r"Apple ProRes [\w() ]+|ProRes|Photo - JPEG|Motion JPEG|MPEG-4|MJPEG)"
)
_ENTRY = frozenset(
    b"avcC hvcC av1C vpcC esds pasp colr clap fiel btrt mdcv clli SmDm CoLL gama dvcC dvvC dvwC ccst auxi amve wave "
    b"chan dac3 dec3 dac4 dOps dfLa alac pcmC srat d263 jpgC cclv sgpd".split()
)
_TAGS = {
    b"\xa9xyz": "the place (GPS)", b"loci": "the place", b"\xa9too": "the software", b"\xa9swr": "the software",
    b"\xa9enc": "the software", b"\xa9nam": "a title", b"\xa9ART": "the artist", b"\xa9aut": "the author",
    b"auth": "the author", b"\xa9day": "a date", b"date": "a date", b"\xa9mak": "the camera's maker",
    b"\xa9mod": "the camera's model", b"\xa9cmt": "a comment", b"\xa9des": "a description", b"desc": "a description",
    b"\xa9inf": "a description", b"\xa9cpy": "a copyright notice", b"cprt": "a copyright notice", b"covr": "a cover",
    b"chpl": "chapters", b"XMP_": "XMP", b"meta": "metadata", b"thmb": "a thumbnail", b"CNTH": "Canon's thumbnail",
    b"hinf": "hints", b"name": "a name", b"\xa9alb": "an album", b"\xa9gen": "a genre", b"\xa9lyr": "lyrics",
}  # fmt: skip


def leaves(data: Data, box: Box) -> list[Leak]:
    """Leaks of a header that holds no boxes of its own, or only what is examined here."""
    found = list(_CHECKS[box.kind](data, box)) if box.kind in _CHECKS else []
    sizes = _LENGTHS.get(box.kind, (box.size,))
    if box.size not in sizes:
        found.append(Leak(f"a box '{_name(box)}' of another size than it should have", box.start, box.size))
    rows = _ROWS.get(box.kind)
    if rows:
        found += _slack(data, box, box.load + 8 + rows * number(data, box.load + 4, 4))
    return found


def _slack(data: Data, box: Box, end: int) -> list[Leak]:
    if end < box.end and not blank(data, end, box.end):
        return [Leak(f"bytes after the end of a table '{_name(box)}'", end, box.end - end)]
    return []


def _name(box: Box) -> str:
    return printable(box.kind)


# --- dates, languages, names ------------------------------------------------------------------------------------------


def _dates(data: Data, box: Box) -> Iterator[Leak]:
    width = 8 if data[box.load] == 1 else 4
    at = box.load + 4
    times = [number(data, at, width), number(data, at + width, width)]
    if any(times):
        said = ", ".join(_date(time) for time in dict.fromkeys(times) if time)
        yield Leak(f"a date in '{_name(box)}' ({said})", at, 2 * width)


def _date(seconds: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return f"{seconds} seconds"


def _media(data: Data, box: Box) -> Iterator[Leak]:
    yield from _dates(data, box)
    at = box.load + (32 if data[box.load] == 1 else 20)
    code = number(data, at, 2)
    # 0x55C4 is "und"; of QuickTime's own codes 0 is the default (English) and 0x7FFF says nothing.
    if code not in (0x55C4, 0, 0x7FFF):
        letters = "".join(chr(0x60 + (code >> shift & 31)) for shift in (10, 5, 0)) if code >= 0x400 else str(code)
        yield Leak(f"a language ({letters})", at, 2)


def _handler(data: Data, box: Box) -> Iterator[Leak]:
    load = data[box.load + 24 : min(box.end, box.load + 24 + 1024)]
    pascal = load[:1] and load[0] == len(load.rstrip(b"\0")) - 1  # QuickTime counts, ISO ends with a zero
    name = (load[1:] if pascal else load).rstrip(b"\0")
    if not _HANDLERS.fullmatch(name) or box.size > 1024:
        yield Leak(f"the name of a handler ({printable(name)})", box.load + 24, box.end - box.load - 24)


def _brands(data: Data, box: Box) -> Iterator[Leak]:
    brands = data[box.load : min(box.load + 4, box.end)] + data[box.load + 8 : box.end]
    if box.size > 256 or not re.fullmatch(rb"(?:[ -~]{4}|\0{4})*", brands):
        yield Leak("a list of brands that holds something else", box.start, box.size)


def _references(data: Data, box: Box) -> Iterator[Leak]:
    """Data references (dref): every track's bytes must be in this file."""
    for entry in few(data, box.load + 8, box.end):
        if not number(data, entry.load + 1, 3) & 1 or entry.size > 12:
            said = printable(data[entry.load + 4 : entry.end].strip(b"\0"))
            yield Leak(f"a reference to another file ({said})", entry.start, entry.size)


# --- sample descriptions ----------------------------------------------------------------------------------------------


def descriptions(data: Data, box: Box, *, sound: bool) -> Iterator[Leak]:
    """Leaks of the sample descriptions (stsd) of a track of pictures or sound."""
    for entry in few(data, box.load + 8, box.end):
        if not sound and entry.size >= 86:
            length = data[entry.load + 42]
            name = data[entry.load + 43 : entry.load + 43 + min(length, 31)]
            if not _COMPRESSORS.fullmatch(name.rstrip(b"\0").decode("latin-1")) or length > 31:
                yield Leak(f"the name of a compressor ({printable(name)})", entry.load + 42, 32)
        end = entry.load + _head(data, entry, sound=sound)
        for inner in few(data, end, entry.end):
            if inner.kind not in _ENTRY:
                yield Leak(f"a box '{_name(inner)}' in a sample description", inner.start, inner.size)
            else:
                yield from leaves(data, inner)
            end = inner.end
        if end < entry.end and not blank(data, end, entry.end):
            yield Leak("bytes after the end of a sample description", end, entry.end - end)


def _head(data: Data, entry: Box, *, sound: bool) -> int:
    """Bytes of a sample description before its boxes; of sound it depends on QuickTime's version."""
    return {1: 44, 2: 64}.get(number(data, entry.load + 8, 2), 28) if sound else 78


def sound_unit(data: Data, entry: Box) -> tuple[int, int]:
    """(bytes, samples): how many bytes a number of sound samples takes, where their table gives the size 1."""
    version, channels, bits = (number(data, entry.load + at, 2) for at in (8, 16, 18))
    if version == 1:
        per_packet, bytes_per_frame = number(data, entry.load + 28, 4), number(data, entry.load + 36, 4)
        if per_packet and bytes_per_frame:
            return bytes_per_frame, per_packet
    return max(1, channels * bits // 8), 1


# --- user data and metadata -------------------------------------------------------------------------------------------


def _user_data(data: Data, box: Box) -> Iterator[Leak]:
    end = box.load
    for inner in few(data, box.load, box.end):
        end = inner.end
        if inner.kind == b"meta":
            yield from metadata(data, inner)
        else:
            yield from _tag(data, inner, inner.kind)
    if end < box.end and not blank(data, end, box.end):
        yield Leak("bytes after the end of user data", end, box.end - end)


def metadata(data: Data, box: Box) -> list[Leak]:
    """Leaks of a `meta` box that describes a film: one for each tag, by Apple's keys where it has them."""
    version = 0 if data[box.load + 4 : box.load + 8] == b"hdlr" else 4  # ISO's has a version, QuickTime's has none
    inside = within(data, box, version)
    keys = _keys(data, inside[b"keys"]) if b"keys" in inside else []
    found: list[Leak] = []
    for inner in few(data, box.load + version, box.end):
        if inner.kind == b"ilst":
            for item in few(data, inner.load, inner.end):
                place = int.from_bytes(item.kind)
                found += _tag(data, item, keys[place - 1] if 0 < place <= len(keys) else item.kind)
        elif inner.kind in (b"free", b"skip"):
            if not blank(data, inner.load, inner.end):
                found.append(Leak("data in padding", inner.load, inner.end - inner.load))
        elif inner.kind == b"hdlr":
            found += _handler(data, inner)
        elif inner.kind != b"keys":
            found.append(Leak(f"metadata '{_name(inner)}'", inner.start, inner.size))
    return found


def _keys(data: Data, box: Box) -> list[bytes]:
    return [data[inner.load : min(inner.end, inner.load + 256)] for inner in few(data, box.load + 8, box.end)]


def _tag(data: Data, box: Box, key: bytes) -> Iterator[Leak]:
    text = data[box.load : min(box.end, box.load + 4096)]
    inner = next(boxes(data, box.load, box.end), None)
    if inner is not None and inner.kind == b"data":
        text = data[inner.load + 8 : min(inner.end, inner.load + 4096)]
    elif key[:1] == b"\xa9":
        text = text[4:]  # QuickTime: a length and a language
    said = text.rstrip(b"\0")
    if key in (b"\xa9too", b"\xa9swr", b"\xa9enc") and TOOL.fullmatch(said.decode("latin-1")):
        return
    if key not in _TAGS and blank(data, box.load, box.end):
        return
    what = "the place (GPS)" if b"location" in key else _TAGS.get(key, f"metadata '{printable(key, 60)}'")
    yield Leak(f"{what} ({printable(said)})" if said[:1].isascii() and said else what, box.start, box.size)


_CHECKS: dict[bytes, Callable[[Data, Box], Iterator[Leak]]] = {
    b"ftyp": _brands, b"styp": _brands, b"mvhd": _dates, b"tkhd": _dates, b"mdhd": _media, b"hdlr": _handler,
    b"dref": _references, b"udta": _user_data,
}  # fmt: skip
