"""Too many frames, or too many pixels in them: refused from the headers, at once. What is streamed stays small."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from fractions import Fraction

import media_samples as samples
import moving_samples as moving
import numpy as np
import pytest
from moving_samples import Part

from faceveil import media
from faceveil.errors import TooLargeError, UnreadableError
from faceveil.media.codecs import Encoder
from faceveil.types import Frame

MANY = 100_000
MANY_FRAMES = "the picture has more than 10000 frames, which is the cap"


def _gif(frames: int, size: tuple[int, int] = (64, 48)) -> bytes:
    one = moving.gif(size, [Part(np.zeros((1, 1, 4), np.uint8))], loop=0)
    start = one.index(b"\x21\xf9")
    return one[:start] + one[start:-1] * frames + b";"


def _apng(frames: int) -> bytes:
    out = [samples.make("PNG")[:33], samples.chunk(b"acTL", struct.pack(">II", 5, 0))]  # it lies about its frames
    rows = zlib.compress(b"\x00\x00\x00\x00")
    for i in range(frames):
        control = struct.pack(">IIIIIHHBB", 2 * i, 1, 1, 0, 0, 1, 10, 0, 0)
        out += [samples.chunk(b"fcTL", control), samples.chunk(b"fdAT", struct.pack(">I", 2 * i + 1) + rows)]
    return b"".join([*out, samples.chunk(b"IDAT", rows), samples.chunk(b"IEND", b"")])


def _webp(frames: int) -> bytes:
    still = samples.make("WebP")
    body = still[12:]
    frame = b"ANMF" + struct.pack("<I", 16 + len(body)) + bytes(16) + body
    head = b"VP8X" + struct.pack("<IIHBHB", 10, 2, 63, 0, 47, 0) + b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    load = b"WEBP" + head + frame * frames
    return b"RIFF" + struct.pack("<I", len(load)) + load


def _tiff(pages: int) -> bytes:
    """Directories without pixels of their own, one behind the other."""
    entries = {254: 0, 256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in entries.items())
    size = len(body) + 4
    return struct.pack("<2sHI2x", b"II", 42, 10) + b"".join(
        body + struct.pack("<I", 10 + size * (i + 1) if i + 1 < pages else 0) for i in range(pages)
    )


def _avif(frames: int) -> bytes:
    """A sequence whose time table says that its first duration holds so often."""
    data = bytearray(moving.saved("AVIF", [moving.scene(i) for i in range(3)], duration=100))
    at = data.index(b"stts")
    data[at + 12 : at + 16] = struct.pack(">I", frames)
    return bytes(data)


@pytest.mark.parametrize("make", [_gif, _apng, _webp, _tiff, _avif], ids=lambda make: make.__name__[1:])
def test_a_hundred_thousand_frames_are_refused_at_once(make: object) -> None:
    data = make(MANY)  # type: ignore[operator]
    started = time.perf_counter()
    with pytest.raises(TooLargeError) as caught:
        media.open(data)
    took = time.perf_counter() - started
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        media.open(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value) == (MANY_FRAMES.replace("frames", "pages") if make is _tiff else MANY_FRAMES)
    assert took < 1
    assert peak < 50e6


def test_many_large_frames_are_refused_by_their_sum() -> None:
    with pytest.raises(TooLargeError) as caught:
        media.open(_gif(200, (6000, 4000)))
    assert str(caught.value) == "the picture has 4800 million pixels in 200 frames; the cap is 4000 million"


@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_one_canvas_beyond_the_cap_is_refused(form: str) -> None:
    parts = [Part(np.zeros((1, 1, 4), np.uint8))] * 2
    if form == "GIF":
        data = moving.gif((60000, 60000), parts)
    else:
        data = moving.apng((60000, 60000), parts, default=np.zeros((1, 1, 4), np.uint8))
    with pytest.raises(TooLargeError, match="60000 x 60000 = 3600 million pixels; the cap is 400 million"):
        media.open(data)


def test_a_page_beyond_the_cap_is_refused() -> None:
    first, big = samples.tiff16(np.zeros((4, 5, 3), np.uint16)), bytearray(_tiff(1))
    big = bytearray(_tiff(2))
    second = 10 + (len(big) - 10) // 2
    for tag in (256, 257):
        at = big.index(struct.pack("<HHI", tag, 4, 1), second)
        big[at + 8 : at + 12] = struct.pack("<I", 30_000)
    with pytest.raises(TooLargeError, match="30000 x 30000"):
        media.open(bytes(big))
    assert media.open(first).info.frames == 1


def test_directories_in_a_circle_are_refused() -> None:
    data = bytearray(_tiff(3))
    data[-4:] = struct.pack("<I", 10)
    with pytest.raises(UnreadableError):
        media.open(bytes(data))


@pytest.mark.parametrize("form", ["GIF", "PNG", "WebP", "TIFF", "AVIF"])
def test_frames_are_streamed(form: str) -> None:
    """30 frames of 640 x 480 are 28 MB; neither reading nor writing holds them."""
    y, x = np.mgrid[0:480, 0:640]
    info = media.Info(form, 640, 480, animation=media.Animation((Fraction(1, 10),) * 30, 0))
    if form == "TIFF":
        info = media.Info(form, 640, 480, pages=(media.Info(form, 640, 480),) * 30)
    tracemalloc.start()
    encoder = Encoder(info)
    for i in range(30):
        encoder.append(Frame(np.stack([x * 0 + 8 * i, y // 16, x // 16], axis=2).astype(np.uint8)))
    data = encoder.finish()
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    source = media.open(data)
    del data
    seen = sum(1 for _ in source)
    read = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 30
    assert written < 20e6
    assert read < 20e6
