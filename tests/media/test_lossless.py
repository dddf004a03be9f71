"""Lossless JPEG: outside the painted MCUs every coefficient stays, inside none, and nothing else comes along."""

from __future__ import annotations

import ctypes
from io import BytesIO
from pathlib import Path

import media_samples as samples
import numpy as np
import pytest
from lossless_samples import (
    KINDS,
    assert_clean,
    assert_coefficients,
    assert_pixels,
    made,
    need_turbo,
    needled,
    photo,
    picture_of,
    psnr,
    upright,
    written,
)
from numpy.typing import NDArray
from PIL import Image

from faceveil import Plan, Policy, apply, media
from faceveil.deidentify.paint import paint_area
from faceveil.media import jpeg_file, lossless, turbojpeg
from faceveil.types import FramePlan, Regions


@pytest.fixture(autouse=True, scope="module")
def _library() -> None:
    need_turbo()


# --- what stays, what changes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("kind", KINDS)
def test_only_painted_mcus_change(kind: str, progressive: bool, orientation: int, tmp_path: Path) -> None:
    data = made(kind, progressive=progressive, orientation=orientation)
    grey = kind == "grey"
    out, notes = written(data, tmp_path, colour=100 if grey else (70, 130, 90))
    assert notes == ()
    assert_coefficients(data, out, kind, orientation)
    assert_pixels(upright(data), upright(out), (100, 100, 100) if grey else (70, 130, 90))
    assert_clean(out, orientation)
    before, after = jpeg_file.read(data), jpeg_file.read(out)
    assert (before.marker, before.components, before.tables) == (after.marker, after.components, after.tables)


@pytest.mark.parametrize("kind", ["420", "rgb"])
def test_profile_and_resolution_stay(kind: str, tmp_path: Path) -> None:
    out = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"keep_rgb": True, "subsampling": 0} if kind == "rgb" else {}
    Image.fromarray(photo()).save(out, "JPEG", icc_profile=samples.SRGB, dpi=(300, 150), exif=exif, **options)
    if kind == "rgb":  # Pillow writes no JFIF here, so the resolution comes from EXIF
        exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 150.0, 2
        Image.fromarray(photo()).save(out := BytesIO(), "JPEG", icc_profile=samples.SRGB, exif=exif, **options)
    data, _ = written(out.getvalue(), tmp_path)
    before, after = media.open(out.getvalue()).info, media.open(data).info
    assert (after.icc, after.dpi, after.orientation) == (samples.SRGB, before.dpi, 6)
    assert before.dpi == (150, 300)


