"""WebP: the container (RFC 9649) is walked here, pixels are decoded and encoded by Pillow's libwebp."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from faceveil.errors import UnreadableError
from faceveil.media import exif
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import DAMAGED, cut_off, damaged, several
from faceveil.media.info import Info, WebpCoding, trailer
from faceveil.media.pixels import from_pillow, to_pillow, upright_frame, upright_size
from faceveil.types import Frame

_QUALITY = 90  # the file does not say its own; lossy pictures of the usual 75 to 90 gain no visible loss


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and load of all chunks inside RIFF. Raises where one is cut off."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        cut_off()
    at = 12
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            cut_off()
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def probe(data: bytes) -> Info:
    """The description from the chunks."""
    found: dict[bytes, bytes] = {}
    frames = 0
    for kind, load in _chunks(data):
        frames += kind == b"ANMF"
        found.setdefault(kind, load)
    if frames > 1:
        raise several(f"is an animated WebP with {frames} frames")
    width, height, alpha = _canvas(found)
    turn = exif.orientation(exif.numbers(found.get(b"EXIF", b"")))
    icc, notes = fitting(found.get(b"ICCP", b""), grey=False)
    width, height = upright_size(width, height, turn)
    coding = WebpCoding(lossless=b"VP8L" in found)
    info = Info("WebP", width, height, turn, icc, alpha=alpha, coding=coding, notes=notes)
    return info.noting(*trailer(len(data) - 8 - int.from_bytes(data[4:8], "little")))


def _canvas(found: dict[bytes, bytes]) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha."""
    if load := found.get(b"VP8X"):
        if len(load) < 10:
            damaged()
        width, height = (1 + int.from_bytes(load[i : i + 3], "little") for i in (4, 7))
        return width, height, bool(load[0] & 0x10)
    if (load := found.get(b"VP8L")) and len(load) >= 5 and load[0] == 0x2F:
        bits = int.from_bytes(load[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)
    if (load := found.get(b"VP8 ")) and len(load) >= 10 and load[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(load[i : i + 2], "little") & 0x3FFF for i in (6, 8))
        return width, height, False
    raise UnreadableError(DAMAGED)


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame."""
    from PIL import WebPImagePlugin  # noqa: PLC0415

    with WebPImagePlugin.WebPImageFile(BytesIO(data)) as image:
        del data
        image.load()
        pixels, alpha = from_pillow(image)
    yield upright_frame(pixels, alpha, info.orientation)


def encode(frame: Frame, info: Info) -> bytes:
    """A WebP, lossless where the source was. Detail under full transparency is not kept."""
    image, out = to_pillow(frame, alpha=frame.alpha is not None), BytesIO()
    lossless = isinstance(info.coding, WebpCoding) and info.coding.lossless
    image.save(out, "WEBP", lossless=lossless, quality=_QUALITY, exact=False, icc_profile=kept(info.icc, grey=False))
    return out.getvalue()
