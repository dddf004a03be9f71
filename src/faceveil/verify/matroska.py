"""Matroska and WebM (RFC 9559, on EBML, RFC 8794): every element by allow-list, every byte accounted for."""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from faceveil.verify import bitstream
from faceveil.verify.leak import SOUND, TOOL, Data, Leak, Range, blank, printable

# Elements by identifier. Masters hold elements, numbers at most 8 bytes, data what the codec or the structure needs.
_HEAD, _SEGMENT, _CLUSTER, _TRACK, _TAGS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xAE, 0x1254C367
_MASTERS = frozenset((
    _HEAD, _SEGMENT, 0x114D9B74, 0x4DBB, 0x1549A966, 0x1654AE6B, 0xE0, 0x55B0, 0x55D0, 0x7670, 0xE1,
    _CLUSTER, 0xA0, 0x1C53BB6B, 0xBB, 0xB7,
))  # fmt: skip
_NUMBERS = frozenset((
    0x4286, 0x42F7, 0x42F2, 0x42F3, 0x4287, 0x4285,  # of the head
    0x53AB, 0x53AC, 0x2AD7B1, 0x4489,  # seeking, the scale of time, duration
    0xD7, 0x73C5, 0x83, 0xB9, 0x88, 0x55AA, 0x9C, 0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x23314F, 0x55EE, 0xAA,
    0x56AA, 0x56BB, 0x9A, 0x9D, 0x53B8, 0xB0, 0xBA, 0x54AA, 0x54BB, 0x54CC, 0x54DD, 0x54B0, 0x54BA, 0x54B2,
    0x54B3, 0x55B1, 0x55B2, 0x55B3, 0x55B4, 0x55B5, 0x55B6, 0x55B7, 0x55B8, 0x55B9, 0x55BA, 0x55BB, 0x55BC, 0x55BD,
    0x55D1, 0x55D2, 0x55D3, 0x55D4, 0x55D5, 0x55D6, 0x55D7, 0x55D8, 0x55D9, 0x55DA, 0x7671, 0x7673, 0x7674, 0x7675,
    0xB5, 0x78B5, 0x9F, 0x6264, 0x52F1,
    0xE7, 0xA7, 0xAB, 0x9B, 0xFA, 0xFB, 0x75A2,  # of clusters and blocks
    0xB3, 0xF7, 0xF1, 0xF0, 0xB2, 0x5378, 0xEA,  # of the index
))  # fmt: skip
_BLOCKS = (0xA3, 0xA1)
_TEXTS = {0x4282: "matroska|webm", 0x86: r"[VASDB]_[\w/.]+", 0x22B59C: "und", 0x22B59D: "und"}
_NAMES = {
    0x4282: "the kind of the file", 0x86: "a codec", 0x22B59C: "a language", 0x22B59D: "a language",
    0x4D80: "the software (MuxingApp)", 0x5741: "the software (WritingApp)", 0x7BA9: "a title", 0x4461: "a date",
    0x73A4: "an identifier of the file", 0x7384: "the file's name", 0x3CB923: "an identifier of another file",
    0x3C83AB: "another file's name", 0x3EB923: "an identifier of another file", 0x3E83BB: "another file's name",
    0x4444: "an identifier of a family of files", 0x6924: "chapters", 0x536E: "a track's name",
    0x258688: "a codec's name", 0x1941A469: "attachments", 0x1043A770: "chapters",
    0x75A1: "additions to a picture (BlockAdditions)", 0x41E4: "additions to pictures",
    0x53C0: "an alpha plane beside the pictures", 0x6D80: "packed or encrypted content",
    0x7672: "a projection's private data", 0x26B240: "the address of a codec", 0x3B4040: "the address of a codec",
    0xA4: "a codec's state", 0xE2: "operations on tracks",
}  # fmt: skip
_VOID, _CRC, _PRIVATE = 0xEC, 0xBF, 0x63A2
_TAG, _TARGETS, _SIMPLE, _TAG_NAME, _TAG_TEXT = 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
_TYPES = {
    1: "one more video track", 2: SOUND, 3: "one more video track", 17: "subtitles", 18: "a track of buttons",
    33: "a track of timed metadata",
}  # fmt: skip
_TOOLS = (0x4D80, 0x5741)
_TRAILER = "data after the end of the film"
_HEADS = 4096  # an EBML head has some 40 bytes; the segment follows it
_DURATION = re.compile(rb"\d\d:\d\d:\d\d\.\d{9}\0*")
_TOP = frozenset((_CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, _TAGS, 0x1941A469, 0x1043A770))
_MOST = 1 << 25  # elements: ten hours of film and sound have some 6 million
_DEPTH = 8
_FINDS = 10_000  # more are not listed


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its identifier with the marker, where it starts, where its load starts and where it ends.

    live: its size is not written, as in streams; it then reaches at most to `end`.
    """

    key: int
    start: int
    load: int
    end: int
    live: bool = False

    @property
    def size(self) -> int:
        """Bytes, its header included."""
        return self.end - self.start


@dataclass(slots=True)
class _Track:
    """One track. place: its entry. first: its first block. starts, sizes: of its coded pictures.

    total: bytes of all blocks. invisible, laced: how many pictures are never shown, or share a block.
    """

    place: Range
    first: Range | None = None
    kind: int = 0
    codec: bytes = b""
    setup: Range | None = None
    starts: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    total: int = 0
    invisible: int = 0
    laced: int = 0


@dataclass(slots=True)
class _Walk:
    leaks: list[Leak] = field(default_factory=list)
    tracks: dict[int, _Track] = field(default_factory=dict)
    count: int = 0

    def add(self, what: str, element: Element) -> None:
        self.leaks.append(Leak(what, element.start, element.size))


def carve(data: Data) -> list[Leak]:
    """Leaks of a Matroska or WebM file."""
    walk = _Walk()
    end = _level(data, Element(0, 0, 0, len(data)), walk, 0)
    if end < len(data):
        cut = data[end : end + 4] == _SEGMENT.to_bytes(4)
        walk.leaks.append(Leak("a film that is cut off" if cut else _TRAILER, end, len(data) - end))
    return walk.leaks + list(_track_leaks(data, walk))


def pictures(data: Data) -> frozenset[int]:
    """Where the coded pictures of all tracks begin."""
    walk = _Walk()
    _level(data, Element(0, 0, 0, len(data)), walk, 0)
    return frozenset(start for track in walk.tracks.values() for start in track.starts)


def element_at(data: Data, at: int, end: int) -> Element | None:
    """The element that begins at a place; None where none fits before `end`."""
    first = data[at] if at < end else 0
    wide = 9 - first.bit_length()
    mark = data[at + wide] if first and at + wide < end else 0
    length = 9 - mark.bit_length()
    load = at + wide + length
    if not mark or wide > 4 or load > end:
        return None
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(data[at + wide : load]) & unknown
    if size == unknown:
        return Element(int.from_bytes(data[at : at + wide]), at, load, end, live=True)
    return Element(int.from_bytes(data[at : at + wide]), at, load, load + size) if load + size <= end else None


def _level(data: Data, outer: Element, walk: _Walk, depth: int) -> int:
    """Walk the elements inside another; gives where it ends, which a live one does not say."""
    at = outer.load
    while at < outer.end:
        element = element_at(data, at, outer.end)
        if element is None or (outer.live and depth > 1 and element.key in _TOP):
            break
        walk.count += 1
        if depth > _DEPTH or walk.count > _MOST or len(walk.leaks) > _FINDS:
            walk.leaks.append(Leak("more elements than a film has", at, outer.end - at))
            return outer.end
        if element.key in (_HEAD, _SEGMENT) and (depth or at > (0 if element.key == _HEAD else _HEADS)):
            walk.add("a second film", element)
        at = _element(data, element, outer, walk, depth)
    if at < outer.end and depth and not outer.live:
        walk.leaks.append(Leak("bytes between the parts of the film", at, outer.end - at))
        return outer.end
    return at


def _element(data: Data, element: Element, outer: Element, walk: _Walk, depth: int) -> int:
    """One element; gives its end."""
    key = element.key
    if key in _BLOCKS:
        _block(data, element, walk)
    elif key in _MASTERS:
        return _level(data, element, walk, depth + 1)
    elif key == _TRACK:
        _open_track(data, element, walk)
    elif key == _TAGS:
        _tags(data, element, walk)
    elif key == _VOID:
        if not blank(data, element.load, element.end):
            walk.leaks.append(Leak("data in padding", element.load, element.end - element.load))
    elif key == _CRC:
        if not _fits(data, element, outer):
            walk.add("a checksum that does not fit", element)
    else:
        _leaf(data, element, walk)
    return element.end


def _leaf(data: Data, element: Element, walk: _Walk) -> None:
    """A number, a text or data: allowed, or named."""
    key, load = element.key, data[element.load : min(element.end, element.load + 4096)]
    text = load.rstrip(b"\0").decode("utf-8", "replace")
    if key in _NUMBERS:
        if len(load) > 8:
            walk.add(f"a number of {element.end - element.load} bytes (0x{key:X})", element)
    elif key in _TEXTS or key in _TOOLS:
        wanted = TOOL if key in _TOOLS else re.compile(_TEXTS[key])
        if not wanted.fullmatch(text):
            walk.add(f"{_NAMES[key]} ({printable(load)})", element)
    elif key == 0x4461:
        date = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(load[:8], signed=True) // 1000)
        walk.add(f"a date ({date:%Y-%m-%d %H:%M:%S})", element)
    elif key in (0x7BA9, 0x7384, 0x536E, 0x258688):
        walk.add(f"{_NAMES[key]} ({printable(load)})", element)
    elif key != _PRIVATE:
        walk.add(_NAMES.get(key, f"an unknown element (0x{key:X})"), element)


def _fits(data: Data, element: Element, outer: Element) -> bool:
    """Whether a checksum is that of the rest of what it stands in (RFC 8794, 11.3.1)."""
    if outer.live or element.end - element.load != 4:
        return False
    crc = 0
    for at in range(element.end, outer.end, 1 << 20):
        crc = zlib.crc32(data[at : min(at + (1 << 20), outer.end)], crc)
    return crc == int.from_bytes(data[element.load : element.end], "little")


# --- tracks -----------------------------------------------------------------------------------------------------------


def _open_track(data: Data, entry: Element, walk: _Walk) -> None:
    """A track's entry: pictures and sound are walked, anything else is named as a whole."""
    track, number, at = _Track((entry.start, entry.end)), 0, entry.load
    while (part := element_at(data, at, entry.end)) is not None:
        value = int.from_bytes(data[part.load : min(part.end, part.load + 8)])
        if part.key == 0xD7:
            number = value
        elif part.key == 0x83:
            track.kind = value
        elif part.key == 0x86:
            track.codec = data[part.load : min(part.end, part.load + 64)].rstrip(b"\0")
        elif part.key == _PRIVATE:
            track.setup = (part.load, part.end)
        at = part.end
    if number in walk.tracks:
        walk.add("a second track of one number", entry)
    walk.tracks.setdefault(number, track)
    if track.kind in (1, 2):
        _level(data, entry, walk, 2)


