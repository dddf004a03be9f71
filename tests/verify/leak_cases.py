"""Pictures with one side door each: the portrait, and a secret or a second face where tools forget to look.

Used by the leak test and by benchmarks/leaks.py. Each case is a file's name and its bytes. A secret is a text that
must not occur in the output's bytes; a second face must not be seen in any frame of it.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageSequence, PngImagePlugin

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
SECRET = b"Alice-Example-0815"


@dataclass(frozen=True)
class Case:
    """format: of the file. door: where the leak is. suffix: of the file's name."""

    format: str
    door: str
    suffix: str
    data: bytes

    @property
    def name(self) -> str:
        return f"{self.format} {self.door}".lower().replace(" ", "_").replace("/", "_") + self.suffix


@cache
def face(size: int = 320) -> Image.Image:
    """The portrait's upper part, one face."""
    return Image.open(PORTRAIT).convert("RGB").crop((60, 0, 380, 320)).resize((size, size))


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _thumbnail() -> bytes:
    """A small JPEG of the face with the secret as its comment."""
    return _saved(face(160), "JPEG", quality=60, comment=SECRET)


def _exif_with_thumbnail() -> bytes:
    """EXIF whose second directory is a thumbnail, with GPS, a name and a maker note in the first."""
    thumb, name = _thumbnail(), SECRET + b"\0"
    entries = 4
    after = 8 + 2 + entries * 12 + 4
    ifd1 = after + len(name)
    gps = ifd1 + 2 + 2 * 12 + 4
    maker = gps + 2 + 12 + 4
    block = b"II*\0" + struct.pack("<IH", 8, entries)
    block += struct.pack("<HHII", 271, 2, len(name), after)
    block += struct.pack("<HHIHH", 274, 3, 1, 1, 0)
    block += struct.pack("<HHII", 34665, 4, 1, maker)
    block += struct.pack("<HHII", 34853, 4, 1, gps) + struct.pack("<I", ifd1) + name
    note = maker + 2 + 12 + 4
    start = note + len(name)
    block += struct.pack("<HHHIIHHIII", 2, 513, 4, 1, start, 514, 4, 1, len(thumb), 0)
    block += struct.pack("<HHHII", 1, 29, 2, len(name), after) + bytes(4)
    block += struct.pack("<HHHII", 1, 37500, 7, len(name), note) + bytes(4) + name + thumb
    return block


def _exif() -> bytes:
    exif = Image.Exif()
    exif[315] = SECRET.decode()
    exif[306] = "2024:01:02 03:04:05 " + SECRET.decode()
    return exif.tobytes()


def _xmp() -> bytes:
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + SECRET + b"</x:xmpmeta>"


# --- JPEG ---------------------------------------------------------------------------------------------------------


def _segment(marker: int, load: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(load) + 2) + load


def _jpeg() -> Iterator[tuple[str, bytes]]:
    plain = _saved(face(), "JPEG", quality=92)

    def with_segment(marker: int, load: bytes) -> bytes:
        return plain[:2] + _segment(marker, load) + plain[2:]

    yield "EXIF thumbnail, GPS and maker note", with_segment(0xE1, b"Exif\0\0" + _exif_with_thumbnail())
    yield "XMP", with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _xmp())
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", len(_xmp()), 0) + _xmp()
    yield "extended XMP", with_segment(0xE1, extended)
    iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(SECRET)) + SECRET
    yield "IPTC", with_segment(0xED, iptc)
    resource = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\0\0" + struct.pack(">I", 28 + len(_thumbnail())) + bytes(28)
    yield "Photoshop thumbnail", with_segment(0xED, resource + _thumbnail())
    yield "comment", with_segment(0xFE, SECRET)
    yield "JFXX thumbnail", with_segment(0xE0, b"JFXX\0\x10" + _thumbnail())
    yield "private segment", with_segment(0xEC, b"Ducky" + SECRET)
    yield "content credentials", with_segment(0xEB, b"JP\0\1" + bytes(4) + SECRET)
    yield "second picture (MPF)", with_segment(0xE2, b"MPF\0II*\0" + SECRET) + _thumbnail()
    yield "second picture after the end", plain + _thumbnail()
    yield "motion photo", plain + struct.pack(">I4s4sI4s", 20, b"ftyp", b"mp42", 0, b"isom") + SECRET
    yield "text after the end", plain + SECRET
    gain = b"http://ns.adobe.com/xap/1.0/\0" + b"<x:xmpmeta>hdrgm:Version " + SECRET + b"</x:xmpmeta>"
    yield (
        "gain map",
        plain[:2] + _segment(0xE1, gain) + plain[2:] + _saved(face(160).convert("L"), "JPEG", comment=SECRET),
    )
    yield "progressive with EXIF", _saved(face(), "JPEG", progressive=True, exif=_exif())
    cmyk = _saved(face().convert("CMYK"), "JPEG", quality=92)
    yield "CMYK with comment", cmyk[:2] + _segment(0xFE, SECRET) + cmyk[2:]
    grey = _saved(face().convert("L"), "JPEG", quality=92)
    yield "grey with comment", grey[:2] + _segment(0xFE, SECRET) + grey[2:]
    for orientation in (3, 6, 8):
        exif = Image.Exif()
        exif[274], exif[315] = orientation, SECRET.decode()
        turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        stored = face().transpose(turn[orientation])
        yield f"orientation {orientation}", _saved(stored, "JPEG", quality=92, exif=exif)


