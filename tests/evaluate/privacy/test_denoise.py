"""Filters undo what they are meant to undo, at any size, and agree with scikit-image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import restoration

from faceveil.evaluate.privacy.denoise import BALANCE, FILTERS, LEAST, ROUNDS, filtered, kernel, richardson_lucy, wiener


def picture(height: int = 90, width: int = 80) -> Any:
    y, x = np.mgrid[:height, :width]
    grey = 127 + 60 * np.sin(x / 4) + 50 * np.cos(y / 5)
    return np.stack([grey, 255 - grey, np.roll(grey, 9, 0)], axis=2).clip(0, 255).astype(np.uint8)


def far(a: Any, b: Any) -> float:
    """Mean square of the difference inside, where borders do not count."""
    return float(np.square(a.astype(float) - b)[12:-12, 12:-12].mean())


def test_noise_goes_by_the_median() -> None:
    clean = picture()
    rng = np.random.default_rng(1)
    noisy = clean.copy()
    hit = rng.random(clean.shape[:2]) < 0.3
    noisy[hit] = rng.integers(0, 256, (int(hit.sum()), 3))
    for name, least in (("median", 4), ("bilateral", 1.05)):
        assert far(filtered(name, noisy, 60, kernel("", 60, 60)), clean) * least < far(noisy, clean)


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
def test_a_blur_is_undone_by_its_own_kernel(name: str) -> None:
    clean = picture()
    psf = kernel("blur:sigma=0.04", 60, 100)
    blurred: Any = cv2.sepFilter2D(clean, -1, psf, psf, borderType=cv2.BORDER_REFLECT)
    assert far(filtered(name, blurred, 60, psf), clean) * 1.5 < far(blurred, clean)


@pytest.mark.parametrize(
    "spec", ["blur:sigma=0.1", "blur:sigma_px=3", "blur:kernel=15", "blur", "mosaic:cells=8", "", "veil"]
)
def test_kernels_are_those_of_the_methods(spec: str) -> None:
    made = kernel(spec, 60, 96)
    assert made.sum() == pytest.approx(1)
    assert np.array_equal(made, made[::-1])
    assert len(made) % 2
    if spec == "mosaic:cells=8":
        assert made.shape == (13,)  # 96 / 8 = 12 pixels a cell, and an odd side
    if spec == "blur:sigma_px=3":
        spread = np.sqrt((made * (np.arange(len(made)) - len(made) // 2) ** 2).sum())
        assert spread == pytest.approx(3, rel=0.06)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1, 300), st.sampled_from(FILTERS), st.integers(0, 255))
def test_any_size_and_any_grey_stay_what_they_are(height: int, width: int, face: float, name: str, grey: int) -> None:
    plain = np.full((height, width, 3), grey, np.uint8)
    out = filtered(name, plain, face, kernel("blur:sigma=0.1", face, face))
    assert out.shape == plain.shape
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - grey).max() <= 1  # nothing is there to be sharpened


def test_wiener_is_scikit_images() -> None:
    line, values = kernel("blur:sigma=0.05", 60, 60), picture() / 255
    wanted = np.stack(
        [restoration.wiener(values[..., i], np.outer(line, line), BALANCE, clip=False) for i in range(3)], axis=2
    )
    assert wiener(values, line) == pytest.approx(wanted, abs=1e-6)


def test_richardson_and_lucy_are_scikit_images() -> None:
    line, values = kernel("mosaic:cells=8", 60, 60), picture(200, 180) / 255
    psf = np.outer(line, line)[..., None]
    wanted = restoration.richardson_lucy(np.maximum(values, LEAST), psf, ROUNDS, clip=False, filter_epsilon=LEAST / 10)
    inside = slice(70, -70)  # theirs is black beyond the border
    assert richardson_lucy(values, line)[inside, inside] == pytest.approx(wanted[inside, inside], abs=1e-4)
