"""EXIF tag by tag: camera settings are accepted where that is asked for, and everything else is still found."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from faceveil.verify import settings
from faceveil.verify.carve import carve

SHORT, LONG, RATIONAL = 3, 4, 5
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIC")


def _directory(entries: list[tuple[int, int, int, bytes]], start: int) -> bytes:
    room, head, values = start + 2 + 12 * len(entries) + 4, b"", b""
    for tag, kind, count, load in entries:
        head += struct.pack("<HHI", tag, kind, count)
        head += load.ljust(4, b"\0") if len(load) <= 4 else struct.pack("<I", room + len(values))
        values += load if len(load) > 4 else b""
    return struct.pack("<H", len(entries)) + head + bytes(4) + values


def _block(*entries: tuple[int, int, int, bytes]) -> bytes:
    return b"II*\0\x08\0\0\0" + _directory([(34665, LONG, 1, struct.pack("<I", 26))], 8) + _directory(list(entries), 26)


def _file(form: str, block: bytes) -> bytes:
    image, out = Image.new("RGB", (64, 48), "teal"), io.BytesIO()
    if form == "HEIC":
        pillow_heif.from_pillow(image).save(out, exif=block)
    else:
        image.save(out, form, exif=b"Exif\0\0" * (form == "JPEG") + block)
    return out.getvalue()


FNUMBER = (33437, RATIONAL, 1, struct.pack("<II", 28, 10))
PROGRAM = (34850, SHORT, 1, struct.pack("<H", 2))


@pytest.mark.parametrize("form", FORMATS)
def test_settings_are_found_unless_they_may_stay(form: str) -> None:
    data = _file(form, _block(FNUMBER, PROGRAM))
    found = carve(data)
    assert [leak.what for leak in found] == ["the camera setting ExposureProgram", "the camera setting FNumber"]
    assert [data[leak.offset : leak.offset + leak.size] for leak in found] == [PROGRAM[3], FNUMBER[3]]
    assert carve(data, settings=True) == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ((36867, 2, 20, b"2024:03:12 10:15:30\0"), "the date of the picture (2024:03:12 10:15:30)"),
        ((37500, 7, 8, b"Anna Ex."), "a maker note"),
        ((37396, SHORT, 4, struct.pack("<4H", 1, 2, 3, 4)), "where the subject is"),
        ((42033, 2, 8, b"SN-0815\0"), "the camera's serial number (SN-0815)"),
        ((37382, RATIONAL, 1, struct.pack("<II", 5, 2)), "tag 37382"),
        ((33434, RATIONAL, 1, b"Anna Ex."), "ExposureTime that is no plain number in its range"),
        ((33434, RATIONAL, 1, struct.pack("<II", 1, 0)), "ExposureTime that is no plain number in its range"),
        ((33434, 2, 8, b"Anna Ex\0"), "ExposureTime that is no plain number in its range"),
        ((37385, SHORT, 1, struct.pack("<H", 999)), "Flash that is no plain number in its range"),
        (
            (34855, SHORT, 2, struct.pack("<HH", 100, 100)),
            "PhotographicSensitivity that is no plain number in its range",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_everything_else_is_found_with_its_place(form: str, entry: tuple[int, int, int, bytes], words: str) -> None:
    data = _file(form, _block(FNUMBER, entry))
    (found,) = carve(data, settings=True)
    assert found.what == words
    assert data[found.offset : found.offset + found.size] == entry[3]


@pytest.mark.parametrize("form", FORMATS)
def test_bytes_that_no_tag_refers_to_are_found(form: str) -> None:
    data = _file(form, _block(FNUMBER) + b"Anna Example")
    (found,) = carve(data, settings=True)
    assert found.what == "bytes of EXIF that no tag refers to"
    assert data[found.offset : found.offset + found.size] == b"Anna Example"


def test_gps_is_found_tag_by_tag() -> None:
    gps = 8 + 18
    block = b"II*\0\x08\0\0\0" + _directory([(34853, LONG, 1, struct.pack("<I", gps))], 8)
    block += _directory([(1, 2, 2, b"N\0"), (2, RATIONAL, 3, struct.pack("<6I", 52, 1, 31, 1, 0, 1))], gps)
    said = [leak.what for leak in carve(_file("JPEG", block), settings=True)]
    assert said == ["GPS, tag 1 (N)", "GPS, tag 2"]


def test_an_orientation_of_many_bytes_is_no_orientation() -> None:
    load = b"Anna Example, 12 March"
    block = b"II*\0\x08\0\0\0" + _directory([(274, SHORT, 11, load)], 8)
    (found,) = carve(_file("JPEG", block))
    assert found.size == len(load)


def test_a_number_of_four_bytes_is_text() -> None:
    assert settings.sound(41493, RATIONAL, 1, struct.pack("<II", 1000, 3), "<")
    assert not settings.sound(41493, RATIONAL, 1, b"AnnaAnna", "<")
    assert not settings.sound(41493, RATIONAL, 1, struct.pack("<II", 1 << 24, 1 << 23), "<")


def test_the_command_accepts_them_when_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(_file("JPEG", _block(FNUMBER)))

    def said(*arguments: str, code: int) -> Any:
        command = [sys.executable, "-m", "faceveil", "check", "a.jpg", "--json", "-q", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)[0] if done.stdout else done.stderr

    leaks = said(code=4)["leaks"]
    assert [leak["what"] for leak in leaks] == ["the camera setting FNumber"]
    assert said("--metadata", "all-but-identifying", code=0)["clean"]
    assert "'none' is not one of" in said("--metadata", "none", code=2)
