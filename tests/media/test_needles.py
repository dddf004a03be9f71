"""Nothing of a source's metadata is in the bytes of an output, whatever the format."""

from __future__ import annotations

import media_samples as samples
import numpy as np
import pytest

from faceveil import media
from faceveil.media.kinds import KINDS
from faceveil.types import Frame


def test_every_writable_format_is_tested() -> None:
    # DICOM has needles of its own in test_dicom.py; nobody can write a camera RAW.
    assert {*samples.FORMATS, "DICOM", "camera RAW"} == {name for name, kind in KINDS.items() if kind.module}


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("form", samples.FORMATS)
def test_no_needle_is_in_the_output(form: str, orientation: int) -> None:
    if form == "BMP":
        data = samples.make(form) + samples.CANARY  # behind the pixels is the only place it has
    elif form in samples.TAGGED:
        data = samples.make(form, orientation=orientation, needles=True)
    else:
        data = samples.make(form, needles=True)
    assert samples.CANARY in data
    source = media.open(data)
    (frame,) = source
    written = media.encode(frame, source.info)
    assert samples.CANARY not in written
    for word in (b"Exif", b"xmpmeta", b"8BIM", b"Photoshop", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"EXIF", b"XMP "):
        assert word not in written


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "HEIC", "AVIF", "GIF", "PNM"])
def test_what_stands_behind_the_picture_is_said(form: str) -> None:
    notes = media.open(samples.make(form, needles=True)).info.notes
    said = (
        "Another picture after the end of the picture is dropped."
        if form == "JPEG"
        else (f"{len(samples.trailer(form))} bytes after the end of the picture are dropped.")
    )
    assert notes == (said,)


def test_hidden_detail_under_transparency_does_not_reach_a_webp() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    (frame,) = media.open(media.encode(Frame(pixels, np.zeros((48, 64), np.uint8)), media.Info("WebP", 64, 48)))
    blocks = frame.pixels.reshape(6, 8, 8, 8, 3)  # libwebp flattens blocks of 8 x 8
    assert blocks.std(axis=(1, 3)).mean() < pixels.std() / 10
