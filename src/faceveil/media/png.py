"""PNG: chunks are read and checked here, pixels are decoded by Pillow (8 bits) or OpenCV (16 bits).

The decoders get a file of the critical chunks alone, so that no text, time or profile chunk reaches them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.media import exif
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import cut_off, damaged, several
from faceveil.media.info import Info, trailer
from faceveil.media.pixels import from_pillow, layers, to_pillow, upright_dpi, upright_frame, upright_size
from faceveil.media.quiet import quiet
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_WANTED = (b"iCCP", b"pHYs", b"eXIf", b"acTL", b"fdAT")
_GREY, _ALPHA = (0, 4), (4, 6)  # colour types (PNG, 11.2.1)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # PNG, 8.2
_PIECE = 1 << 20  # bytes inflated at a time
_INCH = 0.0254  # metres
_PROFILE_CAP = 16 << 20  # bytes; the largest profiles in use have 3 MiB
_LEVEL = 3  # 12 MP photo: 0.97 s and 12.1 MB; level 1 0.64 s and 13.1 MB, level 6 2.69 s and 11.8 MB


@dataclass(slots=True)
class _PngFile:
    """The chunks of the picture as (start, stop), the useful ones among the others by type, and where it ends."""

    body: list[tuple[int, int]] = field(default_factory=list)
    types: list[bytes] = field(default_factory=list)
    extra: dict[bytes, bytes] = field(default_factory=dict)
    end: int = 0

    def picture(self, data: bytes) -> bytes:
        view = memoryview(data)
        return b"".join([_SIGNATURE, *(view[a:b] for a, b in self.body)])


def _read(data: bytes) -> _PngFile:
    """All chunks up to IEND. A wrong check sum is damage in the picture's chunks and makes others count as absent."""
    found, at, view = _PngFile(), len(_SIGNATURE), memoryview(data)
    while not found.end:
        if at + 12 > len(data):
            cut_off()
        kind, stop = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if stop > len(data):
            cut_off()
        sound = zlib.crc32(view[at + 4 : stop - 4]) == int.from_bytes(data[stop - 4 : stop], "big")
        if kind in _PICTURE:
            if not sound:
                damaged()
            found.body.append((at, stop))
            found.types.append(kind)
        elif kind in _WANTED and sound:
            found.extra.setdefault(kind, data[at + 8 : stop - 4])
        found.end = stop if kind == b"IEND" else 0
        at = stop
    start, stop = found.body[0]
    if found.types[0] != b"IHDR" or stop - start != 25 or b"IDAT" not in found.types:
        damaged()
    return found


def probe(data: bytes) -> Info:
    """The description from the chunks; IDAT is checked but not inflated."""
    file = _read(data)
    start = file.body[0][0] + 8
    width, height = int.from_bytes(data[start : start + 4], "big"), int.from_bytes(data[start + 4 : start + 8], "big")
    depth, colour = data[start + 8], data[start + 9]
    frames = int.from_bytes(file.extra.get(b"acTL", b"\x00\x00\x00\x01")[:4], "big")
    if frames > 1 or b"fdAT" in file.extra:  # one frame beside a default picture are two pictures
        raise several(f"is an animated PNG with {frames} frame{'s' if frames > 1 else ' and a default picture'}")
    turn = exif.orientation(exif.numbers(file.extra.get(b"eXIf", b"")))
    grey, clear = colour in _GREY, b"tRNS" in file.types
    icc, notes = fitting(_profile(file.extra.get(b"iCCP", b"")), grey=grey)
    width, height = upright_size(width, height, turn)
    dpi = upright_dpi(_dpi(file.extra.get(b"pHYs", b"")), turn)
    bits = 16 if depth == 16 else 8
    info = Info("PNG", width, height, turn, icc, dpi, bits, grey, colour in _ALPHA or clear, notes=notes)
    return info.noting(*trailer(len(data) - file.end))


