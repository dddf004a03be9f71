"""Animations: every frame is decoded as it is shown, covered, and written so that nothing shines through."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import media_samples as samples
import moving_samples as moving
import numpy as np
import pytest
from moving_samples import BACKGROUND, KEEP, PREVIOUS, Part
from PIL import Image

import faceveil
from faceveil import media
from faceveil.errors import OutputError, UnreadableError, UnsupportedError
from faceveil.media.codecs import Encoder
from faceveil.types import Frame, FramePlan, Plan, Regions

SECONDS = [Fraction(1, 10), Fraction(7, 100), Fraction(1, 2), Fraction(3, 100), Fraction(2)]
FORMATS = ("GIF", "PNG", "WebP", "AVIF")


def animation(form: str, *, needles: bool = False) -> bytes:
    """Five scenes as each format stores them: GIF and APNG as differences, with a default picture in the APNG."""
    scenes = [moving.scene(i) for i in range(5)]
    parts = moving.timed([Part(scene) for scene in scenes], SECONDS)
    milliseconds = [int(1000 * s) for s in SECONDS]
    middle = samples.gif_extension(0xFE, b"CANARY-COMMENT") if needles else b""
    middle += samples.gif_extension(0xFF, b"XMP DataXMP", samples.xmp()[:200]) if needles else b""
    if form == "GIF":
        return moving.gif((64, 48), parts, loop=3, middle=middle)
    if form == "PNG":
        text = samples.chunk(b"tEXt", b"Author\x00CANARY") + samples.chunk(b"eXIf", samples.exif(1)) if needles else b""
        return moving.apng((64, 48), parts, loop=3, default=moving.scene(7), extra=text)
    more: dict[str, Any] = {"exif": samples.exif(1), "xmp": samples.xmp()} if needles else {}
    if form == "WebP":
        more |= {"loop": 3, "lossless": True}
    return moving.saved(form, scenes, duration=milliseconds, icc_profile=samples.SRGB, **more)


def plan_for(source: media.Source, method: str = "solid:color=black") -> Plan:
    """Each scene's face, to be covered."""
    frames = []
    for i in range(source.info.frames):
        regions = Regions(np.array([moving.face(i)], np.float32), np.ones(1, np.float32))
        frames.append(FramePlan(regions, (method,), source.info.of(i).size, i))
    return Plan("it", tuple(frames), source.digest)


def covered(path: Path, target: Path) -> bytes:
    faceveil.apply(path, plan_for(media.open(path)), target)
    return target.read_bytes()


def leaks(frame: moving.RGBA) -> int:
    """How many pixels of a frame look like any of the faces: yellow, whatever the coding did to them."""
    red, green, blue = (frame[..., c].astype(int) for c in range(3))
    return int(((red > 200) & (green > 150) & (blue < 80) & (frame[..., 3] > 0)).sum())


@pytest.mark.parametrize("form", FORMATS)
def test_every_frame_is_covered_as_seen_by_others(form: str, tmp_path: Path) -> None:
    path, target = tmp_path / "a", tmp_path / "b"
    path.write_bytes(animation(form))
    assert all(leaks(frame) > 100 for frame in moving.by_pillow(path.read_bytes()))
    data = covered(path, target)
    seen = {"Pillow": moving.by_pillow(data), "OpenCV": moving.by_opencv(data)}
    if form in ("GIF", "PNG"):
        seen["FFmpeg"] = moving.by_ffmpeg(data, form)
    for name, frames in seen.items():
        assert (name, len(frames)) == (name, 5)
        for i, frame in enumerate(frames):
            assert (name, i, leaks(frame)) == (name, i, 0)
            x1, y1, x2, y2 = moving.face(i)
            assert frame[y1:y2, x1:x2, :3].max() < 40  # black, up to the coding


@pytest.mark.parametrize("form", FORMATS)
def test_time_and_loop_stay(form: str) -> None:
    source = media.open(animation(form))
    frames = list(source)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time for frame in frames] == [sum(SECONDS[:i], Fraction(0)) for i in range(5)]
    again = media.open(written(source))
    assert again.info.animation is not None
    assert again.info.animation.durations == tuple(SECONDS)
    assert again.info.animation.loop == (0 if form == "AVIF" else 3)
    assert [frame.time for frame in again] == [frame.time for frame in frames]


