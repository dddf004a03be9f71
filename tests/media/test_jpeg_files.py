"""JPEG comes out with the source's tables, subsampling and kind, so that little changes outside faces."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import media_samples as samples
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceveil import media
from faceveil.media import jpeg, jpeg_file
from faceveil.media.info import Info, JpegCoding
from faceveil.types import Frame


def photo() -> NDArray[np.uint8]:
    """Something with detail in all channels: blurred noise, 320 x 240."""
    rng = np.random.default_rng(4)
    small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    noise = rng.normal(0, 4, (240, 320, 1))
    return np.clip(np.asarray(small.resize((320, 240), Image.Resampling.BICUBIC)) + noise, 0, 255).astype(np.uint8)


def saved(**options: Any) -> bytes:
    out = BytesIO()
    Image.fromarray(photo()).save(out, "JPEG", **options)
    return out.getvalue()


def pixels(data: bytes) -> NDArray[np.int64]:
    """As any other reader sees it."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def psnr(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    return float(10 * np.log10(255**2 / max(float(((a - b) ** 2).mean()), 1e-9)))


def again(data: bytes) -> bytes:
    source = media.open(data)
    (frame,) = source
    return media.encode(frame, source.info)


def coding(data: bytes) -> JpegCoding:
    found = media.open(data).info.coding
    assert isinstance(found, JpegCoding)
    return found


OWN = [[min(255, 3 + i // 3) for i in range(64)], [min(255, 5 + i // 2) for i in range(64)]]
CASES: dict[str, dict[str, Any]] = {
    "420": {"quality": 85},
    "422": {"quality": 90, "subsampling": 1},
    "444": {"quality": 75, "subsampling": 0},
    "progressive": {"quality": 85, "progressive": True},
    "optimised": {"quality": 85, "optimize": True},
    "own tables": {"qtables": OWN},
    "three tables": {"qtables": [*OWN, [v + 1 for v in OWN[1]]]},
    "restarts": {"quality": 85, "restart_marker_rows": 2},
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_coding_size_and_nearly_the_same_pixels(case: str) -> None:
    data = saved(**CASES[case])
    written = again(data)
    assert coding(written) == coding(data)
    assert psnr(pixels(written), pixels(data)) >= 45
    assert 0.9 <= len(written) / len(data) <= 1.1
    with Image.open(BytesIO(data)) as image:
        assert list(coding(data).tables[0]) == list(image.quantization[0])  # type: ignore[attr-defined]


def test_grey_stays_grey() -> None:
    out = BytesIO()
    Image.fromarray(photo()).convert("L").save(out, "JPEG", quality=85)
    written = again(out.getvalue())
    with Image.open(BytesIO(written)) as image:
        assert image.mode == "L"
    assert psnr(pixels(written), pixels(out.getvalue())) >= 45
    assert coding(written).tables == coding(out.getvalue()).tables


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("case", ["420", "422", "444", "own tables", "progressive"])
def test_tables_and_subsampling_turn_with_the_picture(case: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(**CASES[case], exif=exif)
    with Image.open(BytesIO(data)) as image:
        from PIL import ImageOps  # noqa: PLC0415

        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    written = again(data)
    # Turned 4:2:2 would be 4:4:0, which no encoder here writes with turned tables; it becomes 4:4:4 (docs/formats.md).
    lost = case == "422" and orientation > 4
    full = case == "444" or lost
    assert psnr(pixels(written), wanted) >= (41 if lost else 45)
    assert coding(written).tables == coding(data).tables
    assert coding(written).subsampling == ("444" if full else coding(data).subsampling)


@pytest.mark.parametrize("sampling", ["440", "411"])
def test_rare_subsampling_is_kept_with_standard_tables(sampling: str) -> None:
    import simplejpeg  # noqa: PLC0415

    data = simplejpeg.encode_jpeg(photo(), 85, "RGB", sampling)
    written = again(data)
    assert coding(written) == coding(data)
    assert coding(data).subsampling == sampling
    assert psnr(pixels(written), pixels(data)) >= 45


@pytest.mark.parametrize("quality", [1, 25, 49, 50, 51, 75, 90, 95, 100])
def test_standard_tables_are_known_by_their_quality(quality: int) -> None:
    found = coding(saved(quality=quality, subsampling=0))
    assert found.tables[:2] in jpeg._qualities()
    encoded = jpeg._by_turbo(photo(), jpeg._qualities()[found.tables[:2]], "444")
    assert coding(encoded).tables == found.tables


def test_pixels_from_cmyk_are_what_other_readers_see() -> None:
    out = BytesIO()
    Image.fromarray(photo()).convert("CMYK").save(out, "JPEG", quality=95)
    (frame,) = media.open(out.getvalue())
    assert np.array_equal(frame.pixels, pixels(out.getvalue()))


def test_long_profiles_take_several_segments() -> None:
    icc = bytearray(samples.SRGB + bytes(150_000))
    icc[:4] = len(icc).to_bytes(4, "big")
    data = saved(icc_profile=bytes(icc))
    assert media.open(data).info.icc == bytes(icc)
    assert media.open(again(data)).info.icc == bytes(icc)


def test_segments_of_the_output_are_the_pictures_and_ours() -> None:
    data = again(saved(icc_profile=samples.SRGB, exif=samples.exif(1), comment=b"x", dpi=(300, 300)))
    file = jpeg_file.read(data)
    assert file.end == len(data)
    kept = sum(b - a for a, b in file.body)
    assert len(data) == 2 + 18 + (2 + 2 + 14 + len(samples.SRGB)) + kept + 2  # SOI, JFIF, ICC, picture, EOI
    assert file.dpi == (300, 300)


def test_pictures_from_nowhere_are_written_finely() -> None:
    data = media.encode(Frame(photo()), Info.plain("JPEG", Frame(photo())))
    assert coding(data).subsampling == "444"
    assert psnr(pixels(data), photo().astype(int)) > 38
