"""What attackers do to a painted face before they look at it: filters against noise, and against blur.

All lengths are parts of the face's width, as the methods' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from faceveil.deidentify.blur import SIGMA, Blur
from faceveil.deidentify.mosaic import Mosaic
from faceveil.deidentify.paint import method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Line = NDArray[np.float64]

FILTERS = ("median", "bilateral", "wiener", "richardson-lucy")

MEDIAN = 0.05  # of the face's width: 5 px on faces of LFW; cosine to the original .71 at noise of 50 %, with 3 px .57
NEAR = 0.03  # of the face's width: the bilateral filter's reach in the picture
ALIKE = 60.0  # grey levels: its reach in values
UNKNOWN = 0.04  # of the face's width: the blur that is taken for granted where the method tells of none
BALANCE = 0.01  # of Wiener's regularisation: pictures are bytes, so there is little noise but rounding
ROUNDS = 10  # of Richardson and Lucy: a third of all filtering time
LEAST = 1e-3  # of white: Richardson and Lucy divide by what they have so far
REACH = 3.0  # sigmas of a Gaussian that its kernel has room for


def filtered(name: str, pixels: Picture, width: float, spread: Line) -> Picture:
    """A part of a picture, (h, w, 3), after one of `FILTERS`.

    width: of the face in its pixels. spread: what the method spreads a pixel to (`kernel`).
    """
    if name == "median":
        return np.asarray(cv2.medianBlur(np.ascontiguousarray(pixels), _odd(MEDIAN * width)), np.uint8)
    if name == "bilateral":
        reach = max(1.0, NEAR * width)
        return np.asarray(cv2.bilateralFilter(np.ascontiguousarray(pixels), 0, ALIKE, reach), np.uint8)
    # Within a border that mirrors the picture as far as the kernel reaches, so that its edges do not ring.
    border = len(spread) // 2 + 1
    values = np.pad(pixels / 255, ((border, border), (border, border), (0, 0)), mode="symmetric")
    sharp = (wiener if name == "wiener" else richardson_lucy)(values, spread)[border:-border, border:-border]
    return np.asarray(np.rint(np.clip(sharp, 0, 1) * 255), np.uint8)


def kernel(spec: str, width: float, cover: float) -> Line:
    """What a method spreads one pixel to in x, and likewise in y: (k,) with a sum of 1, k odd.

    Attackers know the method, and undo it by its own kernel. spec: the method's, empty where it is not known. width,
    cover: of the face and its cover, in pixels.
    """
    made = method(spec) if spec else None
    if isinstance(made, Mosaic):
        side = _odd(cover / made.cells)
        return np.full(side, 1 / side)
    if not isinstance(made, Blur):
        return _gaussian(UNKNOWN * width)
    if made.kernel:
        return _gaussian(0.3 * ((made.kernel - 1) * 0.5 - 1) + 0.8)  # OpenCV's own rule
    return _gaussian(made.sigma_px or (made.sigma or SIGMA) * width)


def wiener(values: NDArray[np.float64], line: Line) -> NDArray[np.float64]:
    """Deconvolution (h, w, 3) that keeps rough pictures down by their Laplacian.

    Source: Orieux, Giovannelli and Rodet, Bayesian Estimation of Regularization and Point Spread Function Parameters
    for Wiener-Hunt Deconvolution, 2010, section 2.
    """
    size = values.shape[:2]
    spread = _transfer(np.outer(line, line), size)
    rough = _transfer(np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]) / 1.0, size)
    weights = np.conj(spread) / (np.abs(spread) ** 2 + BALANCE * np.abs(rough) ** 2 + 1e-12)
    seen = np.fft.rfft2(values, axes=(0, 1))
    return np.asarray(np.fft.irfft2(seen * weights[..., None], size, axes=(0, 1)), np.float64)


def _transfer(response: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.complex128]:
    """The Fourier transform of a kernel (k, k) whose middle is the origin, for pictures of a size (h, w)."""
    padded = np.zeros(size)
    padded[: response.shape[0], : response.shape[1]] = response
    half = len(response) // 2
    return np.asarray(np.fft.rfft2(np.roll(padded, (-half, -half), (0, 1))), np.complex128)


def richardson_lucy(values: NDArray[np.float64], line: Line) -> NDArray[np.float64]:
    """Deconvolution (h, w, 3) by rounds of multiplying with what is missing.

    Source: Richardson, Bayesian-Based Iterative Method of Image Restoration, 1972; Lucy, An Iterative Technique for the
    Rectification of Observed Distributions, 1974.
    """
    seen = np.maximum(values, LEAST).astype(np.float32)
    found = np.full_like(seen, 0.5)
    for _ in range(ROUNDS):
        missing = np.divide(seen, np.maximum(_spread(found, line), LEAST), dtype=np.float32)
        found *= _spread(missing, line)  # kernels here are symmetric
    return found.astype(np.float64)


def _spread(values: NDArray[Any], line: Line) -> NDArray[np.float32]:
    return np.asarray(cv2.sepFilter2D(values, -1, line, line, borderType=cv2.BORDER_REPLICATE), np.float32)


def _gaussian(sigma: float) -> Line:
    sigma = max(sigma, 0.3)
    return np.asarray(cv2.getGaussianKernel(_odd(2 * REACH * sigma), sigma), np.float64).ravel()


def _odd(length: float) -> int:
    """The nearest odd whole number, 3 at least."""
    return max(3, 2 * round((length - 1) / 2) + 1)