def _block(data: Data, element: Element, walk: _Walk) -> None:
    """A block (RFC 9559, 10): the number of its track, a time, flags, and what is coded."""
    first = data[element.load] if element.load < element.end else 0
    wide = 9 - first.bit_length()
    at = element.load + wide + 3
    if not first or at > element.end:
        walk.add("a block that is damaged", element)
        return
    number = int.from_bytes(data[element.load : element.load + wide]) & ((1 << 7 * wide) - 1)
    track, flags = walk.tracks.get(number), data[at - 1]
    if track is None:
        walk.add("a block of no track", element)
        return
    track.total += element.end - at
    track.first = track.first or (at, element.end)
    if track.kind == 1:
        track.starts.append(at)
        track.sizes.append(element.end - at)
        track.invisible += bool(flags & 8)
        track.laced += bool(flags & 6)


def _track_leaks(data: Data, walk: _Walk) -> Iterator[Leak]:
    """Tracks that are no part of the picture, and what rides in the coded pictures."""
    pictured = [track for track in walk.tracks.values() if track.kind == 1]
    for track in walk.tracks.values():
        if pictured[:1] == [track]:
            for count, what in ((track.invisible, "pictures that are never shown"), (track.laced, "laced pictures")):
                if count:
                    yield Leak(f"{what} ({count})", track.starts[0], 0)
            starts, sizes = (np.frombuffer(numbers, np.int64) for numbers in (track.starts, track.sizes))
            yield from bitstream.leaks(data, track.codec, starts, sizes, track.setup)
        else:
            what = _TYPES.get(track.kind, f"a track of type {track.kind}")
            start, end = track.first or track.place
            yield Leak(f"{what} ({printable(track.codec)}, {track.total} bytes in blocks)", start, end - start)


