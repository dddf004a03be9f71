"""People by their outline: histograms of oriented gradients, as OpenCV ships them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import pixels
from faceveil.detect.base import Detector
from faceveil.detect.convention import Curve, unscaled
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from faceveil.types import Floats

WINDOW = (64, 128)  # px, width and height, with a person of 96 px in it
CURVE = Curve(0, 2)  # 0 is the trained margin; not fitted, for want of pictures in which every person is labelled


class PersonHog(Detector):
    """Finds people who stand or walk upright and are seen whole, from about 100 px of height up; misses many others.

    Regions are labelled "person"; their boxes leave about an eighth of their height above and below the person.
    Source: Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, 2005;
    `HOGDescriptor.getDefaultPeopleDetector` of OpenCV.
    """

    name: ClassVar[str] = "person-hog"
    licence: ClassVar[str] = (
        "Apache-2.0: free for any use, commercial too; weights inside OpenCV, trained by the method's authors on their "
        "INRIA Person data set."
    )
    labels: ClassVar[tuple[str, ...]] = ("person",)

    scale_factor: float = Field(1.05, ge=1.01, le=2)
    """Step between two sizes of the window; nearer to 1 finds more and takes longer."""
    enlarge: float = Field(1, ge=1, le=4)
    """How far a picture smaller than `size` is scaled up: 2 finds people half as high."""
    size: int = Field(1280, ge=128, le=8192)
    """Longest side in pixels that a larger picture is reduced to; bounds time and memory."""
    score_threshold: float = Field(0.5, ge=0.01, le=0.99)
    """People below this score are dropped; .5 is the trained margin."""

    def __call__(self, frame: Frame) -> Regions:
        """People of one frame, best score first."""
        picture, scale = self._input(frame)
        height, width = picture.shape[:2]
        # The window is a third higher than the person in it: someone who fills the picture needs room around it.
        room = round(max(height, WINDOW[1]) / 6)
        below, right = room + max(0, WINDOW[1] - height), room + max(0, WINDOW[0] - width)
        picture = cv2.copyMakeBorder(picture, room, below, room, right, cv2.BORDER_REPLICATE)
        hog = cv2.HOGDescriptor()
        hog.setSVMDetector(np.array(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32))
        found, sums = hog.detectMultiScale(
            picture, CURVE.sum(self.score_threshold), winStride=(8, 8), scale=self.scale_factor
        )
        xyxy, weight = np.array(found, np.float32).reshape(-1, 4), np.array(sums, np.float32).reshape(-1)
        xyxy[:, 2:] += xyxy[:, :2]
        order = np.lexsort((xyxy[:, 3], xyxy[:, 1], xyxy[:, 0], -weight))  # OpenCV's order depends on its threads
        return Regions(
            unscaled(xyxy[order] - room, scale), CURVE.score(weight[order]), label=np.full(len(order), "person")
        )

    def _input(self, frame: Frame) -> tuple[Any, Floats]:
        """The picture as OpenCV wants it, blue first, and its scale in x and y."""
        factor = min(self.size / max(frame.width, frame.height), self.enlarge)
        width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
        picture = cv2.cvtColor(pixels.resize(pixels.eight_bit(frame), width, height), cv2.COLOR_RGB2BGR)
        return picture, np.array([width / frame.width, height / frame.height], np.float32)