def test_restart_markers_and_own_tables(tmp_path: Path) -> None:
    tables = [[min(255, 3 + i // 3) for i in range(64)], [min(255, 5 + i // 2) for i in range(64)]]
    out = BytesIO()
    Image.fromarray(photo()).save(out, "JPEG", qtables=tables, restart_marker_rows=2, optimize=True, subsampling=2)
    data, _ = written(out.getvalue(), tmp_path)
    assert_coefficients(out.getvalue(), data, "420", 1)
    assert_pixels(upright(out.getvalue()), upright(data), (70, 130, 90))


def test_arithmetic_coding_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TJ_ARITHMETIC", "1")
    data = _compressed(photo())
    monkeypatch.delenv("TJ_ARITHMETIC")
    if jpeg_file.read(data).marker != 0xC9:
        pytest.skip("this libturbojpeg writes no arithmetic coding")
    out, _ = written(data, tmp_path)
    assert_coefficients(data, out, "420", 1)


def _compressed(pixels: NDArray[np.uint8]) -> bytes:
    """By the library itself, which has its options in environment variables."""
    turbo, out, size = turbojpeg.library(), ctypes.c_void_p(), ctypes.c_ulong()
    turbo.tjInitCompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(turbo.tjInitCompress())
    height, width = pixels.shape[:2]
    arguments = (pixels.tobytes(), width, 0, height, 0, ctypes.byref(out), ctypes.byref(size), 2, 88, 0)
    assert turbo.tjCompress2(handle, *arguments) == 0
    data = ctypes.string_at(out, size.value)
    turbo.tjFree(out)
    turbo.tjDestroy(handle)
    return data


def test_nothing_painted_changes_no_coefficient(tmp_path: Path) -> None:
    data = made("420", orientation=6)
    source = media.open(data)
    (frame,) = source
    with media.create(tmp_path / "out.jpg", source.info, source=source, jpeg="lossless") as sink:
        sink.append(frame, np.zeros(frame.pixels.shape[:2], bool))
    out = (tmp_path / "out.jpg").read_bytes()
    assert np.array_equal(upright(out), upright(data))
    pairs = zip(turbojpeg.coefficients(out), turbojpeg.coefficients(picture_of(data)), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_rewriting_what_was_decoded_changes_little(tmp_path: Path) -> None:
    data = made("420")
    source = media.open(data)
    (frame,) = source
    out = lossless.rewrite(data, source.info, frame, np.ones(frame.pixels.shape[:2], bool))
    assert psnr(upright(out), upright(data)) > 45


def test_a_jfif_header_decides_about_colours_as_in_other_readers() -> None:
    out = BytesIO()
    Image.fromarray(photo()).save(out, "JPEG", keep_rgb=True, subsampling=0)
    data = out.getvalue()
    jfif = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    for file in (data, data[:2] + jfif + data[2:]):
        (frame,) = media.open(file)
        assert np.abs(frame.pixels - upright(file)).max() <= 2


# --- privacy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("kind", "progressive"), [("420", False), ("444", False), ("411", True), ("grey", False)])
@pytest.mark.parametrize("method", ["veil", "solid"])
def test_two_faces_under_one_cover_give_the_same_bytes(
    kind: str, progressive: bool, orientation: int, method: str, tmp_path: Path
) -> None:
    first = made(kind, progressive=progressive, orientation=orientation)
    (frame,) = media.open(first)
    regions = Regions(np.array([[38, 20, 74, 64], [100, 60, 130, 101]], np.float32), np.array([0.9, 0.8], np.float32))
    plan, hard = (FramePlan(regions, (m, m), (frame.width, frame.height)) for m in (method, "solid"))
    _, where = paint_area(frame, hard, Policy().area)  # without the soft edge, where originals shine through
    stored = np.asarray(samples.turned(Image.fromarray(where), orientation))
    second = _other_face(first, stored, KINDS[kind], progressive=progressive, orientation=orientation)
    outputs = []
    for name, data in (("a", first), ("b", second)):
        (tmp_path / f"{name}.jpg").write_bytes(data)
        policy = {"jpeg": "lossless", "method": method, "seed": 1}
        apply(tmp_path / f"{name}.jpg", Plan(name, (plan,), policy=policy), tmp_path / f"{name}_out.jpg")
        outputs.append((tmp_path / f"{name}_out.jpg").read_bytes())
    assert first != second
    assert not np.array_equal(upright(first), upright(second))
    assert outputs[0] == outputs[1]


def _other_face(
    data: bytes, stored: NDArray[np.bool_], unit: tuple[int, int], *, progressive: bool, orientation: int
) -> bytes:
    """The same file with random coefficients in the MCUs that are covered completely."""
    rows, columns = unit
    height, width = stored.shape
    count = -(-height // rows), -(-width // columns)
    full = np.array(
        [
            [stored[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns].all() for x in range(count[1])]
            for y in range(count[0])
        ]
    )
    assert full.sum() >= 2
    shapes = [part.shape[:2] for part in turbojpeg.coefficients(picture_of(data))]
    rng = np.random.default_rng(3)

    def change(component: int, row: int, blocks: NDArray[np.int16]) -> None:
        down, across = (-(-n // m) for n, m in zip(shapes[component], count, strict=True))
        mine = full.repeat(down, 0).repeat(across, 1)[row, : len(blocks)]
        blocks[mine] = rng.integers(-6, 7, (mine.sum(), 64))

    changed = turbojpeg.transform(picture_of(data), change, progressive=progressive)
    return needled(changed, orientation)
