"""JPEG 2000 and PNM in and out: depths, channels, what stays and what is refused."""

from __future__ import annotations

import struct
from io import BytesIO

import media_samples as samples
import numpy as np
import pytest
from PIL import Image

from faceveil import media
from faceveil.errors import UnreadableError, UnsupportedError
from faceveil.media.info import Jpeg2000Coding
from faceveil.types import Frame


def through(data: bytes) -> tuple[media.Source, Frame, bytes]:
    source = media.open(data)
    (frame,) = source
    return source, frame, media.encode(frame, source.info)


def jp2(image: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG2000", **options)
    return out.getvalue()


# --- JPEG 2000 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
def test_jpeg_2000_stays_what_it_is(bare: bool, lossless: bool) -> None:
    data = jp2(Image.fromarray(samples.picture()), no_jp2=bare, irreversible=not lossless, mct=1)
    source, frame, written = through(data)
    assert source.info.coding == media.open(written).info.coding == Jpeg2000Coding(bare, lossless)
    (again,) = media.open(written)
    error = (again.pixels.astype(float) - frame.pixels) ** 2
    assert error.max() == 0 if lossless else 10 * np.log10(255**2 / error.mean()) > 38


def test_sixteen_bits_of_grey_stay() -> None:
    grey = np.random.default_rng(0).integers(0, 65536, (20, 30), dtype=np.uint16)
    source, frame, written = through(jp2(Image.fromarray(grey)))
    assert source.info.bits == 16
    assert np.array_equal(frame.pixels[..., 0], grey)
    assert np.array_equal(next(iter(media.open(written))).pixels, frame.pixels)


def test_deep_colours_are_refused_in_words() -> None:
    data = bytearray(jp2(Image.fromarray(samples.picture())))
    at = data.index(b"\xff\x51")
    for i in range(3):
        data[at + 40 + 3 * i] = 11
    with pytest.raises(UnsupportedError, match="3 channels and 12 bits; only 8 bits, and 16 bits of grey, are supp"):
        media.open(bytes(data))


def test_profile_and_resolution_stay() -> None:
    info = media.Info("JPEG 2000", 64, 48, icc=samples.SRGB, dpi=(300, 150))
    written = media.encode(Frame(samples.picture()), info)
    again = media.open(written)
    assert again.info.icc == samples.SRGB
    assert again.info.dpi == pytest.approx((300, 150), abs=0.05)
    with Image.open(BytesIO(written)) as image:
        assert image.size == (64, 48)
        image.load()


def test_a_second_codestream_is_dropped_and_said() -> None:
    data = jp2(Image.fromarray(samples.picture()))
    at = data.index(b"jp2c") - 4
    assert media.open(data + data[at:]).info.notes == ("1 more picture in this file is dropped.",)


# --- PNM -----------------------------------------------------------------------------------------------------------


def test_text_and_bytes_of_pnm() -> None:
    for data, wanted in {
        b"P1 # a comment\n3 2\n101 0 1 0\n": [[0, 255, 0], [255, 0, 255]],
        b"P2\n3 2\n# one\n100\n0 50 100\n100 50 0\n": [[0, 128, 255], [255, 128, 0]],
        b"P4\n3 2\n" + bytes([0b10100000, 0b01000000]): [[0, 255, 0], [255, 0, 255]],
        b"P5\n3 2 255\n" + bytes([1, 2, 3, 4, 5, 6]): [[1, 2, 3], [4, 5, 6]],
    }.items():
        source, frame, written = through(data)
        assert source.info.grey
        assert frame.pixels[..., 0].tolist() == wanted
        assert written == b"P5\n3 2\n255\n" + bytes(v for row in wanted for v in row)


@pytest.mark.parametrize("digit", [3, 6])
def test_sixteen_bits_of_pnm_stay(digit: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    load = " ".join(map(str, pixels.ravel())).encode() if digit == 3 else pixels.astype(">u2").tobytes()
    source, frame, written = through(f"P{digit}\n5 4\n65535\n".encode() + load)
    assert source.info.bits == 16
    assert np.array_equal(frame.pixels, pixels)
    assert written == b"P6\n5 4\n65535\n" + pixels.astype(">u2").tobytes()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"P6\n5 4\n255\n" + bytes(59), UnreadableError),
        (b"P2\n2 2\n255\n1 2 3", UnreadableError),
        (b"P2\n2 2\n255\n1 2 3 x", UnreadableError),
        (b"P2\n2 2\n255\n1 2 3 256", UnreadableError),
        (b"P5\n2 2\n70000\n" + bytes(8), UnreadableError),
        (b"P5\n2 ", UnreadableError),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n" + bytes(4), UnsupportedError),
        (b"P5\n2 2\n255\n" + bytes(4) + b"P5\n2 2\n255\n" + bytes(4), UnsupportedError),
    ],
)
def test_pnms_that_are_refused(data: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        list(media.open(data))


# --- TIFF ----------------------------------------------------------------------------------------------------------


def test_a_raw_plane_on_a_later_page_is_refused() -> None:
    from faceveil.media import tiff_file  # noqa: PLC0415

    plain, raw = (
        samples.tiff16(np.zeros((4, 5, 3), np.uint16)),
        bytearray(samples.tiff16(np.zeros((4, 5, 1), np.uint16))),
    )
    at = raw.index(struct.pack("<HHI", 262, 4, 1))
    raw[at + 8 : at + 12] = struct.pack("<I", 32803)
    with pytest.raises(UnsupportedError):
        media.open(tiff_file.join([plain, bytes(raw)]))
