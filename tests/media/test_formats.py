"""Every format and mode in and out: upright pixels, no tag, profile and resolution kept."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import media_samples as samples
import numpy as np
import pytest
from PIL import Image, ImageCms

from faceveil import media
from faceveil.errors import UnreadableError
from faceveil.media.info import JpegCoding, TiffCoding, WebpCoding
from faceveil.media.kinds import KINDS
from faceveil.types import Frame


def only(source: media.Source) -> Frame:
    frames = list(source)
    assert len(frames) == 1
    return frames[0]


def through(data: bytes) -> tuple[media.Source, bytes]:
    """A source and the file that is written from it."""
    source = media.open(data)
    return source, media.encode(only(source), source.info)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", samples.TAGGED)
def test_all_orientations_come_out_upright(form: str, orientation: int) -> None:
    source, written = through(samples.make(form, orientation=orientation))
    assert source.info.size == (samples.WIDTH, samples.HEIGHT)
    assert samples.close(only(source).pixels, samples.picture(), form)
    again = media.open(written)
    assert (again.info.format, again.info.size, again.info.orientation) == (form, source.info.size, 1)
    assert samples.close(only(again).pixels, samples.picture(), form)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sixteen_bit_tiff_is_turned_once(orientation: int) -> None:
    upright = samples.picture().astype(np.uint16) * 257
    ways = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1]}
    across = np.swapaxes(upright, 0, 1)
    ways |= {5: across, 6: across[::-1], 7: across[::-1, ::-1], 8: across[:, ::-1]}
    stored = ways[orientation]
    frame = only(media.open(samples.tiff16(np.ascontiguousarray(stored), orientation)))
    assert np.array_equal(frame.pixels, upright)


@pytest.mark.parametrize("form", samples.TAGGED)
def test_profile_stays_byte_for_byte(form: str) -> None:
    source, written = through(samples.make(form, icc_profile=samples.SRGB))
    assert source.info.icc == samples.SRGB
    assert media.open(written).info.icc == samples.SRGB


@pytest.mark.parametrize(
    ("form", "orientation"), [*((f, o) for f in ("JPEG", "PNG", "TIFF") for o in (1, 6)), ("BMP", 1)]
)
def test_resolution_stays_and_turns_with_the_picture(form: str, orientation: int) -> None:
    _, written = through(samples.make(form, orientation=orientation, dpi=(300, 150)))
    wanted = (300, 150) if orientation == 1 else (150, 300)
    assert media.open(written).info.dpi == pytest.approx(wanted, abs=0.05)


def test_resolution_is_taken_from_exif_where_jfif_has_none() -> None:
    out = BytesIO()
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 240.0, 120.0, 2
    Image.fromarray(samples.picture()).save(out, "JPEG", exif=exif)
    assert media.open(out.getvalue()).info.dpi == (240, 120)


MODES = {
    "JPEG": ("L", "RGB"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "WebP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "HEIC": ("L", "RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "JPEG 2000": ("L", "LA", "RGB", "RGBA"),
    "PNM": ("1", "L", "RGB"),
}


@pytest.mark.parametrize(("form", "mode"), [(form, mode) for form, modes in MODES.items() for mode in modes])
def test_modes_keep_grey_and_alpha(form: str, mode: str) -> None:
    wanted = Image.fromarray(samples.picture()).convert(mode).convert("RGB")
    source, written = through(samples.make(form, mode))
    frame, again = only(source), media.open(written)
    assert samples.close(frame.pixels, np.asarray(wanted), form)
    assert samples.close(only(again).pixels, np.asarray(wanted), form)
    assert source.info.grey == again.info.grey == (mode in ("1", "L", "LA"))
    assert source.info.alpha == again.info.alpha == (mode in ("LA", "RGBA"))
    if mode in ("LA", "RGBA"):
        alpha, kept = frame.alpha, only(again).alpha
        assert alpha is not None
        assert kept is not None
        assert np.abs(alpha.astype(int) - samples.alpha()).max() <= 3
        assert np.abs(kept.astype(int) - samples.alpha()).max() <= 6


@pytest.mark.parametrize(
    ("mode", "transparency"), [("P", b"\x00\xff\x80"), ("L", 60), ("RGB", (230, 40, 40))], ids=["P", "L", "RGB"]
)
def test_transparent_colours_of_png_become_alpha(mode: str, transparency: object) -> None:
    data = samples.make("PNG", mode, transparency=transparency)
    with Image.open(BytesIO(data)) as image:
        wanted = np.asarray(image.convert("RGBA"))
    source, written = through(data)
    for frame in (only(source), only(media.open(written))):
        assert frame.alpha is not None
        assert np.array_equal(frame.alpha, wanted[..., 3])
        assert np.array_equal(frame.pixels, wanted[..., :3])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_stay_sixteen(form: str, channels: int) -> None:
    rng = np.random.default_rng(channels)
    pixels = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    alpha = rng.integers(0, 65536, (20, 30), dtype=np.uint16) if channels in (2, 4) else None
    if channels < 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    first = media.Info(form, 30, 20, bits=16, grey=channels < 3, icc=samples.SRGB, dpi=(300, 200))
    source, written = through(media.encode(Frame(pixels, alpha), first))
    frame = only(media.open(written))
    assert frame.pixels.dtype == np.uint16
    assert np.array_equal(frame.pixels, pixels)
    assert (frame.alpha is None) == (alpha is None)
    if alpha is not None:
        assert frame.alpha is not None
        assert np.array_equal(frame.alpha, alpha)
    assert source.info.bits == 16
    assert media.open(written).info.icc == samples.SRGB
    assert media.open(written).info.dpi == pytest.approx((300, 200), abs=0.05)


def test_sixteen_bit_frames_are_rounded_down_for_formats_of_eight() -> None:
    pixels = samples.picture().astype(np.uint16) * 257
    frame = only(media.open(media.encode(Frame(pixels), media.Info("BMP", 64, 48))))
    assert np.array_equal(frame.pixels, samples.picture())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "HEIC", "JPEG 2000", "PNM"])
def test_a_grey_picture_painted_in_colour_becomes_colour(form: str) -> None:
    source = media.open(samples.make(form, "L"))
    painted = only(source).pixels.copy()
    painted[10:30, 10:30] = (250, 30, 30)
    again = media.open(media.encode(Frame(painted), source.info))
    assert not again.info.grey
    assert samples.close(only(again).pixels[14:26, 14:26], painted[14:26, 14:26], form)


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "CMYK"), ("TIFF", "CMYK"), ("TIFF", "LAB")])
def test_other_colour_models_become_srgb_without_their_profile(form: str, mode: str) -> None:
    image = Image.fromarray(samples.picture())
    if mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        image = ImageCms.applyTransform(image, transform) or image
    out = BytesIO()
    image.convert(mode).save(out, form, icc_profile=samples.SRGB, **({"quality": 98} if form == "JPEG" else {}))
    source, written = through(out.getvalue())
    name = {"LAB": "Lab"}.get(mode, mode)
    assert source.info.notes == (f"Its {name} colours are converted to sRGB.",)
    assert source.info.icc == media.open(written).info.icc == b""
    assert np.abs(only(source).pixels.astype(int) - samples.picture()).mean() < 3


@pytest.mark.parametrize("form", samples.TAGGED)
def test_profiles_that_do_not_fit_are_dropped_and_said(form: str) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    info = media.open(samples.make(form, icc_profile=lab)).info
    assert info.icc == b""
    assert info.notes == ("Its colour profile is for Lab and does not fit its colours; it is dropped.",)


def test_a_profile_with_a_tail_is_dropped_and_said() -> None:
    info = media.open(samples.make("PNG", icc_profile=samples.SRGB + samples.CANARY)).info
    assert (info.icc, info.notes) == (b"", ("Its colour profile is damaged and is dropped.",))


def test_a_grey_profile_does_not_stay_on_a_picture_painted_in_colour() -> None:
    grey = bytearray(samples.SRGB)
    grey[16:20] = b"GRAY"
    source = media.open(samples.make("PNG", "L", icc_profile=bytes(grey)))
    assert source.info.icc == bytes(grey)
    assert media.open(media.encode(only(source), source.info)).info.icc == bytes(grey)
    assert media.open(media.encode(Frame(samples.picture()), source.info)).info.icc == b""


def test_codings_are_kept() -> None:
    for lossless in (True, False):
        _, written = through(samples.make("WebP", lossless=lossless))
        assert media.open(written).info.coding == WebpCoding(lossless)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        _, written = through(samples.make("TIFF", compression=compression))
        assert media.open(written).info.coding == TiffCoding(compression)


@pytest.mark.parametrize("form", samples.FORMATS)
def test_frames_from_nowhere_can_be_written(form: str, tmp_path: Path) -> None:
    frame = Frame(samples.picture())
    info = media.Info.plain(form, frame)
    with media.create(tmp_path / "out", info) as sink:
        sink.append(frame)
    again = media.open(tmp_path / "out")
    assert again.info.format == form
    assert samples.close(only(again).pixels, samples.picture(), form)
    assert media.suffix_for(info) == KINDS[form].suffixes[0]


def test_suffixes_follow_the_content() -> None:
    jpeg = media.open(samples.make("JPEG")).info
    assert isinstance(jpeg.coding, JpegCoding)
    for name, suffix in {"a.JPG": ".JPG", "a.jpeg": ".jpeg", "a.png": ".jpg", "a": ".jpg", "a.mpo": ".jpg"}.items():
        assert media.output_suffix(Path(name), jpeg) == suffix


def test_iterating_again_reads_the_file_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(samples.make("PNG"))
    source = media.open(path)
    assert np.array_equal(only(source).pixels, only(source).pixels)
    path.write_bytes(samples.make("PNG", "L"))
    with pytest.raises(UnreadableError, match=r"a\.png has changed since it was opened$"):
        list(source)
