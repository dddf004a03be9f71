"""The carver finds what is planted in every format, names where, and says nothing about clean files."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffImagePlugin

from faceveil.verify.carve import carve
from faceveil.verify.leak import Leak

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000")


def _save(form: str, **options: Any) -> bytes:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def _exif(**tags: Any) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    for name, value in tags.items():
        exif[{"make": 271, "software": 305}[name]] = value
    return exif.tobytes()


def _what(leaks: list[Leak]) -> str:
    return "; ".join(leak.what for leak in leaks)


@pytest.mark.parametrize("form", FORMATS)
def test_a_clean_file_is_clean(form: str) -> None:
    assert carve(_save(form)) == []


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_what_the_allow_list_names_is_no_leak(form: str) -> None:
    profile = b"\0" * 36 + b"acsp" + bytes(88)
    options: dict[str, Any] = {"icc_profile": profile}
    if form != "WEBP":
        options["dpi"] = (300, 300)
    if form in ("JPEG", "PNG", "WEBP"):
        options["exif"] = _exif()
    assert carve(_save(form, **options)) == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("trailer", [b"the original's name", b"\xff\xd8\xff\xe0" + bytes(40)])
def test_data_after_the_end_is_found_where_it_starts(form: str, trailer: bytes) -> None:
    clean = _save(form)
    found = carve(clean + trailer)
    assert any(leak.offset == len(clean) and leak.size == len(trailer) for leak in found), found


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_picture_inside_another_is_found(form: str) -> None:
    clean, second = _save(form), _save("JPEG")
    found = carve(clean + second)
    assert found
    assert all(leak.offset >= len(clean) for leak in found)


@pytest.mark.parametrize(
    ("form", "options", "words"),
    [
        ("JPEG", {"comment": b"taken by Alice"}, "a comment (taken by Alice)"),
        ("JPEG", {"exif": _exif(make="Canon")}, "the camera's maker (Canon)"),
        ("JPEG", {"xmp": b"<x:xmpmeta/>"}, "XMP"),
        ("PNG", {"exif": _exif(software="Edit 1.0")}, "the software (Edit 1.0)"),
        ("WEBP", {"exif": _exif(make="Canon")}, "the camera's maker (Canon)"),
        ("WEBP", {"xmp": b"<x:xmpmeta/>"}, "XMP"),
        ("GIF", {"comment": b"taken by Alice"}, "a comment (taken by Alice)"),
        ("TIFF", {"description": "taken by Alice"}, "a description (taken by Alice)"),
        ("TIFF", {"software": "Edit 1.0"}, "the software (Edit 1.0)"),
        ("AVIF", {"exif": _exif(make="Canon")}, "the camera's maker (Canon)"),
        ("AVIF", {"xmp": b"<x:xmpmeta/>"}, "XMP or other metadata"),
    ],
)
def test_metadata_is_named(form: str, options: dict[str, Any], words: str) -> None:
    data = _save(form, **options)
    found = carve(data)
    assert words in _what(found)
    for leak in found:
        assert 0 <= leak.offset < len(data)
        assert leak.offset + leak.size <= len(data)


def test_png_text_and_dates_are_named() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Alice")
    info.add_text("long", "x" * 500, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    info.add(b"tIME", bytes(7))
    info.add(b"prVt", b"secret")
    said = _what(carve(_save("PNG", pnginfo=info)))
    for word in ("text (Author.Alice)", "compressed text", "a date", "chunk prVt"):
        assert word in said


def test_an_exif_thumbnail_is_found() -> None:
    thumbnail = _save("JPEG", quality=20)
    ifd0 = struct.pack("<HHHIII", 1, 274, 3, 1, 1, 26)  # one tag, then IFD1
    ifd1 = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, 56, 514, 4, 1, len(thumbnail), 0)
    block = b"Exif\0\0II*\0" + struct.pack("<I", 8) + ifd0 + ifd1 + thumbnail
    clean = _save("JPEG")
    data = clean[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + clean[2:]
    assert "an EXIF thumbnail" in _what(carve(data))


def test_bytes_that_no_tag_refers_to_are_found_in_tiff_and_bmp() -> None:
    assert "nothing in the file refers to" in _what(carve(_save("TIFF") + b"hidden"))
    bmp = bytearray(_save("BMP"))
    bmp[54:54] = b"between header and pixels"
    struct.pack_into("<I", bmp, 10, 54 + 25)
    assert carve(bytes(bmp)) == [Leak("bytes that nothing in the file refers to", 54, 25)]


def test_a_reduced_copy_in_a_tiff_is_found() -> None:
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out, new=True) as writer:
        for subfile in (0, 1):
            Image.new("L", (8, 8), 99).save(writer, "TIFF", tiffinfo={254: subfile})
            writer.newFrame()
    assert "a reduced copy of the picture" in _what(carve(out.getvalue()))


def test_bytes_between_jpeg_segments_and_private_segments_are_found() -> None:
    clean = _save("JPEG")
    assert carve(clean[:20] + b"gap" + clean[20:])[0] == Leak("bytes between the parts of the picture", 20, 3)
    private = b"\xff\xec\x00\x08secret"
    assert "segment APP12 (secret)" in _what(carve(clean[:20] + private + clean[20:]))


def test_data_in_padding_boxes_is_found() -> None:
    clean = _save("AVIF")
    assert carve(clean + struct.pack(">I4s", 16, b"free") + bytes(8)) == []
    assert "data in padding" in _what(carve(clean + struct.pack(">I4s", 14, b"free") + b"secret"))


def test_an_unknown_container_is_said_to_be_unknown() -> None:
    found = carve(b"no picture at all" + _save("PNG"))
    assert "unknown kind" in found[0].what
    assert "a PNG inside the file" in _what(found)


@given(st.sampled_from(FORMATS), st.binary(min_size=1, max_size=8), st.floats(0, 1))
def test_damaged_files_are_carved_without_an_error(form: str, patch: bytes, where: float) -> None:
    data = bytearray(_save(form))
    at = int(where * (len(data) - len(patch)))
    data[at : at + len(patch)] = patch
    carve(bytes(data))
    carve(bytes(data[:at]))


@pytest.mark.shared_data
def test_real_files_are_carved_as_their_facts_say(shared: Path) -> None:
    rows = [line.split("\t") for line in (shared / "tricky" / "FACTS.tsv").read_text().splitlines()[1:]]
    seen = 0
    for name, _, facts in rows:
        if not name.startswith(("exif_faces", "derived", "metadata_other", "motion_photo", "orientation_faces")):
            continue
        said = _what(carve((shared / "tricky" / name).read_bytes()))
        for fact, words in (
            ("EXIF thumbnail", ("an EXIF thumbnail", "EXIF that cannot be read")),
            ("GPS", ("GPS",)),
            ("XMP", ("XMP",)),
            ("Photoshop IRB", ("Photoshop",)),
            ("COM", ("a comment",)),
            ("MPF", ("MPF",)),
            ("after last EOI", ("after the end",)),
        ):
            if fact in facts and "JPEG" in facts and "no EOI" not in facts:
                assert any(word in said for word in words), f"{name}: {fact} not in {said}"
                seen += 1
    assert seen > 50