def written(source: media.Source) -> bytes:
    encoder = Encoder(source.info)
    for frame in source:
        encoder.append(frame)
    return encoder.finish()


@pytest.mark.parametrize("form", FORMATS)
def test_no_needle_is_in_an_animation(form: str) -> None:
    data = animation(form, needles=True)
    assert samples.CANARY in data
    out = written(media.open(data))
    for word in (samples.CANARY, b"xmpmeta", b"XMP", b"Exif", b"EXIF", b"eXIf", b"tEXt"):
        assert word not in out
    assert media.open(out).info.icc == media.open(data).info.icc


@pytest.mark.parametrize("form", ["GIF", "PNG", "WebP"])
def test_what_is_not_covered_stays_exact(form: str) -> None:
    source = media.open(animation(form))
    for before, after in zip(source, media.open(written(source)), strict=True):
        assert np.array_equal(before.pixels, after.pixels)


@pytest.mark.parametrize("dispose", [KEEP, BACKGROUND, PREVIOUS])
@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_a_face_kept_in_a_buffer_does_not_come_back(form: str, dispose: str, tmp_path: Path) -> None:
    """A face in the first frame alone, beneath later patches that the disposal takes away again."""
    patch = np.full((10, 10, 4), (90, 90, 200, 255), np.uint8)
    parts = [Part(moving.scene(0)), *(Part(patch, 4 + i, 4, dispose) for i in range(3))]
    data = moving.gif((64, 48), parts) if form == "GIF" else moving.apng((64, 48), parts)
    path, target = tmp_path / "a", tmp_path / "b"
    path.write_bytes(data)
    source = media.open(path)
    first = moving.face(0)
    lines = [
        FramePlan(Regions(np.array([first], np.float32), np.ones(1, np.float32)), ("solid:color=black",), (64, 48), i)
        for i in range(4)
    ]
    faceveil.apply(path, Plan("it", tuple(lines), source.digest), target)
    for frames in (moving.by_pillow(target.read_bytes()), moving.by_ffmpeg(target.read_bytes(), form)):
        assert [leaks(frame) for frame in frames] == [0] * 4


@pytest.mark.parametrize("form", ["GIF", "PNG", "WebP"])
def test_colours_under_transparency_are_painted_too(form: str, tmp_path: Path) -> None:
    frames = [moving.scene(i) for i in range(3)]
    for frame in frames:
        frame[:, :32, 3] = 0  # hides half of the picture, and the faces with it
    path, target = tmp_path / "a", tmp_path / "b"
    parts = [Part(frame) for frame in frames]
    if form == "WebP":
        path.write_bytes(moving.saved("WebP", frames, alpha=True, lossless=True))
    else:
        path.write_bytes(moving.gif((64, 48), parts) if form == "GIF" else moving.apng((64, 48), parts))
    assert media.open(path).info.alpha
    out = covered(path, target)
    for before, after in zip(media.open(path), moving.by_pillow(out), strict=True):
        assert before.alpha is not None
        assert np.array_equal(before.alpha, after[..., 3])
        bare = after.copy()
        bare[..., 3] = 255
        x1, y1, x2, y2 = moving.face(before.index)
        assert leaks(bare[y1:y2, x1:x2]) == 0


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WebP"])
def test_colours_under_transparency_of_stills_are_painted_too(form: str, tmp_path: Path) -> None:
    scene = moving.scene(0)
    scene[..., 3] = 0
    path, target = tmp_path / "a", tmp_path / "b"
    Image.fromarray(scene).save(path, form.lower(), **({"lossless": True, "exact": True} if form == "WebP" else {}))
    (before,) = media.open(path)
    assert leaks(np.dstack([before.pixels, np.full((48, 64), 255)]).astype(np.uint8)) > 100
    covered(path, target)
    (after,) = media.open(target)
    assert after.alpha is not None
    assert not after.alpha.any()
    assert leaks(np.dstack([after.pixels, np.full((48, 64), 255)]).astype(np.uint8)) == 0


def test_a_default_picture_is_dropped_and_said() -> None:
    source = media.open(animation("PNG"))
    assert source.info.notes == ("The default picture beside the animation is dropped.",)
    seen = [tuple(frame.pixels[1, 1]) for frame in source]
    assert seen == [tuple(moving.scene(i)[1, 1, :3]) for i in range(5)]
    out = written(source)
    first = out.index(b"IDAT")
    assert out.index(b"fcTL") < first  # the picture that simple viewers show is the first frame
    assert b"default" not in " ".join(media.open(out).info.notes).encode()


