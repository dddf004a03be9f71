"""The segments of a JPEG file (ITU-T T.81, annex B): what is in it, where it ends, and how to put one together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from faceveil.media import exif
from faceveil.media.camera import Settings
from faceveil.media.faults import cut_off, damaged

_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker; 00 is a stuffed byte, D0-D7 are restarts
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15
_LONE = frozenset((0x00, 0x01, *range(0xD0, 0xD8)))  # no segment follows; between segments they are junk
_PICTURE = _FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDD, 0xEE}  # what a decoder needs; EE says what CMYK and RGB mean
PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
LOSSLESS = frozenset((0xC3, 0xC7, 0xCB, 0xCF))

_ICC, _EXIF, _MPF = b"ICC_PROFILE\x00", b"Exif\x00\x00", b"MPF\x00"
_MPF_COUNT = 0xB001  # CIPA DC-007, table 3: number of images

# Natural position of each zigzag index (T.81, figure 5).
ZIGZAG = tuple(sorted(range(64), key=lambda k: (k // 8 + k % 8, (k % 8, k // 8)[(k // 8 + k % 8) % 2])))


@dataclass(slots=True)
class JpegFile:
    """What was found. Tables are in natural order; `components` are (horizontal, vertical sampling, table number)."""

    marker: int = 0
    precision: int = 0
    width: int = 0
    height: int = 0
    components: tuple[tuple[int, int, int], ...] = ()
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    huffman: list[bytes] = field(default_factory=list)
    dpi: tuple[float, float] | None = None
    exif: dict[int, float] = field(default_factory=dict)
    exif_block: bytes = b""
    profile: dict[int, bytes] = field(default_factory=dict)
    profile_parts: int = 0
    jfif: bool = False
    pictures: int = 1
    scans: int = 0
    body: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0

    @property
    def icc(self) -> bytes:
        """The profile, put together; empty if a part is missing."""
        wanted = range(1, self.profile_parts + 1)
        return b"".join(self.profile[i] for i in wanted) if set(wanted) <= set(self.profile) else b""

    def picture(self, data: bytes) -> bytes:
        """A JPEG of what the decoder needs, without metadata, comments and junk between segments.

        Whether it has a JFIF header stays: where there is one, three components are Y Cb Cr, whatever else says RGB.
        """
        view, head = memoryview(data), _jfif(None) if self.jfif else b""
        return b"".join([b"\xff\xd8", head, *(view[a:b] for a, b in self.body), b"\xff\xd9"])


def read(data: bytes) -> JpegFile:
    """Walk all segments up to the end marker. Raises `UnreadableError` if there is none or a segment is cut off."""
    found, at = JpegFile(), 2
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) - 1 and data[at + 1] == 0xFF:
            at += 1
        if at < 0 or at + 2 > len(data):
            cut_off()
        marker, start = data[at + 1], at
        at += 2
        if marker == 0xD9:
            found.end = at
            break
        if marker in _LONE:
            continue
        stop = at + int.from_bytes(data[at : at + 2], "big")
        if stop > len(data):
            cut_off()
        if stop < at + 2 or marker == 0xD8:
            damaged()
        _note(found, marker, data[at + 2 : stop])
        if marker == 0xDA:
            after = _END_OF_SCAN.search(data, stop)
            stop = after.start() if after else len(data)
            found.scans += 1
        if marker in _PICTURE:
            found.body.append((start, stop))
        at = stop
    if not found.components or not found.scans:
        damaged()
    return found


def _note(found: JpegFile, marker: int, load: bytes) -> None:
    if marker in _FRAMES:
        if found.components or len(load) < 6 or len(load) < 6 + 3 * load[5]:
            damaged()
        found.marker, found.precision = marker, load[0]
        found.height, found.width = int.from_bytes(load[1:3], "big"), int.from_bytes(load[3:5], "big")
        parts = (load[6 + 3 * i : 9 + 3 * i] for i in range(load[5]))
        found.components = tuple((p[1] >> 4, p[1] & 15, p[2]) for p in parts)
    elif marker == 0xDB:
        _tables(found, load)
    elif marker == 0xC4:
        found.huffman.append(load)
    elif marker == 0xE0 and load.startswith(b"JFIF\x00") and len(load) >= 12:
        x, y = int.from_bytes(load[8:10], "big"), int.from_bytes(load[10:12], "big")
        scale = {1: 1.0, 2: 2.54}.get(load[7])
        found.jfif = True
        found.dpi = (x * scale, y * scale) if scale and x and y else None
    elif marker == 0xE1 and load.startswith(_EXIF) and not found.exif:
        found.exif, found.exif_block = exif.numbers(load, len(_EXIF)), load[len(_EXIF) :]
    elif marker == 0xE2 and load.startswith(_ICC) and len(load) > 14:
        found.profile.setdefault(load[12], load[14:])
        found.profile_parts = load[13]
    elif marker == 0xE2 and load.startswith(_MPF):
        found.pictures = max(1, int(exif.numbers(load, len(_MPF)).get(_MPF_COUNT, 1)))


def _tables(found: JpegFile, load: bytes) -> None:
    at = 0
    while at < len(load):
        wide, number = load[at] >> 4, load[at] & 15
        size = 128 if wide else 64
        values = load[at + 1 : at + 1 + size]
        if len(values) < size:
            damaged()
        zigzag = [int.from_bytes(values[i : i + 2], "big") for i in range(0, 128, 2)] if wide else list(values)
        table = [0] * 64
        for place, value in zip(ZIGZAG, zigzag, strict=True):
            table[place] = value
        found.tables[number] = tuple(table)
        at += 1 + size


def assemble(
    encoded: bytes,
    icc: bytes,
    dpi: tuple[float, float] | None,
    orientation: int = 1,
    settings: Settings = (),
    *,
    rgb: bool = False,
) -> bytes:
    """The encoder's picture with our own JFIF header and the profile, and none of the encoder's other segments.

    orientation: written into an EXIF segment, unless it is 1; settings: of the camera, likewise. dpi: of the picture as
    stored.
    rgb: its components are R, G and B. That is said by Adobe's segment, which stays, and JFIF would contradict it; so
    the resolution stands in EXIF too.
    """
    tags = exif.block(orientation, dpi if rgb else None, settings)
    parts = [icc[i : i + 65519] for i in range(0, len(icc), 65519)]  # a segment holds 65533 bytes, 14 are the header
    head = [] if rgb else [_jfif(dpi)]
    head += [_segment(0xE1, _EXIF + tags)] if tags else []
    head += [_segment(0xE2, _ICC + bytes([i, len(parts)]) + part) for i, part in enumerate(parts, 1)]
    file, view = read(encoded), memoryview(encoded)
    body = (view[a:b] for a, b in file.body if encoded[a + 1] != 0xEE or rgb)
    return b"".join([b"\xff\xd8", *head, *body, b"\xff\xd9"])


def _jfif(dpi: tuple[float, float] | None) -> bytes:
    x, y = (min(65535, max(1, round(v))) for v in dpi) if dpi else (1, 1)
    load = b"JFIF\x00\x01\x01" + bytes([1 if dpi else 0]) + x.to_bytes(2, "big") + y.to_bytes(2, "big") + b"\x00\x00"
    return _segment(0xE0, load)


def _segment(marker: int, load: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(load) + 2).to_bytes(2, "big") + load
