"""MTCNN: a cascade of three small networks over an image pyramid. Slower and older; a second opinion."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Annotated, ClassVar

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import boxes, pixels
from faceveil.detect.base import Detector
from faceveil.detect.convention import Factors
from faceveil.detect.runtime import Network, session
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

Probability = Annotated[float, Field(ge=0, le=1)]

CELL, STRIDE = 12, 2  # P-Net's window and step in the scaled picture
PYRAMID_NMS, STAGE_NMS = 0.5, 0.7  # the paper's: within one scale, and after each stage
FACTORS = Factors(width=1.02, height=1.005, right=0.03, down=0.023)
"""Medians of `tools/box_factors.py mtcnn:min_size=20` before conversion: 1.026, 1.004, .017, .014 on 623 faces of LFW,
1.014, 1.005, .043, .032 on 1965 of WIDER FACE.
"""
CHUNK = 256  # crops in one run: bounds the memory
STRIP = 2_000_000  # pixels of one P-Net run: bounds the memory at about 200 MB, for pictures of any size


class Mtcnn(Detector):
    """Finds upright faces from `min_size` px up, with five landmarks.

    Its boxes are converted to the convention of `faceveil.types` by measured factors (`tools/box_factors.py`).
    Source: Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks, 2016;
    weights as shipped by the package mtcnn.
    """

    name: ClassVar[str] = "mtcnn"
    licence: ClassVar[str] = "MIT: free for any use, commercial too, with the copyright notice kept."
    weights: ClassVar[tuple[str, ...]] = ("mtcnn_pnet.onnx", "mtcnn_rnet.onnx", "mtcnn_onet.onnx")
    landmarks: ClassVar[bool] = True

    min_size: int = Field(40, ge=12, le=4096)
    """Smallest face in pixels that is looked for; 20 finds more and takes two and a half times as long."""
    network_thresholds: tuple[Probability, Probability, Probability] = (0.6, 0.7, 0.7)
    """Scores that candidates must reach in the three networks."""
    score_threshold: float = Field(0.7, ge=0, le=1)
    """Faces below this score are dropped."""
    scale_factor: float = Field(0.709, ge=0.3, le=0.95)
    """Step of the pyramid; nearer to 1 finds more and takes longer."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        picture = pixels.eight_bit(frame)
        xyxy = self._propose(picture)
        xyxy = self._refine(picture, xyxy)
        return self._output(picture, xyxy)

    def _propose(self, picture: NDArray[np.uint8]) -> Floats:
        """P-Net over the pyramid: square candidates."""
        height, width = picture.shape[:2]
        network = session("mtcnn_pnet", self._runtime)
        found, scores, shifts = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros((0, 4))]
        scale = CELL / self.min_size
        while min(height, width) * scale >= CELL:
            size = ceil(width * scale), ceil(height * scale)
            score, shift = _windows(network, pixels.resize(picture, *size))
            rows, columns = np.nonzero(score > self.network_thresholds[0])
            corner = np.stack([columns, rows], 1) * STRIDE
            step = np.array([width / size[0], height / size[1]])
            xyxy = np.concatenate([corner * step, (corner + CELL) * step], 1)
            keep = boxes.best(xyxy, score[rows, columns], PYRAMID_NMS)
            found.append(xyxy[keep])
            scores.append(score[rows, columns][keep])
            shifts.append(shift[rows, columns][keep])
            scale *= self.scale_factor
        xyxy, score, shift = np.concatenate(found), np.concatenate(scores), np.concatenate(shifts)
        keep = boxes.best(xyxy, score, STAGE_NMS)
        return _square(_shifted(xyxy[keep], shift[keep]))

    def _refine(self, picture: NDArray[np.uint8], xyxy: Floats) -> Floats:
        """R-Net: fewer and better square candidates."""
        score, shift = self._run("mtcnn_rnet", ["score", "shift"], picture, xyxy, 24)
        sure = score > self.network_thresholds[1]
        xyxy, score, shift = xyxy[sure], score[sure], shift[sure]
        keep = boxes.best(xyxy, score, STAGE_NMS)
        return _square(_shifted(xyxy[keep], shift[keep]))

    def _output(self, picture: NDArray[np.uint8], xyxy: Floats) -> Regions:
        """O-Net: boxes with landmarks, in our convention."""
        score, shift, marks = self._run("mtcnn_onet", ["score", "shift", "landmarks"], picture, xyxy, 48)
        sure = score > max(self.network_thresholds[2], self.score_threshold)
        xyxy, score, shift, marks = xyxy[sure], score[sure], shift[sure], marks[sure]
        sides = xyxy[:, 2:] - xyxy[:, :2]
        points = xyxy[:, None, :2] + marks.reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None]
        xyxy = _shifted(xyxy, shift)
        keep = boxes.best(xyxy, score, STAGE_NMS, "smaller")
        return Regions(FACTORS.converted(xyxy[keep]), score[keep].clip(0, 1), points[keep])

    def _run(
        self, network: str, outputs: list[str], picture: NDArray[np.uint8], xyxy: Floats, side: int
    ) -> list[Floats]:
        """The network's outputs for a crop of side x side at each box."""
        if not len(xyxy):
            widths = {"score": (0,), "shift": (0, 4), "landmarks": (0, 10)}
            return [np.zeros(widths[name], np.float32) for name in outputs]
        ready = session(network, self._runtime)
        crops = _crops(picture, xyxy, side)
        parts = [ready.run(outputs, {"pixels": crops[i : i + CHUNK]}) for i in range(0, len(crops), CHUNK)]
        return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _windows(network: Network, picture: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """P-Net's score (h, w) and shift (h, w, 4) for every window of a scaled picture, strip by strip.

    Row r of the output sees rows 2 r to 2 r + 11 of the picture, so strips that begin on even rows and overlap by the
    rest of a window give what the whole would.
    """
    height, width = picture.shape[:2]
    rows = -(-(height - 2) // STRIDE) - 4
    step = max(1, STRIP // (STRIDE * width))
    scores, shifts = [], []
    for first in range(0, rows, step):
        strip = picture[STRIDE * first : STRIDE * (first + step) + CELL - STRIDE]
        score, shift = network.run(["score", "shift"], {"pixels": strip[None]})
        scores.append(score[0])
        shifts.append(shift[0])
    return np.concatenate(scores), np.concatenate(shifts)


def _crops(picture: NDArray[np.uint8], xyxy: Floats, side: int) -> NDArray[np.uint8]:
    """Square crops (n, side, side, 3); what lies outside the picture is mid-grey, the networks' zero."""
    crops = np.empty((len(xyxy), side, side, 3), np.uint8)
    for crop, (x1, y1, x2, y2) in zip(crops, xyxy, strict=True):
        step_x, step_y = (x2 - x1) / side, (y2 - y1) / side
        matrix = np.array([[step_x, 0, x1 + step_x / 2 - 0.5], [0, step_y, y1 + step_y / 2 - 0.5]])
        cv2.warpAffine(
            picture,
            matrix,
            (side, side),
            dst=crop,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(127, 127, 127),
        )
    return crops


def _shifted(xyxy: Floats, shift: Floats) -> Floats:
    """Boxes moved by the network's correction, given in sides of the box."""
    sides = xyxy[:, 2:] - xyxy[:, :2]
    return np.asarray(xyxy + shift * np.tile(sides, 2), np.float32)


def _square(xyxy: Floats) -> Floats:
    """The square around each box's centre with its longer side."""
    centre = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    half = (xyxy[:, 2:] - xyxy[:, :2]).max(1, keepdims=True) / 2
    return np.asarray(np.concatenate([centre - half, centre + half], 1), np.float32)
