"""dlib's convolutional face detector: finds faces at any angle, slowly."""

from __future__ import annotations

from typing import ClassVar, Self

import cv2
import dlib
import numpy as np
from pydantic import Field, model_validator

from faceveil.detect import pixels
from faceveil.detect.base import Detector
from faceveil.detect.convention import Factors, unscaled
from faceveil.detect.dlib_hog import half_open
from faceveil.detect.loading import loading
from faceveil.models import store
from faceveil.types import Frame, Regions

FACTORS = Factors(width=0.94, height=1.22, right=0.04)
"""Medians of `tools/box_factors.py` before conversion: .88, 1.14, .03, -.02 on 23 faces of WIDER, .99, 1.28, .05, .01
on 71 of LFW."""
LEAST = 32  # px; it refuses pictures of 8 px
MOST = 2048  # px; it takes 1 kB for each pixel of the doubled picture, 4 GB for a square of that side


class DlibCnn(Detector):
    """Finds faces from 80 px up, turned and tilted ones too; about five seconds for a picture of 1024 px.

    Boxes are converted to the convention of `faceveil.types` by measured factors.
    Source: King, Max-Margin Object Detection, 2015; `mmod_human_face_detector.dat` of dlib's models.
    """

    name: ClassVar[str] = "dlib-cnn"
    licence: ClassVar[str] = (
        "CC0-1.0: free for any use; trained by the author of dlib on faces of ImageNet, AFLW, Pascal VOC, VGG, WIDER "
        "FACE and FaceScrub, whose pictures are for research."
    )
    weights: ClassVar[tuple[str, ...]] = ("dlib-mmod",)

    upsample: int = Field(0, ge=0, le=2)
    """How often the picture is doubled: 0 finds faces from 80 px up, 1 from 40, 2 from 20, in four times the time."""
    size: int = Field(1024, ge=32, le=MOST)
    """Longest side in pixels that a larger picture is reduced to before it is doubled; bounds time and memory."""
    score_threshold: float = Field(0, ge=0, le=1)
    """Faces below this score are dropped; nearly all have 1, the margin that the network was trained for."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size << self.upsample > MOST:
            raise ValueError(f"size {self.size} doubled {self.upsample} times is more than {MOST} px")
        return self

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        picture, scale = pixels.reduced(frame, self.size)
        short = [max(0, LEAST - side) for side in picture.shape[:2]]
        picture = np.asarray(cv2.copyMakeBorder(picture, 0, short[0], 0, short[1], cv2.BORDER_CONSTANT), np.uint8)
        path = str(store.path("dlib-mmod"))
        with loading("dlib-mmod"):
            # Anew for each picture, in 2 ms: it serves one thread, and keeps 1 kB for each pixel that it has seen.
            detector = dlib.cnn_face_detection_model_v1(path)
        found = detector(picture, self.upsample)
        score = np.array([face.confidence for face in found], np.float32).clip(0, 1)
        xyxy = FACTORS.converted(unscaled(half_open(face.rect for face in found), scale))
        order = np.argsort(-score, kind="stable")
        order = order[score[order] >= self.score_threshold]
        return Regions(xyxy[order], score[order])
