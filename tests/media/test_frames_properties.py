"""Any GIF and APNG, with every disposal, blending, offset, palette and transparency: what viewers show is covered."""

from __future__ import annotations

from fractions import Fraction

import moving_samples as moving
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_samples import BACKGROUND, KEEP, PREVIOUS, Part

from faceveil import media
from faceveil.deidentify.paint import paint
from faceveil.media.codecs import Encoder
from faceveil.policy import Area
from faceveil.types import FramePlan, Regions

WIDTH, HEIGHT = 24, 18
BOX = (7, 5, 15, 12)  # is covered in every frame
GROUND, SECRET = [(20, 90, 140), (200, 60, 60), (60, 160, 80)], [(250, 200, 10), (240, 0, 240), (0, 250, 250)]


@st.composite
def parts(draw: st.DrawFn, *, alphas: tuple[int, ...]) -> list[Part]:
    """Two to five rectangles somewhere in the canvas, with patches of ground, secret and transparent pixels."""
    made = []
    for _ in range(draw(st.integers(2, 5))):
        left, top = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
        left, top = (0, 0) if draw(st.booleans()) else (left, top)
        width, height = draw(st.integers(1, WIDTH - left)), draw(st.integers(1, HEIGHT - top))
        if draw(st.booleans()):
            width, height = WIDTH - left, HEIGHT - top
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        pixels = np.empty((height, width, 4), np.uint8)
        pixels[..., :3] = np.array(GROUND)[rng.integers(0, 3, (height, width))]
        y1, x1 = max(0, BOX[1] - top), max(0, BOX[0] - left)
        y2, x2 = max(y1, BOX[3] - top), max(x1, BOX[2] - left)
        face = pixels[y1:y2, x1:x2]
        face[..., :3] = np.array(SECRET)[rng.integers(0, 3, face.shape[:2])]
        pixels[..., 3] = np.array(alphas)[rng.integers(0, len(alphas), (height, width))]
        pixels[pixels[..., 3] == 0] = 0
        made.append(
            Part(
                pixels,
                left,
                top,
                draw(st.sampled_from([KEEP, BACKGROUND, PREVIOUS])),
                draw(st.booleans()),
                Fraction(draw(st.integers(0, 300)), 100),
                draw(st.booleans()),
                draw(st.booleans()),
            )
        )
    return made


def painted(data: bytes) -> tuple[media.Source, bytes, list[moving.RGBA]]:
    """The source, the output with `BOX` covered in every frame, and the frames that went into it."""
    source = media.open(data)
    encoder, wanted = Encoder(source.info), []
    regions = Regions(np.array([BOX], np.float32), np.ones(1, np.float32))
    for frame in source:
        plan = FramePlan(regions, ("solid:color=black",), (WIDTH, HEIGHT), frame.index)
        done = paint(frame, plan, Area())
        encoder.append(done)
        alpha = np.full(done.pixels.shape[:2], 255, np.uint8) if done.alpha is None else done.alpha
        wanted.append(np.dstack([done.pixels, alpha]).astype(np.uint8))
    return source, encoder.finish(), wanted


def expect_same(frames: list[moving.RGBA], wanted: list[moving.RGBA], name: str) -> None:
    """The same as a viewer sees, with any colours below alpha 0, and nowhere a secret, not even there."""
    assert (name, len(frames)) == (name, len(wanted))
    for seen, asked in zip(frames, wanted, strict=True):
        assert np.array_equal(seen[..., 3], asked[..., 3]), name
        visible = asked[..., 3] > 0
        assert np.array_equal(seen[visible], asked[visible]), name
        x1, y1, x2, y2 = BOX
        assert not (seen[y1:y2, x1:x2, None, :3] == np.array(SECRET)).all(axis=3).any(), name


def check(data: bytes, form: str, size: tuple[int, int], made: list[Part], slack: int) -> None:
    shown = moving.shown(size, made)
    source, out, wanted = painted(data)
    for frame, asked in zip(media.open(data), shown, strict=True):
        alpha = np.full(asked.shape[:2], 255, np.uint8) if frame.alpha is None else frame.alpha
        assert np.abs(alpha.astype(int) - asked[..., 3]).max() <= slack
        visible = asked[..., 3] > 0
        assert np.abs(frame.pixels.astype(int) - asked[..., :3])[visible].max(initial=0) <= slack
    expect_same(moving.by_pillow(out), wanted, "Pillow")
    expect_same(moving.by_ffmpeg(out, form), wanted, "FFmpeg")
    again = media.open(out)
    assert source.info.animation is not None
    assert again.info.animation == source.info.animation
    assert source.info.animation.durations == tuple(part.seconds for part in made)


@given(parts(alphas=(255, 255, 0)))
@settings(max_examples=50)
def test_gifs(made: list[Part]) -> None:
    made = [Part(p.pixels, p.left, p.top, p.dispose, True, p.seconds, p.interlaced, p.own_table) for p in made]
    check(moving.gif((WIDTH, HEIGHT), made), "GIF", (WIDTH, HEIGHT), made, 0)


@given(parts(alphas=(255, 128, 0)), st.booleans())
@settings(max_examples=50)
def test_apngs(made: list[Part], beside: bool) -> None:
    if not beside:  # the first frame is the picture itself and fills the canvas
        whole = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        whole[made[0].place] = made[0].pixels
        made = [Part(whole, 0, 0, made[0].dispose, made[0].over, made[0].seconds), *made[1:]]
    default = np.full((HEIGHT, WIDTH, 4), (250, 200, 10, 255), np.uint8) if beside else None
    check(moving.apng((WIDTH, HEIGHT), made, default=default), "PNG", (WIDTH, HEIGHT), made, 1)


@given(parts(alphas=(255, 255, 0)))
@settings(max_examples=25)
def test_apngs_with_a_palette(made: list[Part]) -> None:
    default = np.full((HEIGHT, WIDTH, 4), (250, 200, 10, 255), np.uint8)
    check(moving.apng((WIDTH, HEIGHT), made, default=default, kind="P"), "PNG", (WIDTH, HEIGHT), made, 0)