def test_an_apng_of_one_frame() -> None:
    still = media.open(moving.apng((64, 48), [Part(moving.scene(0))]))
    assert (still.info.animation, still.info.frames, len(list(still))) == (None, 1, 1)
    beside = media.open(moving.apng((64, 48), [Part(moving.scene(0))], default=moving.scene(1)))
    (frame,) = beside
    assert np.array_equal(frame.pixels, moving.scene(0)[..., :3])
    assert media.open(written(beside)).info.frames == 1


def test_a_grey_apng_becomes_colour_where_one_frame_is_painted_in_colour() -> None:
    grey = [np.repeat(moving.scene(i)[..., :1], 4, axis=2) for i in range(3)]
    source = media.open(moving.saved("PNG", grey))
    info = media.Info("PNG", 64, 48, grey=True, animation=source.info.animation)
    encoder = Encoder(info)
    for frame in source:
        pixels = frame.pixels.copy()
        if frame.index == 2:
            pixels[5:9, 5:9] = (200, 10, 10)
        encoder.append(Frame(pixels, index=frame.index))
    again = list(media.open(encoder.finish()))
    assert tuple(again[2].pixels[6, 6]) == (200, 10, 10)
    assert np.array_equal(again[0].pixels, next(iter(source)).pixels)


def test_sixteen_bit_animations_stay_so() -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16) for _ in range(3)]
    info = media.Info("PNG", 30, 20, bits=16, animation=media.Animation((Fraction(1, 7),) * 3, 5))
    encoder = Encoder(info)
    for pixels in frames:
        encoder.append(Frame(pixels))
    again = media.open(encoder.finish())
    assert again.info.animation == info.animation
    assert all(np.array_equal(a, b.pixels) for a, b in zip(frames, again, strict=True))


def test_turned_animations_come_out_upright() -> None:
    tag = samples.chunk(b"eXIf", samples.exif(6))
    source = media.open(moving.apng((64, 48), [Part(moving.scene(i)) for i in range(3)], extra=tag))
    assert source.info.size == (48, 64)
    assert [(f.width, f.height) for f in media.open(written(source))] == [(48, 64)] * 3


def test_a_gif_keeps_256_colours_and_transparency() -> None:
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (255, 3), dtype=np.uint8)
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[..., :3] = colours[rng.integers(0, 255, (48, 64))]
    pixels[:10, :10, 3] = 0
    source = media.open(moving.gif((64, 48), [Part(pixels), Part(pixels[:, ::-1])]))
    for before, after in zip(source, media.open(written(source)), strict=True):
        assert before.alpha is not None
        assert after.alpha is not None
        assert np.array_equal(before.alpha, after.alpha)
        assert np.array_equal(before.pixels[before.alpha > 0], after.pixels[before.alpha > 0])


def test_a_veil_over_a_full_palette_leaves_the_rest_nearly_exact() -> None:
    """All 256 colours in use, a smooth field over a quarter of the picture: the rest loses next to nothing."""
    y, x = np.mgrid[0:96, 0:128]
    step = (7 * x + 11 * y) % 255  # 255 colours on a curve, all of them everywhere
    rgba = np.stack([step, 255 - step, 128 + 100 * np.sin(step / 40), 0 * step + 255], axis=2).astype(np.uint8)
    source = media.open(moving.gif((128, 96), [Part(rgba)]))
    painted = next(iter(source)).pixels.copy()
    painted[20:68, 30:94] = np.stack([100 + y, 90 + x // 2, 120 + 0 * x], axis=2)[20:68, 30:94]
    made = media.encode(Frame(painted), media.Info("GIF", 128, 96, coding=source.info.coding))
    (frame,) = media.open(made)
    outside = np.ones((96, 128), bool)
    outside[20:68, 30:94] = False
    error = (frame.pixels.astype(float) - painted) ** 2
    assert len(np.unique(painted[outside], axis=0)) == 255
    assert 10 * np.log10(255**2 / max(error[outside].mean(), 1e-3)) > 38
    assert 10 * np.log10(255**2 / error[~outside].mean()) > 32


def test_the_profile_of_a_gif_stays() -> None:
    profile = [samples.SRGB[i : i + 255] for i in range(0, len(samples.SRGB), 255)]
    block = samples.gif_extension(0xFF, b"ICCRGBG1012", *profile)
    data = moving.gif((64, 48), [Part(moving.scene(0))], loop=None)
    data = data[:781] + block + data[781:]
    source = media.open(data)
    assert source.info.icc == samples.SRGB
    assert media.open(written(source)).info.icc == samples.SRGB


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.97, 0.8, 0.5, 0.2])
@pytest.mark.parametrize("form", FORMATS)
def test_cut_off_animations_are_refused(form: str, share: float) -> None:
    data = animation(form)
    with pytest.raises(UnreadableError):
        list(media.open(data[: int(len(data) * share)]))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("keep", [0, 1, 47])
