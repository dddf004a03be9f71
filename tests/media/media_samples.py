"""Pictures of our own making: every format and mode, turned eight ways, with metadata that must not survive."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

WIDTH, HEIGHT = 64, 48  # whole MCUs in both directions, also when turned
TAGGED = ("JPEG", "PNG", "WebP", "TIFF", "HEIC", "AVIF")  # with a profile, and an orientation
FORMATS = (*TAGGED, "BMP", "GIF", "JPEG 2000", "PNM")
TOLERANCE = {
    "JPEG": 6,
    "WebP": 12,
    "HEIC": 8,
    "AVIF": 8,
    "GIF": 8,
    "JPEG 2000": 6,
}  # mean would hide a turned picture, so: 95th percentile
SRGB: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CANARY = b"CANARY"

_INVERSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture() -> NDArray[np.uint8]:
    """Smooth, coloured and different in all four corners."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([40 + 2 * x, 60 + 3 * y, 200 - x - y], axis=2).astype(np.uint8)
    rgb[:12, :16] = (230, 40, 40)
    return rgb


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The image as a camera would store it with this orientation."""
    return image if orientation == 1 else image.transpose(_INVERSE[orientation])


def exif(orientation: int) -> bytes:
    """A TIFF block: orientation and a description in the first directory, GPS, a thumbnail in the second."""
    text, gps, thumb = (
        CANARY + b"-EXIF-NAME\x00",
        CANARY + b"-GPS-PLACE\x00\x00",
        b"\xff\xd8" + CANARY + b"-THUMB\xff\xd9",
    )
    ifd0, ifd1, ifd_gps = 8, 8 + 2 + 3 * 12 + 4, 8 + 42 + 30
    data = ifd_gps + 18
    entries = struct.pack("<HHII", 0x010E, 2, len(text), data)
    entries += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    entries += struct.pack("<HHII", 0x8825, 4, 1, ifd_gps)
    block = struct.pack("<2sHI", b"II", 42, ifd0) + struct.pack("<H", 3) + entries + struct.pack("<I", ifd1)
    at = data + len(text) + len(gps)
    block += struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, at)
    block += struct.pack("<HHII", 0x0202, 4, 1, len(thumb)) + bytes(4)
    block += struct.pack("<H", 1) + struct.pack("<HHII", 0x001B, 7, len(gps), data + len(text)) + bytes(4)
    return block + text + gps + thumb


def xmp() -> bytes:
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + CANARY + b"-XMP</x:xmpmeta>"


def make(form: str, mode: str = "RGB", orientation: int = 1, *, needles: bool = False, **options: Any) -> bytes:
    """One picture. `needles` plants metadata of every kind that the format has."""
    image = turned(Image.fromarray(picture()), orientation).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(turned(Image.fromarray(alpha()), orientation))
    if form == "HEIC":
        return heic(image, orientation, needles=needles, **options)
    out = BytesIO()
    tagged = orientation > 1 or needles
    if tagged and form == "TIFF":
        info: dict[int, Any] = {274: orientation}
        if needles:
            info |= {270: "CANARY-NAME", 700: xmp(), 33723: CANARY + b"-IPTC", 34377: CANARY + b"-8BIM"}
        options["tiffinfo"] = info
    elif tagged and form != "BMP":
        options["exif"] = (b"Exif\x00\x00" if form == "JPEG" else b"") + exif(orientation)
    if needles and form in ("JPEG", "WebP", "AVIF"):
        options["xmp"] = xmp()
    if needles and form == "PNG":
        options["pnginfo"] = _texts()
    if needles and form == "JPEG":
        options["comment"] = CANARY + b"-COMMENT"
    if form in ("WebP", "JPEG"):
        options.setdefault("quality", 95)
    if form == "BMP" and mode == "RGBA":
        return bmp_alpha(image)
    image.save(out, {"JPEG 2000": "JPEG2000", "PNM": "PPM"}.get(form, form.upper()), **options)
    data = out.getvalue()
    if needles and form in _PLANT:
        data = _PLANT[form](data)
    if needles and form == "JPEG":
        iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x0bCANARY-IPTC\x00"
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:]
    return data + (trailer(form) if needles else b"")


def gif_extension(label: int, *blocks: bytes) -> bytes:
    """An extension of a GIF with its sub-blocks."""
    return bytes([0x21, label]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00"


def _gif_needles(data: bytes) -> bytes:
    """A comment, an XMP packet as Adobe hides it (text that reads as sub-blocks) and plain text before the image."""
    at = 13 + (3 << (data[10] & 7) + 1) * (data[10] >> 7)
    magic = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
    adobe = b"\x21\xff\x0bXMP DataXMP" + xmp() + magic
    plain = gif_extension(0x01, bytes(12), CANARY + b"-PLAIN")
    return data[:at] + gif_extension(0xFE, CANARY + b"-COMMENT") + adobe + plain + data[at:]


def _jp2_needles(data: bytes) -> bytes:
    """Boxes of XML and of a UUID, and a comment in the codestream."""
    packet, uuid = xmp(), bytes(16) + CANARY + b"-UUID"
    boxes = b"".join(struct.pack(">I", 8 + len(load)) + kind for kind, load in ((b"xml ", packet),)) + packet
    boxes += struct.pack(">I", 8 + len(uuid)) + b"uuid" + uuid
    at = data.index(b"jp2c") - 4
    cod = data.index(b"\xff\x52")
    note = b"\xff\x64" + struct.pack(">HH", 4 + len(CANARY), 1) + CANARY
    return data[:at] + boxes + bytes(4) + b"jp2c" + data[at + 8 : cod] + note + data[cod:] + boxes


def _pnm_needles(data: bytes) -> bytes:
    """A comment in the header."""
    return data[:3] + b"# by " + CANARY + b"\n" + data[3:]


_PLANT = {"GIF": _gif_needles, "JPEG 2000": _jp2_needles, "PNM": _pnm_needles}


def trailer(form: str) -> bytes:
    """Bytes behind the picture, as trailers and second pictures stand there; none where they would be part of it."""
    return b"" if form in ("TIFF", "BMP", "JPEG 2000") else b"\xff\xd8\xff\xe0" + CANARY + b"-TRAILER\xff\xd9"


def alpha() -> NDArray[np.uint8]:
    """Opaque on the left, half transparent on the right."""
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[:, WIDTH // 2 :] = 128
    return mask


def bmp_alpha(image: Image.Image) -> bytes:
    """A BMP whose header says where its alpha is, in 56 bytes (BITMAPV3INFOHEADER), top row first."""
    load = np.asarray(image)[..., [2, 1, 0, 3]].tobytes()
    head = struct.pack("<IiiHHIIiiII", 56, image.width, -image.height, 1, 32, 3, len(load), 3780, 3780, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return struct.pack("<2sIII", b"BM", 70 + len(load), 0, 70) + head + load


def heic(image: Image.Image, orientation: int, *, needles: bool, icc_profile: bytes = b"") -> bytes:
    file, out = pillow_heif.from_pillow(image), BytesIO()
    if icc_profile:
        file.info["icc_profile"], file.info["icc_profile_type"] = icc_profile, "prof"
    meta = exif(orientation) if orientation > 1 or needles else None
    file.save(out, quality=95, chroma=444, exif=meta, xmp=xmp() if needles else None)
    return out.getvalue() + (trailer("HEIC") if needles else b"")


def _texts() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "CANARY-TEXT")
    info.add_text("Comment", "CANARY-ZTEXT", zip=True)
    info.add_itxt("XML:com.adobe.xmp", xmp().decode())
    info.add(b"prVt", CANARY + b"-PRIVATE", after_idat=True)
    return info


def chunk(kind: bytes, load: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(load)) + kind + load + struct.pack(">I", zlib.crc32(kind + load))


def tiff16(pixels: NDArray[np.uint16], orientation: int = 1, **tags: int) -> bytes:
    """An uncompressed 16-bit RGB TIFF; `tags` as t284=2."""
    height, width, channels = pixels.shape
    load = pixels.astype("<u2").tobytes()
    start = 8 + len(load)
    entries = {256: width, 257: height, 259: 1, 262: 2, 273: 8, 274: orientation, 277: channels, 278: height}
    entries |= {279: len(load)} | {int(k[1:]): v for k, v in tags.items()}
    packed = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items()}
    packed[258] = struct.pack("<HHII", 258, 3, channels, start + 2 + 12 * (len(packed) + 1) + 4)
    directory = b"".join(packed[tag] for tag in sorted(packed))
    tail = struct.pack("<H", len(packed)) + directory + bytes(4) + struct.pack(f"<{channels}H", *[16] * channels)
    return struct.pack("<2sHI", b"II", 42, start) + load + tail


def close(a: NDArray[Any], b: NDArray[Any], form: str) -> bool:
    """Whether two pictures are the same up to what the format's coding loses."""
    if a.shape != b.shape:
        return False
    difference = np.abs(a.astype(int) - b.astype(int))
    return bool(np.percentile(difference, 95) <= TOLERANCE.get(form, 0))
