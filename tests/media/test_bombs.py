"""Pictures that are small as files and huge in memory are refused from their headers, fast and without memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from media_samples import chunk
from PIL import Image

from faceveil import media
from faceveil.errors import TooLargeError

CODE = """
import resource, sys
from faceveil import media
from faceveil.errors import InputError
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    media.open(sys.argv[1])
except InputError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""


def _png(side: int) -> bytes:
    """Zeros, a row at a time."""
    pack = zlib.compressobj(9)
    row = bytes(1 + side * 3)
    body = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_png_of_400_million_zeros_is_refused_fast_and_without_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(20_000))
    assert path.stat().st_size < 2_000_000
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
    said, grown = done.stdout.splitlines()
    assert "would unpack to 1,0" in said
    assert int(grown) / 1024 < 150
    assert time.perf_counter() - started < 5  # a process starts in it; the refusal itself takes milliseconds


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_flat_picture_of_ordinary_size_is_no_bomb(form: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (4000, 3000), "white").save(out, form)
    assert media.open(out.getvalue()).info.size == (4000, 3000)


def test_a_flat_jpeg_of_100_million_pixels_is_no_bomb() -> None:
    out = io.BytesIO()
    Image.new("RGB", (10_000, 10_000), "white").save(out, "JPEG")
    assert media.open(out.getvalue()).info.size == (10_000, 10_000)


def test_a_header_alone_is_enough_to_refuse() -> None:
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(TooLargeError, match="100000 x 100000 = 1e\\+04 million pixels; the cap is 400 million"):
        media.open(data)
