"""One PNG picture to and from pixels: Pillow for 8 bits, OpenCV for 16.

The decoders get a file of the critical chunks alone, so that no text, time or profile chunk reaches them.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.media import exif, png_file
from faceveil.media.colour import kept
from faceveil.media.faults import damaged
from faceveil.media.info import Info
from faceveil.media.pixels import from_pillow, layers, to_pillow
from faceveil.media.png_file import chunk
from faceveil.media.quiet import quiet
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Pixels

INCH = 0.0254  # metres
_LEVEL = 3  # 12 MP photo: 0.97 s and 12.1 MB; level 1 0.64 s and 13.1 MB, level 6 2.69 s and 11.8 MB


def unpack(clean: bytes, bits: int) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, as stored, of a file of critical chunks alone."""
    file = png_file.read(clean)
    png_file.expect_rows(file.loads(clean, b"IHDR")[0], file.loads(clean, b"IDAT"))
    if bits == 16:
        return decode16(clean)
    from PIL import PngImagePlugin  # noqa: PLC0415

    with PngImagePlugin.PngImageFile(BytesIO(clean)) as image:
        image.load()
        return from_pillow(image)


def decode16(data: bytes | bytearray) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
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


def pack(frame: Frame, *, grey: bool) -> tuple[bytes, bool]:
    """A PNG of critical chunks alone, and whether it is grey; it is only if that is wanted and the pixels are."""
    if frame.pixels.dtype == np.uint16:
        encoded, grey = _encode16(frame, grey=grey)
    else:
        image, out = to_pillow(frame, grey=grey, alpha=frame.alpha is not None), BytesIO()
        image.save(out, "PNG", compress_level=_LEVEL)
        encoded, grey = out.getvalue(), image.mode[0] == "L"
    return png_file.read(encoded).picture(encoded), grey


def _encode16(frame: Frame, *, grey: bool) -> tuple[bytes, bool]:
    import cv2  # noqa: PLC0415

    array = layers(frame, grey=grey and frame.alpha is None, alpha=True)  # OpenCV writes no grey with alpha
    order = [*range(array.shape[2])][:3][::-1] + [3] * (array.shape[2] == 4)
    done, encoded = cv2.imencode(".png", array[..., order], [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])
    if not done:
        raise ValueError("16-bit PNG encoder")
    return encoded.tobytes(), array.shape[2] == 1


def described(info: Info, *, grey: bool) -> bytes:
    """The chunks of profile, resolution and camera settings."""
    icc, chunks = kept(info.icc, grey=grey), b""
    if icc:
        chunks += chunk(b"iCCP", b"ICC\x00\x00" + zlib.compress(icc))
    if info.dpi:
        x, y = (min(2**31 - 1, max(1, round(v / INCH))) for v in info.dpi)
        chunks += chunk(b"pHYs", x.to_bytes(4, "big") + y.to_bytes(4, "big") + b"\x01")
    if info.camera:
        chunks += chunk(b"eXIf", exif.block(1, settings=info.camera))
    return chunks
