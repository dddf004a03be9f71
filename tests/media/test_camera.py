"""`all-but-identifying` keeps camera settings as numbers, in every format that holds EXIF, and nothing else."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import exif_samples as exifs
import media_samples as samples
import numpy as np
import pytest
from exif_samples import ASCII, LONG, RATIONAL, SHORT, SRATIONAL, UNDEFINED, Entry
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_raw import dng, scene

import faceveil
from faceveil import media
from faceveil.media import camera, exif, turbojpeg
from faceveil.verify import settings
from faceveil.verify.carve import carve

FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "HEIC", "AVIF")
SECRET = b"Anna Example"

ALLOWED: list[Entry] = [
    exifs.number(0x829A, RATIONAL, 10, 600),
    exifs.number(0x829D, RATIONAL, 28, 10),
    exifs.number(0x8822, SHORT, 2),
    exifs.number(0x8827, SHORT, 400),
    exifs.number(0x8832, LONG, 102400),
    exifs.number(0x9201, SRATIONAL, 5907, 1000),
    exifs.number(0x9203, SRATIONAL, -10, 10),
    exifs.number(0x9204, SRATIONAL, -2, 3),
    exifs.number(0x9207, SHORT, 5),
    exifs.number(0x9209, SHORT, 16),
    exifs.number(0x920A, RATIONAL, 6765, 1000),
    exifs.number(0xA001, SHORT, 1),
    exifs.number(0xA404, RATIONAL, 7, 3),
    exifs.number(0xA405, SHORT, 28),
]
EXPECTED: dict[int, int | Fraction] = {
    0x829A: Fraction(1, 60), 0x829D: Fraction(14, 5), 0x8822: 2, 0x8827: 400, 0x8832: 102400,
    0x9201: Fraction(5907, 1000), 0x9203: -1, 0x9204: Fraction(-2, 3), 0x9207: 5, 0x9209: 16,
    0x920A: Fraction(6765, 1000), 0xA001: 1, 0xA404: Fraction(7, 3), 0xA405: 28,
}  # fmt: skip

# Every tag of the Exif directory, GPS's and the first directory's that names a person, place, time or device.
FORBIDDEN = (
    0x8824, 0x8828, 0x882A, 0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9101, 0x9102, 0x9206, 0x9214, 0x927C,
    0x9286, 0x9290, 0x9291, 0x9292, 0x9400, 0x9401, 0x9402, 0x9403, 0x9404, 0x9405, 0xA000, 0xA002, 0xA003, 0xA004,
    0xA20B, 0xA20C, 0xA20E, 0xA20F, 0xA210, 0xA214, 0xA300, 0xA301, 0xA302, 0xA401, 0xA40B, 0xA420, 0xA430, 0xA431,
    0xA432, 0xA433, 0xA434, 0xA435, 0xA436, 0xA437, 0xA438, 0xA439, 0xA43A, 0xA43B, 0xA43C, 0xA461, 0xA462, 0xA500,
)  # fmt: skip


def _identifying() -> bytes:
    """The allowed settings among everything else that a block can hold, in text and in numbers."""
    text = SECRET + b"\x00"
    named = [(tag, UNDEFINED, len(text), text) for tag in FORBIDDEN]
    wrong = [(tag, ASCII, len(text), text) for tag in camera.TABLE if tag not in EXPECTED]
    first = [(tag, ASCII, len(text), text) for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)]
    first.append((exifs.GPS_IFD, LONG, 1, b"here"))
    thumbnail = [(0x0201, UNDEFINED, len(text), text), (0x010F, ASCII, len(text), text)]
    made = exifs.block([*ALLOWED, *named, *wrong], first, thumbnail)
    gps = exifs.directory([(tag, ASCII, len(text), text) for tag in (1, 3, 27, 28, 29)], len(made))
    return made.replace(b"here", struct.pack("<L", len(made))) + gps


def _written(data: bytes) -> bytes:
    """A file as it is written with its camera settings."""
    source = media.open(data)
    info = replace(source.info, camera=source.settings() or ())
    encoder = media.Encoder(info)
    for frame in source:
        encoder.append(frame)
    return encoder.finish()


@pytest.mark.parametrize(
    ("form", "frames"), [(form, 1) for form in FORMATS] + [(form, 2) for form in ("PNG", "WebP", "TIFF", "AVIF")]
)
def test_settings_survive_and_nothing_else_does(form: str, frames: int) -> None:
    data = exifs.picture(form, _identifying(), frames=frames)
    assert SECRET in data
    out = _written(data)
    assert exifs.seen(out) == EXPECTED
    assert SECRET[:4] not in out
    assert carve(out, settings=True) == []
    assert {leak.what for leak in carve(out)} == {f"the camera setting {camera.TABLE[tag].name}" for tag in EXPECTED}
    for leak in carve(out):
        (tag,) = (tag for tag in EXPECTED if leak.what.endswith(f" {camera.TABLE[tag].name}"))
        ((_, _, packed),) = camera.entries(((tag, Fraction(EXPECTED[tag])),))
        assert out[leak.offset : leak.offset + leak.size] == packed


@pytest.mark.parametrize("form", samples.TAGGED)
def test_xmp_iptc_comments_and_trailers_go_as_always(form: str) -> None:
    data = samples.make(form, orientation=6, needles=True)
    assert samples.CANARY in data
    assert samples.CANARY not in _written(data)


@pytest.mark.parametrize("jpeg", ["lossless", "reencode"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_both_ways_of_writing_a_jpeg_keep_them(tmp_path: Path, portrait: Path, jpeg: str, orientation: int) -> None:
    if jpeg == "lossless" and not turbojpeg.available():
        pytest.skip("needs libturbojpeg")
    first = [exifs.number(0x0112, SHORT, orientation), (0x010F, ASCII, 13, SECRET + b"\x00")]
    with Image.open(portrait) as image:
        image.resize((256, 256)).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00" + exifs.block(ALLOWED, first))
    options: dict[str, Any] = {"jpeg": jpeg, "preset": "fast", "verify": True}
    made = faceveil.veil(tmp_path / "a.jpg", metadata="all-but-identifying", **options)
    out = made.output.read_bytes()
    assert exifs.seen(out) == EXPECTED
    assert media.open(out).info.orientation == (orientation if jpeg == "lossless" else 1)
    assert SECRET not in out
    plain = faceveil.veil(tmp_path / "a.jpg", tmp_path / "plain.jpg", **options).output.read_bytes()
    assert exifs.seen(plain) == {}
    assert carve(plain) == []


@pytest.mark.parametrize("metadata", ["technical", "none"])
@pytest.mark.parametrize("form", FORMATS)
def test_they_stay_only_where_that_was_asked_for(tmp_path: Path, form: str, metadata: str) -> None:
    path = tmp_path / f"a.{form.lower()}"
    path.write_bytes(exifs.picture(form, exifs.block(ALLOWED)))
    out = faceveil.veil(path, metadata=metadata, preset="fast", jpeg="reencode").output.read_bytes()
    assert carve(out) == []
    assert exifs.seen(out) == {}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (exifs.number(0x829A, RATIONAL, 1, 0), "no denominator"),
        (exifs.number(0x829A, RATIONAL, 0x416E6E61, 1), "beyond its range"),
        (exifs.number(0x829A, SRATIONAL, 1, 60), "another type"),
        (exifs.number(0x829A, SHORT, 1), "another type"),
        ((0x829A, RATIONAL, 2, struct.pack("<4L", 1, 60, 1, 60)), "two values"),
        (exifs.number(0x8822, SHORT, 99), "a code that is none"),
        (exifs.number(0x9203, SRATIONAL, -1, 1), "the standard's word for unknown"),
        (exifs.number(0x8827, SHORT, 0), "out of range"),
        ((0x920A, RATIONAL, 1, b"Anna"), "cut off"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_malformed_is_dropped_alone(entry: Entry, why: str) -> None:
    assert camera.read(exifs.block([exifs.number(0x9207, SHORT, 5), entry])) == ((0x9207, Fraction(5)),), why


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    entries = [exifs.number(0x829D, RATIONAL, 28, 10, order=order), exifs.number(0x8822, SHORT, 3, order=order)]
    assert dict(camera.read(exifs.block(entries, order=order))) == {0x829D: Fraction(14, 5), 0x8822: 3}


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("1/2656", "1/2656"),
        ("1244236/699009", "89/50"),
        ("33333/1000000", "1/30"),
        ("5906891/1000000", "5907/1000"),
        ("7/3", "7/3"),
        ("1/64000", "1/64000"),
        ("1/900000", "0"),
    ],
)
def test_numbers_are_rounded_to_four_digits(stored: str, kept: str) -> None:
    assert camera.rounded(Fraction(stored)) == Fraction(kept)


@given(st.fractions(-20, 10_000, max_denominator=2**32 - 1))
def test_rounding_changes_little_and_settles(value: Fraction) -> None:
    near = camera.rounded(value)
    assert abs(near - value) <= max(abs(value) / 1000, Fraction(1, 19_000))
    assert camera.rounded(near) == near
    assert near.denominator <= 100_000
    assert abs(near.numerator) < 1 << 24


_LETTERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=1, max_size=24).map(str.encode)
_TAGS = st.sampled_from([*camera.TABLE, *FORBIDDEN])
_ENTRIES = st.lists(
    st.tuples(_TAGS, st.integers(0, 13), st.integers(0, 9), _LETTERS | st.binary(max_size=24)), max_size=20
)


@given(_ENTRIES, st.binary(max_size=40), st.sampled_from("<>"))
def test_no_block_carries_text_through(entries: list[Entry], tail: bytes, order: str) -> None:
    """Whatever a block holds, four bytes in a row of what comes out are never the source's to choose."""
    kept = camera.read(exifs.block(entries, order=order) + tail)
    out = exif.block(1, settings=kept)
    assert camera.read(out) == kept
    assert not re.search(rb"[ -~\x80-\xfe]{4}", out[4:])
    for tag, kind, load in camera.entries(kept):
        if kind != SHORT:
            assert all(load[i] in (0, 0xFF) for i in range(3, len(load), 4)), camera.TABLE[tag].name


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(junk: bytes) -> None:
    for head in (b"", b"II*\x00\x08\x00\x00\x00", b"MM\x00*\x00\x00\x00\x08"):
        assert not re.search(rb"[ -~\x80-\xfe]{4}", exif.block(1, settings=camera.read(head + junk))[4:])


