"""Kinds are told by their first bytes."""

from __future__ import annotations

import subprocess
import sys

import media_samples as samples
import pytest

from faceveil import media
from faceveil.errors import UnsupportedError
from faceveil.media.kinds import KINDS

HEADS = {
    "JPEG XL": b"\xff\x0a\x00",
    "JPEG XR": b"II\xbc\x01",
    "PSD": b"8BPS\x00\x01",
    "GIMP": b"gimp xcf v011",
    "ICO": b"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00",
    "OpenEXR": b"\x76\x2f\x31\x01\x02",
    "Radiance HDR": b"#?RADIANCE\n",
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">',
    "PDF": b"%PDF-1.7\n",
    "MP4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42",
    "QuickTime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ",
    "Matroska": b"\x1a\x45\xdf\xa3\x9f",
    "WebM": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
    "AVI": b"RIFF\x00\x10\x00\x00AVI LIST",
    "MPEG": b"\x00\x00\x01\xba\x44",
    "WMV": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9",
    "FLV": b"FLV\x01\x05",
}


def test_every_kind_has_a_case() -> None:
    assert {*HEADS, *samples.FORMATS, "DICOM", "camera RAW"} == set(KINDS)


@pytest.mark.parametrize("form", samples.FORMATS)
def test_supported_kinds(form: str) -> None:
    assert media.sniff(samples.make(form)[:512]) == form


@pytest.mark.parametrize("kind", HEADS)
def test_other_visual_kinds_are_named_and_refused(kind: str) -> None:
    assert media.sniff(HEADS[kind]) == kind
    why = ", not a picture" if KINDS[kind].moving else f"; {KINDS[kind].many} are not supported"
    sentence = f"the picture is {KINDS[kind].one}{why}"
    with pytest.raises(UnsupportedError) as caught:
        media.open(HEADS[kind])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "camera RAW"),
        (b"II*\x00" + bytes(124) + b"DICM", "DICOM"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heicmiaf", "HEIC"),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187) + b"\x47", "MPEG"),
        ((bytes(4) + b"\x47" + bytes(187)) * 3, "MPEG"),
        (b"P7\nWIDTH 3\n", "PNM"),
        (b"P6\n# made by\n640 480\n255\n", "PNM"),
        (b"\xff\x4f\xff\x51\x00", "JPEG 2000"),
        (b"GIF87a\x01\x00\x01\x00", "GIF"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "camera RAW"),
        (b"FUJIFILMCCD-RAW 0201", "camera RAW"),
    ],
)
def test_borderline_heads(head: bytes, kind: str) -> None:
    assert media.sniff(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b"BMW is a car",
        b"P3 is a player",
        b"<html><svg>",
        b"<?xml version='1.0'?><rss>",
        b"PK\x03\x04",
        b"ID3\x04",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypM4A \x00\x00\x02\x00",
        b"\x7fELF",
        bytes(512),
        b"\xff\xfb\x90",
        b"#!/bin/sh",
    ],
)
def test_other_files_are_no_picture(head: bytes) -> None:
    assert media.sniff(head) is None


def test_importing_the_room_imports_no_decoder() -> None:
    code = "import sys, faceveil.media; print(sorted({'PIL', 'cv2', 'simplejpeg', 'pillow_heif'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
