"""What faceveil writes passes its own verification, in every format that it writes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import faceveil
from faceveil.verify.carve import carve

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"


def _face() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB").crop((60, 0, 380, 320)).resize((240, 240))


def _saved(form: str, mode: str = "RGB", frames: int = 1, **options: object) -> bytes:
    out = io.BytesIO()
    more = [_face().rotate(3 * i).convert(mode) for i in range(1, frames)]
    moving = {"save_all": True, "append_images": more} if more else {}
    _face().convert(mode).save(out, form, **moving, **options)
    return out.getvalue()


def _heic() -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(_face()).save(out)
    return out.getvalue()


def _dicom() -> bytes:
    pydicom = pytest.importorskip("pydicom", reason="needs pydicom: pip install 'faceveil[dicom]'")
    pixels = np.asarray(_face())
    made = pydicom.Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"  # VL photographic image
    made.SOPInstanceUID, made.Modality = "1.2.3", "XC"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.4", "1.2.5"
    made.PatientName, made.PatientID = "Example^Alice", "0815"
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PixelData = pixels.tobytes()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


MAKERS: dict[str, Callable[[], bytes]] = {
    "a.jpg": lambda: _saved("JPEG", quality=90),
    "progressive.jpg": lambda: _saved("JPEG", progressive=True),
    "grey.jpg": lambda: _saved("JPEG", "L"),
    "cmyk.jpg": lambda: _saved("JPEG", "CMYK"),
    "a.png": lambda: _saved("PNG"),
    "palette.png": lambda: _saved("PNG", "P"),
    "moving.png": lambda: _saved("PNG", frames=3, duration=100),
    "a.webp": lambda: _saved("WEBP"),
    "moving.webp": lambda: _saved("WEBP", frames=3, duration=100),
    "a.gif": lambda: _saved("GIF"),
    "moving.gif": lambda: _saved("GIF", frames=3, duration=100, loop=0),
    "a.bmp": lambda: _saved("BMP"),
    "a.tif": lambda: _saved("TIFF"),
    "pages.tif": lambda: _saved("TIFF", frames=2, compression="tiff_lzw"),
    "a.avif": lambda: _saved("AVIF"),
    "a.heic": _heic,
    "a.jp2": lambda: _saved("JPEG2000"),
    "a.j2k": lambda: _saved("JPEG2000", no_jp2=True),
    "a.ppm": lambda: _saved("PPM"),
    "a.pgm": lambda: _saved("PPM", "L"),
    "a.dcm": _dicom,
}


WAYS = [(name, "auto") for name in MAKERS] + [(name, "reencode") for name in MAKERS if name.endswith(".jpg")]


@pytest.mark.parametrize(("name", "jpeg"), WAYS)
def test_own_outputs_are_published_when_verified(name: str, jpeg: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(MAKERS[name]())
    made = faceveil.veil(tmp_path / name, verify=True, jpeg=jpeg)
    assert made.faces >= 1
    assert carve(made.output.read_bytes()) == []


def test_comments_and_trailers_of_plain_formats_are_found() -> None:
    pixels = bytes(range(48))
    assert [leak.what for leak in carve(b"P6\n# Alice\n4 4\n255\n" + pixels)] == ["a comment ( Alice)"]
    assert [leak.what for leak in carve(b"P6 4 4 255\n" + pixels + b"more")] == ["data after the end of the picture"]
    j2k = MAKERS["a.j2k"]()
    assert carve(j2k) == []
    assert [leak.what for leak in carve(j2k + b"more")] == ["data after the end of the picture"]
    dicom = bytearray(_dicom())
    dicom[:4] = b"II*\0"
    assert carve(bytes(dicom))[0].what == "data in the preamble"
