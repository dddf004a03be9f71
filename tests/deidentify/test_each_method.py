"""What each method is for, beyond what all of them owe."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scenes import covered, picture, plan

from faceveil.deidentify.mosaic import Mosaic
from faceveil.deidentify.paint import method, paint
from faceveil.errors import RequestError
from faceveil.policy import Area
from faceveil.types import Frame

if TYPE_CHECKING:
    from pathlib import Path

FACE = [[30, 22, 50, 46]]
PLAIN = Area(width=1, height=1, up=0, shape="box", regular=False)


def painted(frame: Frame, spec: str, boxes: Any = FACE, area: Area | None = None, landmarks: bool = True) -> Any:
    return paint(frame, plan(frame, boxes, spec, landmarks=landmarks), area or Area(), seed=1).pixels


# --- solid and image -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("color", "rgb"), [("black", (0, 0, 0)), ("tomato", (255, 99, 71)), ("#102030", (16, 32, 48)), ("#fff", (255,) * 3)]
)
@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 1), (np.uint16, 257)])
def test_solid_colours(color: str, rgb: tuple[int, int, int], dtype: type[np.uint8], scale: int) -> None:
    out = painted(picture(dtype=dtype), f"solid:color={color}")
    assert (out[covered(picture(), FACE)] == np.array(rgb) * scale).all()


def test_the_ring_is_what_lies_around() -> None:
    pixels: Any = np.full((70, 90, 3), 255, np.uint8)
    pixels[:, :] = (40, 80, 120)
    pixels[covered(picture(), FACE)] = (255, 0, 0)
    out = painted(Frame(pixels), "solid:color=ring")
    assert (out == (40, 80, 120)).all()


def test_a_ring_that_is_not_there_is_grey() -> None:
    out = painted(picture(20, 20), "solid:color=ring", [[-50, -50, 70, 70]])
    assert (out == 128).all()


def test_the_sticker_keeps_its_aspect_and_nothing_shows_through(sticker: Path) -> None:
    frame = picture()
    area = Area(width=1, height=1, up=0, shape="box", regular=False)
    out = painted(frame, f"image:path={sticker},color=blue", [[10, 10, 70, 70]], area).astype(int)
    part = out[10:70, 10:70]
    assert not part[:, :, 1].any()  # the green below its transparent pixels
    assert part.sum(axis=2) == pytest.approx(255, abs=3)  # red, blue, or between
    disc = part[:, :, 0] > 127
    rows, columns = (np.nonzero(disc.any(axis=a))[0] for a in (1, 0))
    # 36 px across in a sticker of 60 x 40 that is 60 wide here: a circle, in the middle.
    assert (rows.min(), rows.max()) == pytest.approx((12, 47), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((12, 47), abs=1)


def test_a_sticker_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    for color in ((255, 0, 0), (0, 0, 255)):
        Image.new("RGB", (8, 8), color).save(path)
        os.utime(path, ns=(0, sum(color) + color[0]))
        out = painted(picture(), f"image:path={path},color=black")
        assert tuple(out[34, 40]) == color


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n cut"])
def test_a_sticker_that_cannot_be_read_is_a_wrong_request(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"bad\.png"):
        method(f"image:path={path}")
    with pytest.raises(RequestError, match="path"):
        method("image")


# --- blur ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_kernel_one_is_the_identity(dtype: type[np.uint8]) -> None:
    frame = picture(dtype=dtype)
    assert np.array_equal(painted(frame, "blur:kernel=1"), frame.pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kernel", [3, 9, 21])
def test_kernels_are_opencvs(kernel: int, dtype: type[np.uint8]) -> None:
    frame = picture(120, 110, dtype)
    box = [[45, 45, 60, 62]]
    expected: Any = cv2.GaussianBlur(frame.pixels.astype(np.float32), (kernel, kernel), 0)
    inside = covered(frame, box)
    out = painted(frame, f"blur:kernel={kernel}", box)
    assert np.abs(out[inside] - np.rint(expected[inside])).max() <= 1


@pytest.mark.parametrize("sigma", [2.0, 5.0, 9.0, 17.0, 30.0])
def test_wide_blurs_match_the_full_computation(sigma: float) -> None:
    rng = np.random.default_rng(0)
    coarse: Any = cv2.resize(rng.integers(0, 255, (30, 30, 3), np.uint8), (300, 300), interpolation=cv2.INTER_CUBIC)
    frame = Frame(coarse)
    box = [[120, 120, 170, 180]]
    inside = covered(frame, box)
    full: Any = cv2.GaussianBlur(coarse.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    out = painted(frame, f"blur:sigma_px={sigma}", box).astype(float)
    assert np.abs(out[inside] - full[inside]).max() < 2.5


def test_sigma_is_relative_to_the_face() -> None:
    frame = picture(300, 300)
    box = [[120, 120, 160, 170]]
    relative, absolute = (painted(frame, f"blur:{s}", box).astype(int) for s in ("sigma=0.1", "sigma_px=4"))
    assert np.abs(relative - absolute).max() <= 1  # they gather from rings of different widths
    assert np.abs(relative - painted(frame, "blur:sigma=0.2", box)).max() > 5
    assert np.array_equal(painted(frame, "blur", box), painted(frame, "blur:sigma=0.4", box))


@pytest.mark.parametrize("spec", ["blur:sigma=0.3,kernel=5", "blur:sigma_px=3,kernel=5", "blur:kernel=4"])
def test_strengths_that_contradict_or_are_even_are_refused(spec: str) -> None:
    with pytest.raises(RequestError):
        method(spec)


@pytest.mark.parametrize("scale", [1, 3])  # the second is wide enough to be computed on cells
def test_hidden_pixels_do_not_darken_a_blur(scale: int) -> None:
    white: Any = np.full((70 * scale, 90 * scale, 3), 250, np.uint8)
    frame = Frame(white)
    boxes = (np.array([[20, 20, 38, 44], [42, 20, 60, 44]]) * scale).tolist()
    out = paint(frame, plan(frame, boxes, ["blur", "solid"]), Area()).pixels
    rest = ~covered(frame, boxes[1:], grown=1e-5)
    assert np.abs(out[rest].astype(int) - 250).max() < scale  # 1 by the dither of wide blurs


# --- mosaic and noise ----------------------------------------------------------------------------------------------


def test_cells_are_means() -> None:
    frame = picture()
    out = painted(frame, "mosaic:cells=4", [[10, 10, 34, 30]], PLAIN)
    for y in range(10, 30, 5):
        for x in range(10, 34, 6):
            cell = frame.pixels[y : y + 5, x : x + 6].reshape(-1, 3)
            assert (out[y : y + 5, x : x + 6] == np.rint(cell.mean(axis=0))).all()


def test_a_mosaic_has_no_more_than_its_cells() -> None:
    frame = picture(200, 160)
    box = [[60, 50, 100, 100]]
    out = painted(frame, "mosaic:cells=5", box)
    assert 9 < len(np.unique(out[covered(frame, box)], axis=0)) <= 25


def test_noise_makes_a_mosaic_bounded_and_says_how_much() -> None:
    assert Mosaic().promise == "cosmetic"
    assert math.isinf(Mosaic().bits)
    noisy = Mosaic(cells=4, b=100)
    assert noisy.promise == "bounded"
    assert noisy.bits == pytest.approx(48 * math.log2(2.275))
    assert "57 bits" in noisy.claim
    assert "48 numbers" in noisy.claim


def test_laplace_noise_has_the_scale_asked_for() -> None:
    grey: Any = np.full((300, 300, 3), 128, np.uint8)
    out = painted(Frame(grey), "mosaic:cells=30,b=10", [[0, 0, 300, 300]], PLAIN).astype(float)
    deviation = np.abs(out[5::10, 5::10] - 128)
    # 2,700 values: the mean absolute deviation of Laplace(b) is b, and clipping at 0 and 255 takes next to nothing.
    assert deviation.mean() == pytest.approx(10, rel=0.08)
    wide: Any = np.full((300, 300, 3), 32768, np.uint16)
    out = painted(Frame(wide), "mosaic:cells=30,b=10", [[0, 0, 300, 300]], PLAIN).astype(float)
    assert np.abs(out[5::10, 5::10] - 32768).mean() == pytest.approx(2570, rel=0.08)


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_noise_changes_the_share_asked_for(percent: int) -> None:
    frame = picture(200, 160)
    box = [[60, 50, 100, 100]]
    changed = (painted(frame, f"noise:percent={percent}", box) != frame.pixels).any(axis=2)
    assert changed[covered(frame, box)].mean() * 100 == pytest.approx(percent, abs=2)


# --- mask ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "points", "free"),
    [
        ("eyes", (0, 1), (2, 3, 4)),
        ("glasses", (0, 1), (2, 3, 4)),
        ("mouth", (3, 4), (0, 1)),
        ("nose", (2,), (3, 4)),
        ("lower", (2, 3, 4), (0, 1)),
    ],
)
def test_the_bar_lies_where_it_should(over: str, points: tuple[int, ...], free: tuple[int, ...]) -> None:
    frame = picture(200, 160)
    asked = plan(frame, [[60, 40, 110, 105]], f"mask:over={over}", landmarks=True)
    marks = asked.regions.landmarks
    assert marks is not None
    black = (paint(frame, asked, Area()).pixels == 0).all(axis=2)
    for i, hidden in [(i, True) for i in points] + [(i, False) for i in free]:
        x, y = marks[0, i].astype(int)
        assert black[y - 3 : y + 4, x - 3 : x + 4].all() == hidden
    assert black.mean() < 0.1


def test_glasses_have_two_lenses_and_a_mask_ends_under_the_chin() -> None:
    frame = picture(200, 160)

    def black(over: str) -> Any:
        return (painted(frame, f"mask:over={over}", [[60, 40, 110, 105]]) == 0).all(axis=2)

    glasses, lower = black("glasses"), black("lower")
    eyes, between = 66, 85  # the row of the eyes, and the column between them
    assert glasses[eyes, 72:98].all()
    assert not glasses[eyes - 5, between]  # the bridge is thin
    assert (glasses[:, 70:100] != glasses[:, 70:100][:, ::-1]).sum() < 0.05 * glasses.sum()
    assert lower[78:96, between].all()
    assert lower[100, between]  # the mouth is at 92, the chin at 105
    assert not lower[:70].any()
    assert not lower[112:].any()
    assert lower[85].sum() > lower[104].sum() > 0  # narrower towards the chin


@pytest.mark.parametrize("over", ["eyes", "glasses", "nose", "mouth", "lower"])
def test_parts_turn_and_lean_with_the_face_and_stay_in_its_cover(over: str) -> None:
    frame = picture(200, 200)
    asked = plan(frame, [[65, 65, 135, 135]], f"mask:over={over}", landmarks=True)
    assert asked.regions.landmarks is not None
    upright = (paint(frame, asked, Area()).pixels == 0).all(axis=2)
    centre = np.array([100, 100])
    turned = (asked.regions.landmarks - centre) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + centre  # a quarter, clockwise
    regions = type(asked.regions)(asked.regions.xyxy, asked.regions.score, turned)
    lying = (paint(frame, type(asked)(regions, asked.methods, asked.size), Area()).pixels == 0).all(axis=2)
    assert (np.rot90(upright, -1) != lying).sum() <= 0.08 * upright.sum()
    assert not (upright & ~covered(frame, [[65, 65, 135, 135]])).any()


def test_the_bar_turns_with_the_face() -> None:
    frame = picture(200, 160)
    asked = plan(frame, [[60, 40, 110, 105]], "mask", landmarks=True)
    marks: Any = np.array([[[70, 60], [98, 80], [80, 80], [66, 86], [84, 96]]], np.float32)
    regions = type(asked.regions)(asked.regions.xyxy, asked.regions.score, marks)
    out = paint(frame, type(asked)(regions, asked.methods, asked.size), Area()).pixels
    black = (out == 0).all(axis=2)
    assert black[60, 70]
    assert black[80, 98]
    assert not black[60, 98]


def test_faces_without_landmarks_are_filled_whole() -> None:
    frame = picture()
    inside = covered(frame, FACE)
    assert (painted(frame, "mask", landmarks=False)[inside] == 0).all()
    # Landmarks that belong elsewhere say nothing about this face.
    asked = plan(frame, FACE, "mask", landmarks=True)
    assert asked.regions.landmarks is not None
    for marks in (asked.regions.landmarks + 60, asked.regions.landmarks * 0):
        regions = type(asked.regions)(asked.regions.xyxy, asked.regions.score, marks)
        out = paint(frame, type(asked)(regions, asked.methods, asked.size), Area()).pixels
        assert (out[inside] == 0).all()


# --- precision -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["veil", "solid:color=ring", "blur", "mosaic", "noise"])
def test_sixteen_bits_keep_their_precision(spec: str) -> None:
    frame = picture(200, 160, np.uint16)
    box = [[60, 50, 100, 100]]
    values = painted(frame, spec, box)[covered(frame, box)]
    assert (values % 257 != 0).mean() > 0.5
