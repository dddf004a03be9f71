"""What every registered method owes, whatever it is. New methods are found by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scenes import covered, picture, plan

from faceveil import plugins
from faceveil.deidentify.base import Deidentifier
from faceveil.deidentify.paint import method, paint
from faceveil.policy import Area

if TYPE_CHECKING:
    from pathlib import Path

NAMES = plugins.names(plugins.DEIDENTIFY)
VARIANTS = ["solid:color=ring", "blur:kernel=7", "blur:sigma_px=6", "mosaic:cells=3,b=40", "mask:over=mouth"]
RANDOM = {"noise", "mosaic:cells=3,b=40"}
BOXES = [[20, 18, 40, 44], [44, 20, 62, 42]]

Spec = str


@pytest.fixture(params=NAMES + VARIANTS)
def spec(request: pytest.FixtureRequest, sticker: Path) -> Spec:
    name: str = request.param
    return f"image:path={sticker}" if name == "image" else name


def reach(spec: Spec) -> float:
    """How far a method paints beyond the cover; a touch more, for pixels that the shape only just misses."""
    return max(method(spec).feather, 1e-5)


def test_the_known_methods_are_registered() -> None:
    assert {"veil", "solid", "image", "blur", "mosaic", "noise", "mask", "keep"} <= set(NAMES)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shape_type_alpha_and_input_are_kept(spec: Spec, dtype: type[np.uint8]) -> None:
    frame = picture(dtype=dtype, alpha=True)
    before, alpha = frame.pixels.copy(), frame.alpha
    out = paint(frame, plan(frame, BOXES, spec, landmarks=True), Area(), seed=1)
    assert out.pixels.shape == frame.pixels.shape
    assert out.pixels.dtype == dtype
    assert out.alpha is not None
    assert alpha is not None
    assert np.array_equal(out.alpha, alpha)
    assert np.array_equal(frame.pixels, before)
    assert (out.index, out.time) == (frame.index, frame.time)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", ["rounded", "ellipse", "box"])
def test_pixels_outside_are_bit_identical(spec: Spec, shape: str, dtype: type[np.uint8]) -> None:
    frame = picture(dtype=dtype)
    area = Area.model_validate({"shape": shape})
    out = paint(frame, plan(frame, BOXES, spec, landmarks=True), area, seed=1)
    outside = ~covered(frame, BOXES, area, grown=reach(spec))
    assert outside.any()
    assert np.array_equal(out.pixels[outside], frame.pixels[outside])


def test_it_hides_something_unless_it_keeps(spec: Spec) -> None:
    frame = picture()
    out = paint(frame, plan(frame, BOXES, spec, landmarks=True), Area(), seed=1)
    changed = (out.pixels != frame.pixels).any(axis=2)
    if spec == "keep":
        assert not changed.any()
    elif not spec.startswith("mask"):
        # Noise leaves 30 %, the others change nearly all: few colours come out as they went in by chance.
        assert changed[covered(frame, BOXES)].mean() > 0.6
    else:
        assert changed.any()


def test_the_same_seed_gives_the_same_bytes(spec: Spec) -> None:
    frame = picture()
    asked = plan(frame, BOXES, spec, landmarks=True)
    one, two = (paint(frame, asked, Area(), seed=5).pixels for _ in range(2))
    assert np.array_equal(one, two)
    # Without a seed only those that need randomness differ; the others say the same thing every time.
    free = [paint(frame, asked, Area()).pixels for _ in range(2)]
    assert np.array_equal(free[0], free[1]) == (spec not in RANDOM)


def test_only_independent_methods_are_smooth_and_randomness_is_declared(spec: Spec) -> None:
    assert not method(spec).smooth or method(spec).promise == "independent"
    assert method(spec).random or spec not in RANDOM


def test_frames_and_faces_get_randomness_of_their_own() -> None:
    frame = picture()
    pixels = np.zeros_like(frame.pixels)
    black = type(frame)(pixels)
    later = type(frame)(pixels, index=1)
    asked = plan(black, [[10, 10, 20, 22], [55, 10, 65, 22]], "noise:percent=100")
    first = paint(black, asked, Area(regular=False), seed=3).pixels
    second = paint(later, asked, Area(regular=False), seed=3).pixels
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[5:30, 0:30], first[5:30, 45:75])


@pytest.mark.parametrize("size", range(1, 11))
def test_tiny_pictures_and_faces(spec: Spec, size: int) -> None:
    frame = picture(size, size)
    whole = paint(frame, plan(frame, [[0, 0, size, size]], spec, landmarks=True), Area(), seed=1)
    assert whole.pixels.shape == frame.pixels.shape
    wide = picture(40, 30)
    box = [[15.3, 12.7, 15.3 + size, 12.7 + size]]
    out = paint(wide, plan(wide, box, spec, landmarks=True), Area(), seed=1)
    if spec not in ("keep",) and not spec.startswith("mask"):
        assert (out.pixels != wide.pixels).any(axis=2)[covered(wide, box)].mean() > 0.5


@pytest.mark.parametrize(
    "box",
    [
        [-30, -30, 10, 12],
        [80, 60, 120, 100],
        [-500, -400, 600, 500],
        [40, 30, 40, 30],
        [30, 20, 30, 50],
        [-1e30, -1e30, 1e30, 1e30],
        [-90, 10, -60, 40],
        [200, 200, 230, 240],
    ],
)
def test_faces_at_the_border_larger_than_the_picture_outside_or_without_area(spec: Spec, box: list[float]) -> None:
    frame = picture()
    out = paint(frame, plan(frame, [box], spec), Area(), seed=1)
    assert out.pixels.shape == frame.pixels.shape
    inside = covered(frame, [box])
    outside = ~covered(frame, [box], grown=reach(spec))
    assert np.array_equal(out.pixels[outside], frame.pixels[outside])
    if inside.any() and spec != "keep":  # without landmarks `mask` fills the whole cover
        assert (out.pixels != frame.pixels).any(axis=2)[inside].mean() > 0.5


def test_no_faces_gives_the_frame_itself() -> None:
    frame = picture()
    assert paint(frame, plan(frame, [], ()), Area()) is frame


def test_five_hundred_faces(spec: Spec) -> None:
    frame = picture(400, 300)
    rng = np.random.default_rng(0)
    corner = rng.uniform([0, 0], [390, 290], (500, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 9, (500, 2))], axis=1).tolist()
    out = paint(frame, plan(frame, boxes, spec), Area(), seed=1)
    outside = ~covered(frame, boxes, grown=reach(spec))
    assert np.array_equal(out.pixels[outside], frame.pixels[outside])
    if spec != "keep":
        assert (out.pixels != frame.pixels).any(axis=2)[covered(frame, boxes)].mean() > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_what_it_is(name: str) -> None:
    kind = plugins.load(plugins.DEIDENTIFY, name)
    assert issubclass(kind, Deidentifier)
    assert kind.name == name
    assert kind.privacy in ("independent", "bounded", "cosmetic")
    assert kind.evidence or kind.privacy == "independent"
    assert kind.__doc__
    assert all(field.description for field in kind.model_fields.values())


def test_claims_are_one_sentence_with_the_figure(spec: Spec) -> None:
    made = method(spec)
    assert made.claim.startswith(made.name)
    assert "\n" not in made.claim
    if made.promise == "cosmetic":
        assert "re-identifiable" in made.claim
    assert method(made.spec) == made
