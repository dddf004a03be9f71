"""Real files with all the quirks of cameras, phones and test suites; see ../shared/data/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceveil import media
from faceveil.errors import InputError

pytestmark = pytest.mark.shared_data

CUT = "ends too early: some of its pixels are missing"
DAMAGED = "is damaged: it cannot be decoded completely"
ULTRASOUND = (
    "is a DICOM of the kind 'Ultrasound Image Storage'; of DICOM only photographs, endoscopy, microscopy and secondary "
    "captures are supported"
)

# Folders whose outcome is fixed file by file; "" is a picture.
EXPECTED = {
    "corrupt/IllegalArgumentException.HeifReader.processBoxes.heif": DAMAGED,
    "corrupt/NegativeArraySizeException.ItemInfoBox.init.heif": CUT,
    "corrupt/broken.png": CUT,
    "corrupt/broken_data_stream.png": DAMAGED,
    "corrupt/corrupted.hif": CUT,
    "corrupt/crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif": CUT,
    "corrupt/crash-4f085cc12ece8cde18758d42608bed6a2a2cfb1c.tif": CUT,
    "corrupt/empty_gps_ifd.jpg": "",
    "corrupt/ianare_invalid_image00971.jpg": "",
    "corrupt/ianare_invalid_image01137.jpg": "",
    "corrupt/invalid_header_length.jp2": DAMAGED,
    "corrupt/truncated_app14.jpg": "",
    "corrupt/truncated_exif_dpi.jpg": "",
    "corrupt/truncated_image.png": CUT,
    "corrupt/truncated_jpeg.jpg": CUT,
    "formats_faces/hopper_bad_exif.jpg": DAMAGED,
    "formats_faces/ultrahdr.jpg": CUT,
    "derived/truncated_60pct.jpg": CUT,
    "derived/gt.json": "is not a picture",
    "heif/bird_burst.heic": "is an image sequence; only its cover picture would be covered, so it is refused",
    "derived/anim.gif": "",
    "derived/anim.webp": "",
    "derived/anim_apng.png": "",
    "derived/multipage.tif": "",
    "avif/star-8bpc.avifs": "",
    "metadata_other/delay.png": "",
    "metadata_other/mode_palette.png": "",
    "dicom/examples_jpeg2k.dcm": ULTRASOUND,
    "dicom/examples_rgb_color.dcm": ULTRASOUND,
}
# Refused anywhere else: these only.
ELSEWHERE = ("FACTS.tsv", "dicom/examples", "hopper.ico", "hopper.psd", "corrupted.heic", "truncated.heic")


def outcome(path: Path) -> str:
    """The refusal without the name, or nothing. Other exceptions fail the test by themselves."""
    try:
        source = media.open(path)
        sizes = [(frame.width, frame.height) for frame in source]
        assert sizes == [source.info.of(i).size for i in range(source.info.frames)]
    except InputError as error:
        text = str(error)
        assert text.startswith(f"{path} ")
        assert "\n" not in text
        return text.removeprefix(f"{path} ")
    return ""


def test_every_file_is_a_picture_or_a_sentence(shared: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = {str(p.relative_to(shared / "tricky")): p for p in (shared / "tricky").rglob("*") if p.is_file()}
    assert len(files) >= 140
    assert set(EXPECTED) <= set(files)
    for name, path in files.items():
        said = outcome(path)
        if name in EXPECTED:
            assert (name, said) == (name, EXPECTED[name])
        elif said:
            assert any(part in name for part in ELSEWHERE), f"{name} {said}"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_turned_pictures_are_the_same_upright(shared: Path, suffix: str) -> None:
    folder = shared / "tricky" / "orientation_faces"
    frames = [next(iter(media.open(folder / f"hopper_orientation_{i}.{suffix}"))).pixels for i in range(2, 9)]
    for frame in frames[1:]:
        assert np.abs(frame.astype(int) - frames[0]).mean() < 6


def test_turned_pictures_with_thumbnails_are_the_same_upright(shared: Path, tmp_path: Path) -> None:
    first: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None = None
    for i in range(1, 9):
        source = media.open(shared / "tricky" / "derived" / f"orient_{i}_thumb_gps.jpg")
        (frame,) = source
        assert (source.info.orientation, source.info.size) == (i, (512, 260))
        first = frame.pixels.astype(np.int64) if first is None else first
        assert np.abs(frame.pixels.astype(int) - first).mean() < 3
        target = tmp_path / f"{i}.jpg"
        with media.create(target, source.info) as sink:
            sink.append(frame)
        written = target.read_bytes()
        assert written.count(b"\xff\xd8\xff") == 1
        assert b"Exif" not in written


def test_crops_and_turns_of_avif(shared: Path) -> None:
    folder = shared / "tricky" / "avif"
    whole = next(iter(media.open(folder / "kimono.avif"))).pixels.astype(int)
    for name in ("mirror-horizontal", "rotate90", "rotate270"):  # stored turned, shown the same
        frame = next(iter(media.open(folder / f"kimono.{name}.avif"))).pixels
        assert frame.shape == whole.shape
        assert np.abs(frame - whole).mean() < 5
    assert media.open(folder / "kimono.crop.avif").info.size == (385, 330)


def test_what_is_dropped_is_said(shared: Path) -> None:
    for name, note in {
        "formats_faces/frozenpond.mpo": "1 more picture in this file is dropped.",
        "derived/trailer_second_jpeg.jpg": "Another picture after the end of the picture is dropped.",
        "motion_photo/PXL_20200710_061629144.MP.jpg": "The video after the picture (motion photo) is dropped.",
        "derived/cmyk.jpg": "Its CMYK colours are converted to sRGB.",
        "heif/RGB_10__128x128.heif": "Its 10-bit colours are reduced to 8 bits.",
        "heif/zPug_3.heic": "2 more pictures in this file are dropped.",
    }.items():
        assert media.open(shared / "tricky" / name).info.notes == (note,)
