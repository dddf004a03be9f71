"""Whatever a file holds beside its picture, found by walking its container and by searching its bytes.

Written against the formats' standards and apart from the code that writes files: a check that shared the writer's
mistakes would prove nothing. It works on the output of any tool.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from faceveil.verify import bmff, bmp, dicom, gif, jpeg, matroska, plain, png, riff, tiff
from faceveil.verify.leak import SOUND, Data, Leak

_PICTURES: tuple[tuple[re.Pattern[bytes], Callable[[bytes], list[Leak]]], ...] = tuple(
    (re.compile(head, re.DOTALL), walker)
    for head, walker in (
        (rb".{128}DICM", dicom.carve),  # first: its preamble may pass for another format
        (rb"\xff\xd8\xff", jpeg.carve),
        (rb"\x89PNG\r\n\x1a\n", png.carve),
        (rb"RIFF....WEBP", riff.carve),
        (rb"GIF8[79]a", gif.carve),
        (rb"BM.{12}[\x0c\x28-\x7c]\0\0\0", bmp.carve),
        (rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]", tiff.carve),
        (rb"P[56]\s", plain.pnm),
        (rb"\xff\x4f\xff\x51", plain.codestream),
    )
)
_FILMS: tuple[tuple[re.Pattern[bytes], Callable[[Data], list[Leak]]], ...] = (
    (re.compile(rb"\x1a\x45\xdf\xa3"), matroska.carve),
    (
        re.compile(rb"....ftyp|\0\0\0\x0cjP  |....moov|....mdat|\0\0\0\x08(?:wide|free|skip)", re.DOTALL),
        bmff.carve,  # HEIF, AVIF and JPEG 2000 as well
    ),
)
"""Files that may be larger than the memory: their walkers read what they need."""

_EMBEDDED = (
    (re.compile(rb"\xff\xd8\xff[\xc0-\xc3\xc4\xdb\xe0-\xef\xfe]"), "a JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "a PNG"),
    (re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL), "a WebP"),
    (re.compile(rb"GIF8[79]a"), "a GIF"),
    (re.compile(rb"\0\0\0[\x10-\x80]ftyp(?!jp2 |jpx )[ -~]{4}"), "a HEIF, AVIF or MP4"),
    (re.compile(rb"Exif\0\0(?:II\x2a\0|MM\0\x2a)"), "EXIF"),
    (re.compile(rb"<x:xmpmeta|<\?xpacket"), "XMP"),
    (re.compile(rb"8BIM\x04[\x04\x09\x0c]"), "a Photoshop resource"),
)
_DICM = slice(128, 132)
_SOF = re.compile(rb"\xff[\xc0-\xc3]\0[\x0b\x0e\x11\x14]\x08")


def carve(data: Data, *, settings: bool = False, allow_sound: bool = False) -> list[Leak]:
    """Everything in a file that is neither picture nor on the allow-list, by offset; empty if it is clean.

    The allow-list: colour profile (ICC), resolution, orientation, and what the format needs to show the picture;
    with `settings`, the camera settings of `verify.settings` too.
    allow_sound: tracks of sound are on it; otherwise they are leaks, since a voice tells who speaks.
    """
    walk = _walker(data)
    leaks = [Leak("a container of unknown kind: only known signatures were searched", 0, 0)]
    if walk is not None:
        try:
            leaks = walk()
        except (IndexError, KeyError, OverflowError, ValueError) as error:
            leaks = [Leak(f"a damaged container ({type(error).__name__})", 0, len(data))]
    # What is damaged may claim more than there is.
    leaks = [replace(leak, size=max(0, min(leak.size, len(data) - leak.offset))) for leak in leaks]
    if allow_sound:
        leaks = [leak for leak in leaks if not leak.what.startswith(SOUND)]
    found = [*leaks, *(leak for leak in embedded(data, known=walk is not None) if not _inside(leak, leaks))]
    found = [leak for leak in found if not (settings and leak.setting)]
    return sorted(found, key=lambda leak: (leak.offset, leak.what))


def _walker(data: Data) -> Callable[[], list[Leak]] | None:
    """What examines a file, by its first bytes; None for a container of unknown kind."""
    for head, film in _FILMS:
        if head.match(data) and data[_DICM] != b"DICM":  # its preamble may pass for another format
            return partial(film, data)
    for head, picture in _PICTURES:
        if head.match(data):
            return partial(picture, data if isinstance(data, bytes) else data[:])
    return None


def embedded(data: Data, *, known: bool = False) -> list[Leak]:
    """Signatures of pictures and metadata anywhere but at the start of the file.

    known: the container was walked: its EXIF was read tag by tag, and the parts of a TIFF or a film may be JPEGs.
    """
    found = []
    parts: frozenset[int] | None = None if known else frozenset()
    for pattern, what in _EMBEDDED:
        if known and what == "EXIF":
            continue
        for match in pattern.finditer(data, 1):
            # Compressed data holds any four bytes by chance: a JPEG must have a frame header too.
            if what == "a JPEG" and not _SOF.search(data, match.start(), match.start() + (1 << 17)):
                continue
            parts = _parts(data) if parts is None else parts
            if match.start() in parts:
                continue
            found.append(Leak(f"{what} inside the file", match.start(), match.end() - match.start()))
    return found


def _parts(data: Data) -> frozenset[int]:
    """Where pictures begin that are parts of this one: strips of a TIFF, frames of a DICOM or of a video."""
    if data[_DICM] == b"DICM":
        return dicom.parts(data if isinstance(data, bytes) else data[:])
    if data[:2] in (b"II", b"MM"):
        return tiff.parts(data if isinstance(data, bytes) else data[:])
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return matroska.pictures(data)
    return bmff.pictures(data) if data[4:8] in bmff.HEADS else frozenset()


def _inside(leak: Leak, others: list[Leak]) -> bool:
    """Whether a leak only repeats a larger one that was found by walking."""
    return any(
        other.size and other.offset <= leak.offset and leak.offset + leak.size <= other.offset + other.size
        for other in others
    )
