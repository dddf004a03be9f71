"""What the veil looks like, as far as numbers can say it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from scenes import covered, plan

from faceveil.deidentify.base import Faces, Patch
from faceveil.deidentify.coarse import enlarged
from faceveil.deidentify.cover import place
from faceveil.deidentify.paint import paint
from faceveil.deidentify.veil import _filled
from faceveil.policy import Area
from faceveil.types import Frame

FACE = [[100, 80, 140, 130]]


def frame_of(pixels: Any) -> Frame:
    return Frame(np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def veiled(frame: Frame, boxes: Any = FACE) -> Any:
    return paint(frame, plan(frame, boxes, "veil"), Area()).pixels.astype(int)


def flat(color: tuple[int, int, int], width: int = 240, height: int = 200) -> Frame:
    return frame_of(np.full((height, width, 3), color))


def off_head(frame: Frame, boxes: Any) -> Any:
    """Covered pixels where no head is: outside of the ellipses that the derived faces allow."""
    y, x = np.mgrid[: frame.height, : frame.width] + 0.5
    away = covered(frame, boxes)
    for x1, y1, x2, y2 in place(np.array(boxes, np.float32), Area()).boxes:
        u, v = (x - (x1 + x2) / 2) / (x2 - x1), (y - (y1 + y2) / 2) / (y2 - y1)
        away &= np.hypot(u / 0.68, v / 0.72) > 1
    return away


def centres(boxes: Any) -> list[tuple[int, int]]:
    faces = place(np.array(boxes, np.float32), Area()).boxes
    return [(int((y1 + y2) / 2), int((x1 + x2) / 2)) for x1, y1, x2, y2 in faces]


def test_a_plain_ground_goes_on_through_the_cover() -> None:
    frame = flat((180, 60, 40))
    out = veiled(frame)
    away = off_head(frame, FACE)
    assert away.sum() > 500
    assert np.abs(out[away] - (180, 60, 40)).max() <= 2


def test_the_fill_follows_the_membrane_of_a_gradient() -> None:
    y, x = np.mgrid[:200, :240]
    frame = frame_of(np.stack([x * 0.8 + 20, y * 0.9 + 30, 200 - x * 0.3 - y * 0.3], axis=2))
    away = off_head(frame, FACE)
    # A linear gradient is its own membrane. Outliers of the ring are cut, so its far corners are a little duller.
    difference = np.abs(veiled(frame)[away] - frame.pixels[away])
    assert difference.mean() < 4
    assert difference.max() < 16


@pytest.mark.parametrize("level", [0, 10, 60, 110, 150, 165, 180, 230, 255])
def test_the_head_stands_out_and_is_grey_on_every_ground(level: int) -> None:
    frame = flat((level, level, level))
    out = veiled(frame)
    inside = covered(frame, FACE)
    y, x = centres(FACE)[0]
    centre = out[y - 4 : y + 5, x - 4 : x + 5].mean(axis=(0, 1))
    assert np.ptp(centre) < 2
    contrast = np.abs(out[inside].mean(axis=1) - level).max()
    assert 12 < contrast < 90


def test_the_head_is_neutral_on_a_strong_colour() -> None:
    out = veiled(flat((230, 20, 20)))
    y, x = centres(FACE)[0]
    assert np.ptp(out[y, x]) < 45  # the ground has 210; some of it spills


def test_each_of_two_people_cheek_to_cheek_has_a_head() -> None:
    boxes = [[70, 70, 110, 120], [112, 74, 152, 124]]
    out = veiled(flat((210, 30, 30)), boxes)
    saturation = out.max(axis=2) - out.min(axis=2)
    heads = [saturation[y, x] for y, x in centres(boxes)]
    assert max(heads) < 60
    (y1, x1), (y2, x2) = centres(boxes)
    light = out.mean(axis=2)
    assert light[(y1 + y2) // 2, (x1 + x2) // 2] < min(light[y1, x1], light[y2, x2]) - 3  # a rim between them


def test_one_bright_streak_does_not_smear() -> None:
    plain = np.full((200, 240, 3), 90)
    streaked = plain.copy()
    streaked[:, 118:128] = 255
    difference = np.abs(veiled(frame_of(streaked)) - veiled(frame_of(plain))).max(axis=2)
    y, x = np.nonzero(covered(frame_of(plain), FACE))
    deep = difference[(y.min() + y.max()) // 2 - 20 : (y.min() + y.max()) // 2 + 20, x.min() : x.max()]
    assert deep.max() <= 6  # 13 if outliers of the ring counted


def test_the_fill_is_near_the_exact_membrane() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:34, :34]
    known = ((x - 16.5) / 13) ** 4 + ((y - 16.5) / 13) ** 4 > 1
    ring: Any = cv2.GaussianBlur(rng.random((34, 34, 3)).astype(np.float32), (0, 0), 3)
    ring = (ring - ring.min()) / np.ptp(ring)
    share = known.astype(np.float32)
    fill = _filled(ring * share[:, :, None], share)
    exact = np.where(known[:, :, None], ring, ring[known].mean(axis=0))
    for _ in range(4000):  # Jacobi: each unknown cell becomes the mean of its four neighbours
        p = np.pad(exact, ((1, 1), (1, 1), (0, 0)), mode="edge")
        mean = (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:]) / 4
        exact = np.where(known[:, :, None], ring, mean)
    difference = 255 * np.abs(fill - exact)[~known]
    assert difference.mean() < 4
    assert difference.max() < 15


@pytest.mark.parametrize("step", [4, 8, 12])
def test_cells_are_enlarged_without_kinks(step: int) -> None:
    cells = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32)
    blank = np.zeros((12 * step, 12 * step, 3), np.uint16)
    nothing = np.zeros((0, 4), np.float32)
    patch = Patch(blank, blank[:, :, 0] > 0, blank[:, :, 0] == 0, Faces(nothing, nothing))
    out = enlarged(cells * np.float32(65535), step, patch).astype(float) / 65535
    bend = np.abs(np.diff(out, n=2, axis=1)).max()
    # A quadratic spline bends by at most 4 / step^2 of the range, a last step of 3 adds a little; straight lines
    # between cells bend by up to 2 / step.
    assert bend < 6 / step**2
    assert np.abs(out.mean() - cells.mean()) < 0.01


def test_a_cover_of_the_whole_picture_falls_back_to_grey() -> None:
    frame = flat((200, 10, 10), 60, 50)
    out = veiled(frame, [[-20, -20, 80, 75]])
    assert np.ptp(out, axis=2).max() <= 2
    assert 90 < out.mean() < 190


def test_border_faces_take_the_colours_that_are_there() -> None:
    frame = flat((20, 120, 200))
    box = [[-18, 150, 30, 215]]
    out = veiled(frame, box)
    away = off_head(frame, box)
    assert away.any()
    assert np.abs(out[away] - (20, 120, 200)).max() <= 2


def test_smooth_areas_are_dithered_and_not_banded() -> None:
    _, x = np.mgrid[:400, :500]
    frame = frame_of(np.stack([100 + x * 0.02] * 3, axis=2))
    box = [[180, 120, 300, 270]]
    out = veiled(frame, box)
    rows, columns = np.nonzero(off_head(frame, box))
    column = out[:, :, 0][rows.min() : rows.max(), columns.min() + 12]
    # Without the dither a column of a horizontal gradient has one value, and a step where it changes.
    assert len(np.unique(column)) >= 2
    assert np.abs(np.diff(column)).max() <= 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_picture_stays_grey(dtype: type[np.uint8] | type[np.uint16]) -> None:
    rng = np.random.default_rng(3)
    frame = Frame(rng.integers(0, np.iinfo(dtype).max, (90, 120, 1), dtype).repeat(3, axis=2))
    made = paint(frame, plan(frame, [[40, 30, 70, 66], [60, 30, 90, 66]], "veil"), Area()).pixels
    assert np.array_equal(made[..., 0], made[..., 1])
    assert np.array_equal(made[..., 0], made[..., 2])