# --- PNG ----------------------------------------------------------------------------------------------------------


def _chunk(kind: bytes, load: bytes) -> bytes:
    return struct.pack(">I", len(load)) + kind + load + struct.pack(">I", zlib.crc32(kind + load))


def _frames(n: int = 3) -> list[Image.Image]:
    """The face, moved a little in each frame."""
    pictures = []
    for i in range(n):
        canvas = Image.new("RGB", (360, 320), (40 * i, 90, 120))
        canvas.paste(face(), (20 * i, 0))
        pictures.append(canvas)
    return pictures


def _png() -> Iterator[tuple[str, bytes]]:
    plain = _saved(face(), "PNG")

    def with_chunk(kind: bytes, load: bytes) -> bytes:
        return plain[:33] + _chunk(kind, load) + plain[33:]

    yield "text", with_chunk(b"tEXt", b"Author\0" + SECRET)
    yield "compressed text", with_chunk(b"zTXt", b"Author\0\0" + zlib.compress(SECRET, 0))
    yield "XMP", with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _xmp())
    yield "EXIF thumbnail", with_chunk(b"eXIf", _exif_with_thumbnail())
    yield "private chunk", with_chunk(b"prVt", SECRET)
    yield "content credentials", with_chunk(b"caBX", SECRET)
    yield "text after the end", plain + SECRET
    yield "second picture after the end", plain + _thumbnail()
    frames = _frames()
    yield "animation", _saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100)
    hidden = Image.new("RGB", (360, 320), "teal")
    yield (
        "animation with a hidden first picture",
        _saved(frames[0], "PNG", save_all=True, append_images=[hidden, hidden], duration=100, default_image=True),
    )
    yield "transparent over the face", _saved(_transparent(), "PNG")
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", SECRET.decode())
    yield "palette with text", _saved(face().convert("P", palette=Image.Palette.ADAPTIVE), "PNG", pnginfo=info)
    yield "16 bits with text", _png16(_chunk(b"tEXt", b"Author\0" + SECRET))


def _transparent() -> Image.Image:
    """The face below alpha 0: invisible in a viewer, whole in the file."""
    picture = face().copy()
    alpha = np.full((320, 320), 255, np.uint8)
    alpha[20:240, 80:260] = 0
    picture.putalpha(Image.fromarray(alpha))
    return picture


def _png16(extra: bytes) -> bytes:
    pixels = np.asarray(face(), np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 320, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


# --- the others -----------------------------------------------------------------------------------------------------


def _webp() -> Iterator[tuple[str, bytes]]:
    yield "EXIF thumbnail", _saved(face(), "WEBP", quality=90, exif=_exif_with_thumbnail())
    yield "XMP", _saved(face(), "WEBP", quality=90, xmp=_xmp())
    yield "text after the end", _saved(face(), "WEBP", quality=90) + SECRET
    plain = bytearray(_saved(face(), "WEBP", quality=90, exif=_exif()))
    plain += b"PRVT" + struct.pack("<I", len(SECRET)) + SECRET
    struct.pack_into("<I", plain, 4, len(plain) - 8)
    yield "private chunk", bytes(plain)
    frames = _frames()
    yield "animation", _saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, quality=90)
    yield "transparent over the face", _saved(_transparent(), "WEBP", lossless=True, exact=True)


