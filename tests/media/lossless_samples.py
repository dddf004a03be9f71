"""JPEGs of every coding with needles in all places, and what is asserted of their lossless outputs."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import media_samples as samples
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

from faceveil import media
from faceveil.media import jpeg_file, turbojpeg
from faceveil.policy import JpegMode
from faceveil.types import Frame

KINDS = {"420": (16, 16), "422": (8, 16), "440": (16, 8), "411": (8, 32), "444": (8, 8), "grey": (8, 8), "rgb": (8, 8)}
"""Rows and columns of an MCU for each subsampling and colour space."""
WIDTH, HEIGHT = 133, 101  # no multiples of 8: the last MCUs are partly outside the picture


def photo(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Smooth and noisy, coloured, with saturated corners."""
    rng = np.random.default_rng(7)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)) + rng.normal(0, 5, (height, width, 1))
    picture[:20, :20], picture[-20:, -20:] = 0, 255
    return np.clip(picture, 0, 255).astype(np.uint8)


def made(kind: str = "420", *, progressive: bool = False, orientation: int = 1, quality: int = 88) -> bytes:
    """A JPEG that is stored with an orientation, and has needles in all places."""
    pixels = np.asarray(samples.turned(Image.fromarray(photo()), orientation))
    if kind == "rgb":
        out = BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=quality, keep_rgb=True, subsampling=0)
        data = out.getvalue()
    elif kind == "grey":
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels[..., :1]), quality, "GRAY")
    else:
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB", kind)
    if progressive:
        data = turbojpeg.transform(data, lambda *_: None, progressive=True)
    return needled(data, orientation)


def needled(data: bytes, orientation: int) -> bytes:
    """EXIF with a thumbnail, XMP, IPTC, a comment and a trailer, each with a canary."""
    loads = [
        (0xE1, b"Exif\x00\x00" + samples.exif(orientation)),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + samples.xmp()),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x06CANARY"),
        (0xFE, b"CANARY-COMMENT"),
    ]
    head = b"".join(bytes([0xFF, m]) + (len(load) + 2).to_bytes(2, "big") + load for m, load in loads)
    return data[:2] + head + data[2:] + samples.trailer("JPEG")


def area(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.bool_]:
    """An ellipse away from all grids, and a corner with partial MCUs; upright."""
    y, x = np.mgrid[:height, :width]
    flags = ((x - 51) / 27) ** 2 + ((y - 43) / 19) ** 2 < 1
    flags[height - 13 :, width - 21 :] = True
    return np.asarray(flags)


def painted(frame: Frame, where: NDArray[np.bool_], colour: Any = (70, 130, 90)) -> Frame:
    pixels = frame.pixels.copy()
    pixels[where] = colour
    return Frame(pixels)


def written(
    data: bytes, folder: Path, *, colour: Any = (70, 130, 90), jpeg: JpegMode = "lossless", info: Any = None
) -> tuple[bytes, tuple[str, ...]]:
    """The file that a sink makes, and its notes."""
    source = media.open(data)
    (frame,) = source
    where = area(frame.width, frame.height)
    with media.create(folder / "out.jpg", info or source.info, overwrite=True, source=source, jpeg=jpeg) as sink:
        sink.append(painted(frame, where, colour), where)
    return (folder / "out.jpg").read_bytes(), sink.notes


def upright(data: bytes) -> NDArray[np.int64]:
    """As another reader shows it."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)


def grown(flags: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Flags within `by` pixels of one that is set."""
    padded = np.pad(flags, by).cumsum(0).cumsum(1)
    padded = np.pad(padded, ((1, 0), (1, 0)))
    size = 2 * by + 1
    counts = padded[size:, size:] - padded[:-size, size:] - padded[size:, :-size] + padded[:-size, :-size]
    return np.asarray(counts > 0)


def psnr(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    return float(10 * np.log10(255**2 / max(float(((a - b) ** 2).mean()), 1e-9)))


def picture_of(data: bytes) -> bytes:
    return jpeg_file.read(data).picture(data)


def need_turbo() -> None:
    """Skip where libturbojpeg is absent, or fail where FACEVEIL_REQUIRE_SYSTEM is 1."""
    if not turbojpeg.available():
        reason = f"needs libturbojpeg: {turbojpeg.CURE}"
        if os.environ.get("FACEVEIL_REQUIRE_SYSTEM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def assert_coefficients(data: bytes, out: bytes, kind: str, orientation: int) -> None:
    rows, columns = KINDS[kind]
    stored = np.asarray(samples.turned(Image.fromarray(area()), orientation))
    units = [stored[y : y + rows] for y in range(0, len(stored), rows)]
    hit = np.array([[unit[:, x : x + columns].any() for x in range(0, unit.shape[1], columns)] for unit in units])
    old, new = (turbojpeg.coefficients(picture_of(file)) for file in (data, out))
    for before, after in zip(old, new, strict=True):
        assert before.shape == after.shape
        down, across = (-(-n // m) for n, m in zip(before.shape[:2], hit.shape, strict=True))
        mine = hit.repeat(down, 0).repeat(across, 1)[: before.shape[0], : before.shape[1]]
        assert np.array_equal(before[~mine], after[~mine])
        assert (before[mine] != after[mine]).any(axis=1).mean() > 0.5


def assert_pixels(before: NDArray[np.int64], after: NDArray[np.int64], colour: tuple[int, int, int]) -> None:
    where = area()
    far = ~grown(where, 34)  # the largest MCU and what interpolation of chroma adds
    assert far.sum() > 1500
    assert np.array_equal(before[far], after[far])
    assert psnr(before[~grown(where, 2)], after[~grown(where, 2)]) > 38  # beside the cover, in rewritten MCUs
    core = ~grown(~where, 5)
    assert np.abs(after[core] - colour).max() <= 24  # ringing of the edge, quantised


def assert_clean(out: bytes, orientation: int) -> None:
    assert samples.CANARY not in out
    for word in (b"xmp", b"8BIM", b"Photoshop", b"http"):
        assert word not in out
    with Image.open(BytesIO(out)) as image:
        assert dict(image.getexif()) == ({} if orientation == 1 else {0x0112: orientation})
    assert (b"Exif" in out) == (orientation > 1)
    assert jpeg_file.read(out).end == len(out)
