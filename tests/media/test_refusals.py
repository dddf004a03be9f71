"""What is refused, and in which words. Each refusal is one sentence that names the file and the reason."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import media_samples as samples
import numpy as np
import pytest
from PIL import Image

from faceveil import media
from faceveil.errors import InputError, TooLargeError, UnreadableError, UnsupportedError

CUT = "the picture ends too early: some of its pixels are missing"
DAMAGED = "the picture is damaged: it cannot be decoded completely"


def refusal(data: bytes | str | Path) -> tuple[type[InputError], str]:
    """The error that opening or decoding raises."""
    with pytest.raises(InputError) as caught:
        list(media.open(data))
    return caught.type, str(caught.value)


def test_what_is_no_picture() -> None:
    assert refusal(b"") == (UnreadableError, "the picture is empty")
    assert refusal(b"just text, and some more of it") == (UnreadableError, "the picture is not a picture")


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.jpg").write_bytes(b"text " * 1000)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    reasons = {
        "none.jpg": "does not exist",
        "empty.jpg": "is empty",
        "notes.jpg": "is not a picture",
        "link.jpg": "is a link to nothing",
        "loop.jpg": "cannot be read: too many levels of symbolic links",
        "pipe.jpg": "is not a regular file",
        "notes.jpg/a.jpg": "cannot be read: not a directory",
        "a\0b": "cannot be read: the name is not valid",
        "": "is a folder",
    }
    for name, reason in reasons.items():
        path = tmp_path / name
        assert refusal(path) == (UnreadableError, f"{path} {reason}")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(samples.make("JPEG"))
    if os.geteuid() == 0:  # who may read everything cannot be refused by the file system

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    else:
        path.chmod(0)
    assert refusal(path) == (UnreadableError, f"{path} cannot be read: permission denied")


def test_thumbnail_pages_of_a_tiff_are_dropped_and_said() -> None:
    first, second, out = Image.fromarray(samples.picture()), Image.fromarray(samples.picture()[:8, :8]), BytesIO()
    second.encoderinfo = {"tiffinfo": {254: 1}}
    first.save(out, "TIFF", save_all=True, append_images=[second])
    source = media.open(out.getvalue())
    assert source.info.notes == ("1 thumbnail or mask in this file is dropped.",)
    assert [frame.width for frame in source] == [samples.WIDTH]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"t284": 2}, "holds 16-bit pixels in an unusual order, which are not supported"),
        ({"t339": 3}, "holds floating-point pixels, which are not supported"),
        ({"t339": 2}, "holds signed or 32-bit integers, which are not supported"),
    ],
)
def test_tiffs_that_would_be_shown_wrong(tags: dict[str, int], reason: str) -> None:
    data = samples.tiff16(np.zeros((4, 5, 3), np.uint16), **tags)
    kind, said = refusal(data)
    assert (kind, said) in ((UnsupportedError, f"the picture {reason}"), (UnsupportedError, _OTHER))


_OTHER = "the picture stores its pixels in a way that is not supported"


@pytest.mark.parametrize("mode", ["F", "I"])
def test_float_and_wide_integer_tiffs(mode: str) -> None:
    out = BytesIO()
    Image.new(mode, (4, 4)).save(out, "TIFF")
    words = {"F": "floating-point pixels", "I": "signed or 32-bit integers"}
    assert refusal(out.getvalue()) == (UnsupportedError, f"the picture holds {words[mode]}, which are not supported")


def test_jpegs_of_other_processes() -> None:
    data = bytearray(samples.make("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 4] = 12
    assert refusal(bytes(data))[1] == "the picture is a 12-bit JPEG; only 8-bit lossy ones are supported"
    data[at + 1], data[at + 4] = 0xC3, 8
    assert refusal(bytes(data))[1] == "the picture is a lossless JPEG; only 8-bit lossy ones are supported"


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.99, 0.9, 0.6, 0.3])
@pytest.mark.parametrize("form", samples.FORMATS)
def test_cut_off_files_are_refused(form: str, share: float) -> None:
    data = samples.make(form)
    assert refusal(data[: int(len(data) * share)])[0] is UnreadableError


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_a_jpeg_with_an_early_end_marker_is_refused(options: dict[str, Any]) -> None:
    data = samples.make("JPEG", **options)
    assert refusal(data[:-2]) == (UnreadableError, CUT)
    assert refusal(data[: len(data) * 2 // 3] + b"\xff\xd9") == (UnreadableError, CUT)


def test_junk_beside_complete_pixels_passes() -> None:
    data = samples.make("JPEG")
    wanted = next(iter(media.open(data))).pixels
    tables = data.index(b"\xff\xdb")
    for junk in (data[:-2] + bytes(40) + b"\xff\xd9", data[:tables] + b"\x00junk" + data[tables:]):
        assert np.array_equal(next(iter(media.open(junk))).pixels, wanted)


def test_a_png_with_a_wrong_check_sum_is_refused() -> None:
    data = bytearray(samples.make("PNG"))
    data[data.index(b"IDAT") + 40] ^= 1
    assert refusal(bytes(data)) == (UnreadableError, DAMAGED)


def test_a_png_with_too_little_image_data_is_refused() -> None:
    rows = zlib.compress(b"\x00" * (193 * 20))
    header = samples.chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + samples.chunk(b"IDAT", rows) + samples.chunk(b"IEND", b"")
    assert refusal(data) == (UnreadableError, CUT)
    header = samples.chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + samples.chunk(b"IDAT", rows) + samples.chunk(b"IEND", b"")
    assert refusal(data)[0] is UnreadableError


def test_decoders_say_nothing_past_python(capfd: pytest.CaptureFixture[str]) -> None:
    for form in samples.FORMATS:
        options: dict[str, Any] = {"compression": "tiff_lzw"} if form == "TIFF" else {}
        data = bytearray(samples.make(form, **options))
        for at in range(len(data) // 3, len(data), max(1, len(data) // 40)):
            broken = data.copy()
            broken[at] ^= 0xFF
            try:
                list(media.open(bytes(broken)))
            except InputError:
                continue
    assert capfd.readouterr() == ("", "")


def test_decoders_log_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(samples.tiff16(np.zeros((4, 5, 3), np.uint16), t277=200))
    code = "import sys\nfrom faceveil import errors, media\n"
    code += "try: media.open(sys.argv[1])\nexcept errors.InputError: print('no')"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("no\n", "")


# --- size ----------------------------------------------------------------------------------------------------------


def _bombs() -> dict[str, bytes]:
    """Headers that promise 30,000 x 20,000 pixels."""
    w, h = 30_000, 20_000
    png = b"\x89PNG\r\n\x1a\n" + samples.chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
    png += samples.chunk(b"IDAT", zlib.compress(bytes(100_000))) + samples.chunk(b"IEND", b"")
    jpeg = bytearray(samples.make("JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", h, w)
    bmp = bytearray(samples.make("BMP"))
    bmp[18:26] = struct.pack("<ii", w, h)
    bmp[30:34] = struct.pack("<I", 1)  # RLE: the size of the file says nothing
    bmp[28:30] = struct.pack("<H", 8)
    tiff = samples.tiff16(np.zeros((4, 5, 3), np.uint16), t256=w, t257=h)
    return {"PNG": png, "JPEG": bytes(jpeg), "BMP": bytes(bmp), "TIFF": tiff}


@pytest.mark.parametrize("form", _bombs())
def test_bombs_are_refused_from_the_header(form: str) -> None:
    data = _bombs()[form]
    tracemalloc.start()
    said = refusal(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reason = "has 30000 x 20000 = 600 million pixels; the cap is 400 million"
    assert said == (TooLargeError, f"the picture {reason}")
    assert peak < 20_000_000


def test_the_cap_can_be_set_and_is_inclusive() -> None:
    data = samples.make("PNG")
    assert media.open(data, max_pixels=64 * 48).info.size == (64, 48)
    with pytest.raises(TooLargeError, match=r"64 x 48 = 0\.003072 million pixels; the cap is 0\.003071 million$"):
        media.open(data, max_pixels=64 * 48 - 1)


def test_pillows_own_limit_does_not_surface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for form in samples.FORMATS:
        if form == "WebP":  # Pillow checks before its decoder allocates; the real limit is 179 MP
            assert refusal(samples.make(form)) == (TooLargeError, "the picture has more pixels than its decoder takes")
        else:
            assert list(media.open(samples.make(form)))


def test_huge_files_of_other_kinds_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.bin"
    with path.open("wb") as file:
        file.write(b"plain text")
        file.truncate(50 << 30)
    assert refusal(path) == (UnreadableError, f"{path} is not a picture")
    with path.open("r+b") as file:
        file.write(b"\xff\xd8\xff\xe0")
    assert refusal(path) == (TooLargeError, f"{path} has 51200 MiB; the cap is 4096 MiB")