# --- tags -------------------------------------------------------------------------------------------------------------


def _tags(data: Data, tags: Element, walk: _Walk) -> None:
    """Tags: a track's duration and the name of the encoder are allowed, all else is named."""
    at, inside = tags.load, []
    while (element := element_at(data, at, tags.end)) is not None:
        if element.key == _TAG:
            at = element.load
        elif element.key in (_CRC, _VOID):
            at = _element(data, element, tags, walk, 3)
        else:
            inside.append(element)
            at = element.end
        if len(inside) > _FINDS:
            break
    if at < tags.end:
        walk.leaks.append(Leak("bytes between the parts of the film", at, tags.end - at))
    for element in inside:
        if element.key == _TARGETS:
            _targets(data, element, walk)
        elif element.key == _SIMPLE:
            _tag(data, element, walk)
        else:
            walk.add(f"an unknown element in tags (0x{element.key:X})", element)


def _targets(data: Data, targets: Element, walk: _Walk) -> None:
    at = targets.load
    while (element := element_at(data, at, targets.end)) is not None:
        if element.key not in (0x63C5, 0x63C4, 0x63C9, 0x63C6, 0x68CA) or element.end - element.load > 8:
            walk.add("a text in the targets of tags", element)
        at = element.end
    if at < targets.end:
        walk.leaks.append(Leak("bytes between the parts of the film", at, targets.end - at))


def _tag(data: Data, tag: Element, walk: _Walk) -> None:
    name = text = b""
    at, plain = tag.load, True
    while (element := element_at(data, at, tag.end)) is not None:
        load = data[element.load : min(element.end, element.load + 4096)]
        if element.key == _TAG_NAME:
            name = load
        elif element.key == _TAG_TEXT:
            text = load
        elif element.key not in (0x447A, 0x447B, 0x4484) or load.rstrip(b"\0") not in (b"und", b"\1", b""):
            plain = False  # a tag inside, or binary data
        at = element.end
    duration = name.upper() == b"DURATION" and _DURATION.fullmatch(text)
    encoder = name.upper() == b"ENCODER" and TOOL.fullmatch(text.rstrip(b"\0").decode("latin-1"))
    if not plain or at < tag.end or not (duration or encoder):
        walk.add(f"a tag {printable(name)} ({printable(text)})", tag)
