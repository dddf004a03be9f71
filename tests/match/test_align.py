"""Faces are cut out where the landmarks say, whatever the picture's size, and as dense as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.match.align import ARCFACE, Alignment, arcface, similarity, warped


def turn(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def picture(height: int = 300, width: int = 260) -> np.ndarray:
    """Smooth colours, so that resampling changes little."""
    y, x = np.mgrid[:height, :width]
    return np.stack([127 + 100 * np.sin(x / 30 + y / 50), y * 255 / height, x * 255 / width], axis=2).astype(np.uint8)


@given(st.floats(-3, 3), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_a_similarity_is_found_again(angle: float, scale: float, x: float, y: float) -> None:
    template = np.array(ARCFACE)
    away = turn(angle, scale, x, y)
    points = template @ away[:, :2].T + away[:, 2]
    back = similarity(points, template)
    assert points @ back[:, :2].T + back[:, 2] == pytest.approx(template, abs=1e-6)


def test_a_similarity_never_mirrors() -> None:
    mirrored = np.array(ARCFACE) * [-1, 1]
    found = similarity(mirrored, np.array(ARCFACE))
    assert np.linalg.det(found[:, :2]) > 0


def test_landmarks_in_one_place_are_no_failure() -> None:
    chip, wide = arcface().cut(picture(), arcface().transform(np.zeros(4), np.full((5, 2), 40.0)))
    assert chip.shape == wide.shape == (112, 112, 3)


def test_it_agrees_with_opencvs_own_estimate() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = np.array(ARCFACE) * 1.7 + rng.normal(0, 2, (5, 2)) + 30
        ours = similarity(points, np.array(ARCFACE))
        theirs, _ = cv2.estimateAffinePartial2D(points, np.array(ARCFACE), method=cv2.LMEDS, refineIters=100)
        ours_far, theirs_far = (
            np.square(points @ m[:, :2].T + m[:, 2] - ARCFACE).sum() for m in (ours, np.asarray(theirs))
        )
        assert ours_far <= theirs_far + 1e-9  # the least squares are least


def test_boxes_fill_the_chip_with_their_margin() -> None:
    alignment = Alignment(100, margin=0.5)
    moved = alignment.transform(np.array([20, 30, 60, 50]), np.zeros((5, 2)))
    corners = np.array([[0, 20], [80, 60]]) @ moved[:, :2].T + moved[:, 2]
    assert corners == pytest.approx(np.array([[0, 0], [100, 100]]))


def test_cutting_a_window_is_cutting_the_whole() -> None:
    pixels, alignment = picture(), arcface()
    moved = turn(0.3, 0.8, 20, -35)
    whole = cv2.warpAffine(pixels, moved, (112, 112))
    chip, _ = alignment.cut(pixels, moved)
    assert np.abs(whole.astype(int) - chip).max() <= 3  # OpenCV rounds places to 1/32 px


def test_the_wide_chip_shows_twice_the_field() -> None:
    chip, wide = arcface().cut(picture(600, 600), turn(0, 1, -200, -200))
    reduced = cv2.resize(chip, (56, 56), interpolation=cv2.INTER_AREA)
    assert np.abs(wide[28:84, 28:84].astype(int) - reduced).max() <= 1


@given(st.integers(2, 12))
def test_large_pictures_are_not_skipped_over(factor: int) -> None:
    """Stripes finer than a pixel of the chip become grey; bilinear alone would keep some."""
    stripes = np.zeros((112 * factor, 112 * factor, 3), np.uint8)
    stripes[:, ::2] = 255
    chip = warped(stripes, turn(0, 1 / factor, 0, 0), 112)[8:-8, 8:-8]
    assert np.abs(chip.astype(int) - 127).max() <= (130 if factor == 2 else 50)
    if factor > 4:
        assert chip.std() < 20


def test_what_lies_outside_is_black() -> None:
    assert not arcface().cut(picture(), turn(0, 1, 1e5, 0))[0].any()
    assert not warped(picture(), np.array([[0, 0, 5], [0, 0, 5.0]]), 112).any()  # a map onto one point