def test_a_gif_whose_pixels_end_early_inside_is_refused(keep: int, interlaced: bool) -> None:
    """Well-formed blocks, with an end code before the last row: viewers show what lies beneath."""
    rows = np.zeros((48, 64), np.uint8)
    short = moving.lzw(rows[:keep]) if keep else b"\x08\x03\x00\x03\x02\x00"  # clear, end
    whole = moving.gif((64, 48), [Part(moving.scene(0), interlaced=interlaced)])
    at = whole.index(b"\x2c", 781)
    data = whole[: at + 10 + 768] + short + b";"
    with pytest.raises(UnreadableError):
        list(media.open(data))


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 6},  # one more is promised than there is
        {"frames": 4},
        {"frames": 0},
    ],
    ids=str,
)
def test_apngs_that_contradict_themselves(change: dict[str, int]) -> None:
    parts = [Part(moving.scene(i)) for i in range(5)]
    with pytest.raises(UnreadableError):
        list(media.open(moving.apng((64, 48), parts, frames=change["frames"])))


@pytest.mark.parametrize("left", [1, 100, 0xFFFFFFFF])
def test_an_apng_frame_outside_of_its_canvas_is_refused(left: int) -> None:
    data = moving.apng((64, 48), [Part(moving.scene(0)), Part(moving.scene(1), left=left)])
    with pytest.raises(UnreadableError):
        list(media.open(data))


def test_gif_images_beyond_the_canvas_are_clipped_and_larger_ones_refused() -> None:
    small = np.full((10, 10, 4), (200, 0, 0, 255), np.uint8)
    frames = list(media.open(moving.gif((64, 48), [Part(moving.scene(0)), Part(small, 60, 44)])))
    assert tuple(frames[1].pixels[47, 63]) == (200, 0, 0)
    data = bytearray(moving.gif((64, 48), [Part(moving.scene(0)), Part(moving.scene(1))]))
    last = data.rindex(struct.pack("<BHHHH", 0x2C, 0, 0, 64, 48))
    data[last + 5 : last + 9] = struct.pack("<HH", 60000, 60000)
    with pytest.raises(UnreadableError):
        list(media.open(bytes(data)))


def test_a_canvas_smaller_than_the_first_image_grows() -> None:
    data = bytearray(moving.gif((64, 48), [Part(moving.scene(0))]))
    data[6:10] = bytes(4)
    (frame,) = media.open(bytes(data))
    assert np.array_equal(frame.pixels, moving.scene(0)[..., :3])


def test_heif_sequences_are_refused_in_words() -> None:
    avif = animation("AVIF")
    heif = avif[:8] + b"msf1" + avif[12:16] + b"msf1" * ((avif[3] - 16) // 4) + avif[avif[3] :]
    with pytest.raises(UnsupportedError, match="is an image sequence"):
        media.open(heif)


def test_sinks_take_exactly_the_frames_of_the_source(tmp_path: Path) -> None:
    source, target = media.open(animation("GIF")), tmp_path / "a.gif"
    frames = list(source)
    for wrong, said in (
        (frames[:4], "got 4 of 5 frames, so nothing"),
        ([*frames, frames[0]], "can hold 5 frames only"),
    ):
        with pytest.raises(OutputError, match=said), media.create(target, source.info) as sink:
            for frame in wrong:
                sink.append(frame)
    assert not target.exists()
    with media.create(target, source.info) as sink:
        for frame in frames:
            sink.append(frame)
    assert target.exists()


def test_an_error_between_frames_writes_nothing(tmp_path: Path) -> None:
    source, target = media.open(animation("PNG")), tmp_path / "a.png"
    with pytest.raises(ZeroDivisionError), media.create(target, source.info) as sink:
        sink.append(next(iter(source)))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