def _gif() -> Iterator[tuple[str, bytes]]:
    yield "comment", _saved(face(), "GIF", comment=SECRET)
    yield "text after the end", _saved(face(), "GIF") + SECRET
    frames = _frames()
    yield "animation", _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    plain = _saved(face(), "GIF")
    start = 13 + (3 << ((plain[10] & 7) + 1))
    block = b"!\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
    yield "XMP", plain[:start] + block + plain[start:]


def _tiff() -> Iterator[tuple[str, bytes]]:
    text = SECRET.decode()
    yield "names and dates", _saved(face(), "TIFF", tiffinfo={270: text, 315: text, 306: text, 33432: text})
    yield "XMP", _saved(face(), "TIFF", tiffinfo={700: _xmp()})
    yield "IPTC and Photoshop", _saved(face(), "TIFF", tiffinfo={33723: SECRET, 34377: SECRET})
    yield "text after the end", _saved(face(), "TIFF") + SECRET
    frames = _frames(2)
    yield "second page", _saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    yield "transparent over the face", _saved(_transparent(), "TIFF")


def _bmp() -> Iterator[tuple[str, bytes]]:
    plain = _saved(face(), "BMP")
    yield "text after the end", plain + SECRET
    gap = bytearray(plain[:54] + SECRET + plain[54:])
    struct.pack_into("<I", gap, 10, 54 + len(SECRET))
    yield "gap before the pixels", bytes(gap)


def _heic() -> Iterator[tuple[str, bytes]]:
    yield "EXIF thumbnail", _heif(exif=b"Exif\0\0" + _exif_with_thumbnail())
    yield "XMP", _heif(xmp=_xmp())
    yield "text after the end", _heif() + SECRET
    yield "second picture", _heif(more=True)
    yield "thumbnail", _heif(thumbnail=True)


def _heif(exif: bytes | None = None, xmp: bytes | None = None, *, more: bool = False, thumbnail: bool = False) -> bytes:
    file = pillow_heif.from_pillow(face())
    if more:
        file.add_from_pillow(face(256))
    if thumbnail:
        file[0].info["thumbnails"] = [128]
    out = io.BytesIO()
    file.save(out, quality=80, exif=exif, xmp=xmp)
    return out.getvalue()


def _avif() -> Iterator[tuple[str, bytes]]:
    yield "EXIF thumbnail", _saved(face(), "AVIF", exif=_exif_with_thumbnail())
    yield "XMP", _saved(face(), "AVIF", xmp=_xmp())
    yield "text after the end", _saved(face(), "AVIF") + SECRET
    frames = _frames()
    yield "animation", _saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=100)


_MAKERS: dict[str, tuple[str, Callable[[], Iterator[tuple[str, bytes]]]]] = {
    "JPEG": (".jpg", _jpeg),
    "PNG": (".png", _png),
    "WebP": (".webp", _webp),
    "GIF": (".gif", _gif),
    "TIFF": (".tif", _tiff),
    "BMP": (".bmp", _bmp),
    "HEIC": (".heic", _heic),
    "AVIF": (".avif", _avif),
}


@cache
def cases() -> tuple[Case, ...]:
    """All of them."""
    return tuple(Case(form, door, suffix, data) for form, (suffix, maker) in _MAKERS.items() for door, data in maker())


def frames_of(data: bytes) -> Iterator[Any]:
    """Every picture in a file as Pillow sees it, RGB (h, w, 3), colours below transparency included."""
    pillow_heif.register_heif_opener()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow doubts some of these files, and rightly
        image = Image.open(io.BytesIO(data))
    with image:
        for frame in ImageSequence.Iterator(image):
            if frame.mode in ("RGBA", "LA", "PA"):
                bands = frame.convert("RGBA")
                yield np.asarray(bands)[:, :, :3]
            else:
                yield np.asarray(frame.convert("RGB"))


def same_place(frame: Any) -> tuple[float, int]:
    """How much of the face still shows where it was: the best correlation over the places of all frames, and where.

    The frame is compared with the portrait's face at the offsets that `_frames` uses; other sizes count as different.
    """
    face_box = (slice(60, 175), slice(115, 215))
    wanted = np.asarray(face(), np.float32)[face_box].mean(axis=2)
    best, where = -1.0, 0
    for x in (0, 20, 40):
        part = np.asarray(frame, np.float32)[60:175, 115 + x : 215 + x].mean(axis=2)
        if part.shape != wanted.shape:
            continue
        a, b = wanted - wanted.mean(), part - part.mean()
        norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
        if norm > 1 and (value := float((a * b).sum()) / norm) > best:
            best, where = value, x
    return best, where