def _expect_rows(file: _PngFile, data: bytes) -> None:
    """Raise where the image data inflate to less than the picture: Pillow would leave the rest black."""
    start = file.body[0][0] + 8
    width, height = int.from_bytes(data[start : start + 4], "big"), int.from_bytes(data[start + 4 : start + 8], "big")
    bits = data[start + 8] * _CHANNELS.get(data[start + 9], 0)
    passes = _ADAM7 if data[start + 12] else ((0, 0, 1, 1),)
    sizes = (((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in passes)
    missing = sum(h * (1 + (w * bits + 7) // 8) for w, h in sizes if w > 0 and h > 0)
    inflate, view = zlib.decompressobj(), memoryview(data)
    for (a, b), kind in zip(file.body, file.types, strict=True):
        rest: bytes | memoryview = view[a + 8 : b - 4] if kind == b"IDAT" else b""
        while rest and missing > 0:
            missing -= len(inflate.decompress(rest, _PIECE))
            rest = inflate.unconsumed_tail
    if missing > 0:
        cut_off()


def _profile(chunk: bytes) -> bytes:
    """The profile in an iCCP chunk: name, zero, method zero, deflated bytes. Empty if it cannot be inflated."""
    _, _, packed = chunk.partition(b"\x00")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed[1:], _PROFILE_CAP)
    except zlib.error:
        return b""
    return profile if inflate.eof else b""


def _dpi(chunk: bytes) -> tuple[float, float] | None:
    if len(chunk) != 9 or chunk[8] != 1:
        return None
    x, y = int.from_bytes(chunk[:4], "big"), int.from_bytes(chunk[4:8], "big")
    return (x * _INCH, y * _INCH) if x and y else None


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame, of 16 bits where the file has 16."""
    file = _read(data)
    _expect_rows(file, data)
    clean = file.picture(data)
    del data
    if info.bits == 16:
        yield upright_frame(*decode16(clean), info.orientation)
        return
    from PIL import PngImagePlugin  # noqa: PLC0415

    with PngImagePlugin.PngImageFile(BytesIO(clean)) as image:
        image.load()
        pixels, alpha = from_pillow(image)
    yield upright_frame(pixels, alpha, info.orientation)


def decode16(data: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """Pixels (H, W, 3) and alpha of a 16-bit PNG or TIFF; Pillow would cut colours to 8 bits."""
    import cv2  # noqa: PLC0415

    with quiet():
        stored: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        damaged()
    if stored.ndim == 2:
        return np.repeat(stored[..., None], 3, axis=2), None
    pixels = np.ascontiguousarray(stored[..., 2::-1])
    return pixels, np.ascontiguousarray(stored[..., 3]) if stored.shape[2] == 4 else None


def encode(frame: Frame, info: Info) -> bytes:
    """A PNG of L, LA, RGB or RGBA, 8 or 16 bits as the frame has, with the profile and resolution of `info`."""
    if frame.pixels.dtype == np.uint16:
        encoded, grey = _encode16(frame, info)
    else:
        image, out = to_pillow(frame, grey=info.grey, alpha=frame.alpha is not None), BytesIO()
        image.save(out, "PNG", compress_level=_LEVEL)
        encoded, grey = out.getvalue(), image.mode[0] == "L"
    file, icc, chunks = _read(encoded), kept(info.icc, grey=grey), b""
    if icc:
        chunks += _chunk(b"iCCP", b"ICC\x00\x00" + zlib.compress(icc))
    if info.dpi:
        x, y = (min(2**31 - 1, max(1, round(v / _INCH))) for v in info.dpi)
        chunks += _chunk(b"pHYs", x.to_bytes(4, "big") + y.to_bytes(4, "big") + b"\x01")
    clean = file.picture(encoded)
    return clean[:33] + chunks + clean[33:]  # signature and IHDR take 33 bytes


def _encode16(frame: Frame, info: Info) -> tuple[bytes, bool]:
    import cv2  # noqa: PLC0415

    array = layers(frame, grey=info.grey and frame.alpha is None, alpha=True)  # OpenCV writes no grey with alpha
    order = [*range(array.shape[2])][:3][::-1] + [3] * (array.shape[2] == 4)
    done, encoded = cv2.imencode(".png", array[..., order], [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])
    if not done:
        raise ValueError("16-bit PNG encoder")
    return encoded.tobytes(), array.shape[2] == 1


def _chunk(kind: bytes, load: bytes) -> bytes:
    return len(load).to_bytes(4, "big") + kind + load + zlib.crc32(kind + load).to_bytes(4, "big")
