"""DICOM pixels in and out: exact, the right way round, and covered in every frame."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from faceveil import media, pipeline
from faceveil.errors import OutputError, UnsupportedError
from faceveil.types import Frame

if os.environ.get("FACEVEIL_REQUIRE_SYSTEM") != "1":
    pytest.importorskip("pydicom", reason="needs pydicom: pip install 'faceveil[dicom]'")
    pytest.importorskip("dicomanonymizer", reason="needs dicom-anonymizer: pip install 'faceveil[dicom]'")

import dicom_samples as samples
import pydicom
from dicom_samples import written
from pydicom.pixels import convert_color_space  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(7)

GREY8 = RNG.integers(0, 256, (1, 36, 42), dtype=np.uint8)
GREY12 = RNG.integers(0, 4096, (1, 36, 42), dtype=np.uint16)
GREY16 = RNG.integers(0, 65536, (1, 36, 42), dtype=np.uint16)
SIGNED = RNG.integers(-2048, 2048, (1, 36, 42), dtype=np.int16)
COLOUR16 = RNG.integers(0, 65536, (1, 36, 42, 3), dtype=np.uint16)
PADDED = np.where(GREY12 < 99, 0, GREY12 + 1000).astype(np.uint16)
NATIVE = ("implicit", "explicit", "deflated", "big endian")
CASES: list[tuple[str, NDArray[Any], str, int, dict[str, Any]]] = [
    *((s, GREY8, p, 8, {}) for s in (*NATIVE, "rle", "jpeg lossless") for p in ("MONOCHROME1", "MONOCHROME2")),
    *((s, samples.colour()[None], "RGB", 8, {}) for s in (*NATIVE, "rle", "jpeg lossless", "jpeg-ls", "jpeg 2000")),
    *((s, GREY12, "MONOCHROME2", 12, {}) for s in (*NATIVE, "rle", "jpeg-ls", "jpeg 2000")),
    *((s, GREY16, "MONOCHROME1", 16, {}) for s in ("explicit", "rle", "jpeg-ls", "jpeg 2000")),
    *((s, SIGNED, "MONOCHROME2", 12, {}) for s in ("implicit", "explicit", "rle")),
    ("explicit", GREY8 >> 2, "MONOCHROME2", 6, {}),
    ("explicit", GREY8.view(np.int8), "MONOCHROME2", 8, {}),
    ("explicit", GREY12 >> 5, "MONOCHROME2", 7, {}),
    ("explicit", SIGNED, "MONOCHROME2", 16, {"RescaleSlope": -1, "RescaleIntercept": 0}),
    ("explicit", GREY12, "MONOCHROME2", 12, {"PresentationLUTShape": "INVERSE"}),
    (
        "explicit",
        np.where(GREY12 < 99, 0, GREY12 + 1000).astype(np.uint16),
        "MONOCHROME2",
        16,
        {"PixelPaddingValue": 0},
    ),
    ("explicit", samples.colour()[None], "RGB", 8, {"PlanarConfiguration": 1}),
    ("explicit", COLOUR16, "RGB", 16, {}),
    ("big endian", COLOUR16, "RGB", 16, {}),
    ("explicit", COLOUR16 >> 4, "RGB", 12, {"PlanarConfiguration": 1}),
    ("explicit", np.stack([samples.colour(seed=s) for s in range(5)]), "RGB", 8, {}),
    ("rle", np.stack([samples.colour(seed=s) for s in range(5)]), "RGB", 8, {}),
    ("explicit", RNG.integers(100, 300, (4, 36, 42), dtype=np.uint16), "MONOCHROME2", 16, {}),
    ("explicit", RNG.integers(0, 256, (3, 5, 7), dtype=np.uint8), "MONOCHROME2", 8, {}),  # an odd number of bytes
]


@pytest.mark.parametrize(
    ("syntax", "pixels", "photometric", "stored", "more"), CASES, ids=[f"{c[0]}-{c[2]}-{c[3]}" for c in CASES]
)
def test_stored_values_come_back_exactly(
    tmp_path: Path, syntax: str, pixels: NDArray[Any], photometric: str, stored: int, more: dict[str, Any]
) -> None:
    data = samples.make(pixels, photometric, stored, syntax, **more)
    source, again = written(data, tmp_path / "out.dcm")
    assert source.info.size == (pixels.shape[2], pixels.shape[1])
    assert again.file_meta.TransferSyntaxUID == samples.SYNTAXES["explicit"]
    assert np.array_equal(again.pixel_array.reshape(pixels.shape), pixels)
    assert (again.BitsAllocated, again.BitsStored, again.HighBit) == (pixels.itemsize * 8, stored, stored - 1)
    assert again.PhotometricInterpretation == photometric
    assert again.get("NumberOfFrames", 1) == len(pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_pixels_outside_a_cover_are_identical_and_inside_new(tmp_path: Path, bits: int) -> None:
    pixels = COLOUR16 if bits == 16 else samples.colour(36, 42)[None]
    data = samples.make(pixels, "RGB", bits)
    (frame,) = media.open(data)
    painted = frame.pixels.copy()
    painted[5:15, 10:20] = 0
    _, again = written(data, tmp_path / "out.dcm", [Frame(painted)])
    inside = np.zeros((36, 42), bool)
    inside[5:15, 10:20] = True
    assert np.array_equal(again.pixel_array[~inside], pixels[0][~inside])
    assert (again.pixel_array[inside] == pixels.min() * (bits == 16)).all()


def test_twelve_bits_in_sixteen_are_shown_bright() -> None:
    """A detector looks at the upper 8 of 16 bits: unstretched, 0..4095 would be a black picture."""
    (frame,) = media.open(samples.make(GREY12, "MONOCHROME2", 16))
    assert frame.pixels.dtype == np.uint16
    assert frame.pixels.max() > 60000
    assert frame.pixels.min() < 100


def test_eight_bits_under_a_window_are_shown_bright_and_come_back(tmp_path: Path) -> None:
    data = samples.make(GREY8 // 8, "MONOCHROME2", WindowCenter=16, WindowWidth=32)
    source, again = written(data, tmp_path / "out.dcm")
    (frame,) = source
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.max() > 240
    assert np.array_equal(again.pixel_array, GREY8[0] // 8)
    assert (again.WindowCenter, again.WindowWidth) == (16, 32)


@pytest.mark.parametrize(
    ("photometric", "more", "dark"),
    [
        ("MONOCHROME1", {}, True),
        ("MONOCHROME2", {}, False),
        ("MONOCHROME2", {"PresentationLUTShape": "INVERSE"}, True),
        ("MONOCHROME1", {"RescaleSlope": -1, "RescaleIntercept": 0}, False),
    ],
)
@pytest.mark.parametrize("pixels", [GREY8, GREY12], ids=["8", "12"])
def test_grey_is_shown_the_right_way_round(
    pixels: NDArray[Any], photometric: str, more: dict[str, Any], *, dark: bool
) -> None:
    stored = 8 if pixels.dtype == np.uint8 else 12
    (frame,) = media.open(samples.make(pixels, photometric, stored, **more))
    lightest = np.unravel_index(pixels[0].argmax(), pixels[0].shape)
    assert (frame.pixels[lightest][0] < 100) == dark


def test_overlays_in_unused_bits_are_dropped(tmp_path: Path) -> None:
    _, again = written(samples.make(GREY12 | 0x8000, "MONOCHROME2", 12), tmp_path / "out.dcm")
    assert np.array_equal(np.frombuffer(again.PixelData, "<u2").reshape(GREY12.shape), GREY12)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_ybr_is_written_as_the_rgb_that_readers_show(tmp_path: Path, photometric: str) -> None:
    ybr = samples.colour()
    if photometric == "YBR_FULL_422":
        ybr[:, 1::2, 1:] = ybr[:, ::2, 1:]
    wanted = convert_color_space(ybr, "YBR_FULL", "RGB")
    made = samples.dataset(ybr[None], photometric)
    load = ybr.tobytes()
    if photometric == "YBR_FULL_422":  # Y Y Cb Cr for two pixels (PS3.3, C.7.6.3.1.2)
        pairs = ybr.reshape(-1, 2, 3)
        load = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], axis=1).tobytes()
    made.add_new("PixelData", "OB", load)
    source, again = written(samples.saved(made), tmp_path / "out.dcm")
    assert again.PhotometricInterpretation == "RGB"
    assert np.array_equal(again.pixel_array, wanted)
    assert f"Its {photometric} colours are written as RGB." in source.info.notes


def test_jpeg_frames_are_shown_as_a_jpeg_reader_shows_them(tmp_path: Path) -> None:
    smooth = np.asarray(Image.fromarray(samples.colour(4, 5)).resize((40, 32), Image.Resampling.BICUBIC))
    data = samples.make(np.stack([smooth, smooth[::-1]]), "YBR_FULL", syntax="jpeg")
    source, again = written(data, tmp_path / "out.dcm")
    wanted = np.asarray(Image.open(BytesIO(samples.baseline(smooth)))).astype(int)
    assert np.abs(again.pixel_array[0] - wanted).max() <= 2
    assert (again.LossyImageCompression, again.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert "Its pixels, stored as JPEG Baseline (Process 1), are written uncompressed." in source.info.notes
    assert b"CANARY" not in (tmp_path / "out.dcm").read_bytes()


@pytest.mark.parametrize(("factor", "shift"), [(257, 8), (256, 8), (1, 0), (251, None)])
def test_palettes_become_rgb(tmp_path: Path, factor: int, shift: int | None) -> None:
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * factor
    made = samples.dataset(GREY8, "PALETTE COLOR")
    for name, entries in zip(("Red", "Green", "Blue"), table, strict=True):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{name}PaletteColorLookupTableData", entries.astype("<u2").tobytes())
    made.add_new("PixelData", "OB", GREY8.tobytes())
    _, again = written(samples.saved(made), tmp_path / "out.dcm")
    wanted = np.moveaxis(table[:, GREY8[0]], 0, 2)
    assert np.array_equal(again.pixel_array, wanted if shift is None else wanted >> shift)
    assert again.pixel_array.dtype == (np.uint16 if shift is None else np.uint8)
    assert not [e for e in again if "Palette" in e.name]


def test_grey_that_was_painted_in_colour_becomes_rgb_in_all_frames(tmp_path: Path) -> None:
    pixels = RNG.integers(-2000, 2000, (3, 36, 42), dtype=np.int16)
    data = samples.make(pixels, "MONOCHROME1", 12, SOPClassUID=f"{samples.CAPTURE}.3", WindowCenter=1, WindowWidth=2)
    frames = list(media.open(data))
    painted = frames[1].pixels.copy()
    painted[:9, :9] = (65535, 0, 0)
    _, again = written(data, tmp_path / "out.dcm", [frames[0], Frame(painted), frames[2]])
    assert (again.PhotometricInterpretation, again.BitsStored, again.PixelRepresentation) == ("RGB", 8, 0)
    assert again.SOPClassUID == f"{samples.CAPTURE}.4"
    assert "WindowCenter" not in again
    for shown, frame in zip(again.pixel_array, [frames[0].pixels, painted, frames[2].pixels], strict=True):
        assert np.array_equal(shown, frame >> 8)


def test_frames_from_elsewhere_become_a_new_capture(tmp_path: Path) -> None:
    frame = Frame(samples.colour())
    (tmp_path / "new.dcm").write_bytes(media.encode(frame, media.Info.plain("DICOM", frame)))
    again = pydicom.dcmread(tmp_path / "new.dcm")
    assert again.SOPClassUID == samples.CAPTURE
    assert np.array_equal(again.pixel_array, frame.pixels)


def test_profile_stays_byte_for_byte(tmp_path: Path) -> None:
    from PIL import ImageCms  # noqa: PLC0415

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc += bytes(len(icc) % 2)
    _, again = written(samples.make(samples.colour()[None], "RGB", ICCProfile=icc), tmp_path / "out.dcm")
    assert again.ICCProfile == icc


def test_a_sink_takes_frames_of_one_size_only(tmp_path: Path) -> None:
    info = media.open(samples.make(samples.colour()[None], "RGB")).info
    with pytest.raises(OutputError, match="one size"), media.create(tmp_path / "a.dcm", info) as sink:
        sink.append(Frame(samples.colour(8, 8)))
    assert not list(tmp_path.iterdir())


def test_a_face_is_covered_in_every_frame(tmp_path: Path, portrait: Path) -> None:
    with Image.open(portrait) as image:
        face = np.asarray(image.convert("RGB").resize((256, 256)))
    pixels = np.stack([face, face[:, ::-1]])
    source = tmp_path / "scan.dcm"
    source.write_bytes(samples.make(pixels, "RGB"))
    done = pipeline.veil(source, preset="fast")
    assert (done.output, done.faces) == (tmp_path / "scan_veiled.dcm", 2)
    again = pydicom.dcmread(done.output)
    assert again.RecognizableVisualFeatures == "NO"
    for shown, stored in zip(again.pixel_array, pixels, strict=True):
        changed = (shown != stored).any(axis=2)
        assert 0.05 < changed.mean() < 0.6
        rows, columns = np.nonzero(changed)
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert changed[box].mean() > 0.7
    assert len(list(media.open(done.output))) == 2
    blurred = pipeline.veil(source, tmp_path / "blurred.dcm", preset="fast", method="blur")
    assert pydicom.dcmread(blurred.output).RecognizableVisualFeatures == "YES"


def test_a_dark_grey_face_is_found(tmp_path: Path, portrait: Path) -> None:
    with Image.open(portrait) as image:
        grey = np.asarray(image.convert("L").resize((256, 256))).astype(np.uint16) * 16
    source = tmp_path / "scan.dcm"
    source.write_bytes(samples.make(4095 - grey[None], "MONOCHROME1", 16))
    done = pipeline.veil(source, preset="fast")
    assert done.faces == 1
    again = pydicom.dcmread(done.output)
    assert again.PhotometricInterpretation == "MONOCHROME1"
    assert (again.pixel_array == 4095 - grey).mean() > 0.4


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["SC_rgb_jpeg_dcmtk", "SC_rgb_rle_2frame", "SC_ybr_full_422_uncompressed"])
def test_real_captures(shared: Path, tmp_path: Path, name: str) -> None:
    path = shared / "tricky" / "dicom" / f"{name}.dcm"
    original = pydicom.dcmread(path)
    _, again = written(path.read_bytes(), tmp_path / "out.dcm")
    assert np.array_equal(again.pixel_array, original.pixel_array)
    out = (tmp_path / "out.dcm").read_bytes()
    for keyword in ("PatientName", "PatientID", "SOPInstanceUID", "StudyInstanceUID", "StudyDate", "StudyTime"):
        value = str(original.get(keyword) or "")
        assert not value or value.encode() not in out


@pytest.mark.shared_data
def test_real_ultrasound_is_refused(shared: Path) -> None:
    for name in ("examples_jpeg2k", "examples_rgb_color", "examples_ybr_color"):
        with pytest.raises(UnsupportedError, match="Ultrasound"):
            media.open(shared / "tricky" / "dicom" / f"{name}.dcm")