def test_the_table_and_the_checks_own_table_agree() -> None:
    """They were drawn up apart: a mistake in one must not be in the other."""
    kinds = {SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}
    assert set(camera.TABLE) == set(settings.NUMBERS) | set(settings.CODES)
    for tag, one in camera.TABLE.items():
        assert settings.name(tag) == one.name
        assert one.kind in kinds
        if one.terms:
            assert set(settings.CODES[tag][1]) == one.terms
        else:
            assert settings.NUMBERS[tag][1:] == (one.kind, float(one.low), float(one.high))
    assert not set(camera.TABLE) & set(FORBIDDEN)


def test_pillow_knows_the_tags_by_the_same_names() -> None:
    from PIL import ExifTags  # noqa: PLC0415

    known = {tag: name for tag, name in ExifTags.TAGS.items() if tag in camera.TABLE}
    renamed = {0x8827: "ISOSpeedRatings"}  # its name before Exif 2.3
    for tag, name in known.items():
        assert camera.TABLE[tag].name in (name, ExifTags.Base(tag).name) or renamed.get(tag) == name


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    data = media.encode(faceveil.Frame(pixels), media.Info("JPEG 2000", 32, 32))
    at = data.index(b"jp2c") - 4
    box = b"uuidJpgTiffExif->JP2" + exifs.block(ALLOWED)
    (tmp_path / "a.jp2").write_bytes(data[:at] + struct.pack(">I", 4 + len(box)) + box + data[at:])
    made = faceveil.veil(tmp_path / "a.jp2", metadata="all-but-identifying")
    assert made.notes == ("Its camera settings, if it has any, are not kept: they are not read in files of this kind.",)
    assert faceveil.veil(tmp_path / "a.jp2", tmp_path / "b.jp2").notes == ()


@pytest.mark.shared_data
def test_settings_of_real_cameras_survive(shared: Path) -> None:
    kept = 0
    for path in sorted((shared / "tricky").rglob("*.jpg")):
        try:
            source = media.open(path)
            (frame,) = source
            with Image.open(path) as image:
                before = image.getexif().get_ifd(exifs.EXIF_IFD)
        except Exception:  # damaged files are for other tests
            continue
        out = media.encode(frame, replace(source.info, camera=source.settings() or ()))
        after = exifs.seen(out)
        kept += len(after)
        for tag, value in after.items():
            wanted = before[tag][0] if isinstance(before[tag], tuple) else before[tag]
            assert float(value) == pytest.approx(float(wanted), rel=1e-3, abs=1e-4), (path.name, tag)
        assert carve(out, settings=True) == []
    assert kept > 200


def test_a_raw_keeps_what_is_true_of_the_developed_picture() -> None:
    pytest.importorskip("rawpy", reason="needs rawpy: pip install 'faceveil[raw]'")
    data = exifs.tagged(dng(scene()), _identifying())
    source = media.open(data)
    (frame,) = source
    out = media.encode(frame, replace(source.info, camera=source.settings() or ()))
    assert exifs.seen(out) == {tag: value for tag, value in EXPECTED.items() if tag != camera.COLOUR_SPACE}
    assert SECRET not in out
    assert carve(out, settings=True) == []


def test_cmyk_loses_the_word_on_its_colours() -> None:
    out = BytesIO()
    block = exifs.block(ALLOWED)
    Image.fromarray(samples.picture()).convert("CMYK").save(out, "JPEG", exif=b"Exif\x00\x00" + block)
    kept = dict(media.open(out.getvalue()).settings() or ())
    assert kept == {tag: value for tag, value in EXPECTED.items() if tag != camera.COLOUR_SPACE}
