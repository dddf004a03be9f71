"""dlib's face detector: histograms of oriented gradients and linear filters. Upright faces only; for comparison."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import dlib
import numpy as np
from pydantic import Field, model_validator

from faceveil.detect import pixels
from faceveil.detect.base import Detector
from faceveil.detect.convention import Curve, Factors, unscaled
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from faceveil.types import Floats

FACTORS = Factors(width=0.89, height=1.15, right=0.03, down=-0.045)
"""Medians of `tools/box_factors.py` before conversion: .88, 1.12, .02, -.04 on 219 faces of WIDER, .90, 1.19, .04, -.05
on 282 of LFW."""
CURVE = Curve(
    -0.2, 5
)  # fitted to 307 and 121 detections (upsample 1 and 0) in 69 WIDER pictures: -.21, 5.9 and -.29, 3.3
MOST = 8192  # px; the doubled picture of 4096 x 4096 px takes 640 MB

_local = threading.local()


class DlibHog(Detector):
    """Finds upright faces that look at the camera from 80 px up, from 40 px with the default `upsample`.

    Boxes are converted to the convention of `faceveil.types` by measured factors.
    Source: King, Max-Margin Object Detection, 2015; Dalal and Triggs, Histograms of Oriented Gradients for Human
    Detection, 2005; `get_frontal_face_detector` of dlib.
    """

    name: ClassVar[str] = "dlib-hog"
    licence: ClassVar[str] = (
        "BSL-1.0: free for any use, commercial too; trained by the author of dlib on faces of LFW, whose "
        "pictures are for research."
    )

    upsample: int = Field(1, ge=0, le=3)
    """How often the picture is doubled: 0 finds faces from 80 px up, 1 from 40, 2 from 20, in four times the time."""
    size: int = Field(2048, ge=32, le=MOST)
    """Longest side in pixels that a larger picture is reduced to before it is doubled; bounds time and memory."""
    score_threshold: float = Field(0.25, ge=0.01, le=0.99)
    """Faces below this score are dropped. Of faces from 20 px .25 finds .423 with .5 false a picture, .73 (dlib's own
    threshold) .359 with .1, and .1 .444 with 1.9."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size << self.upsample > MOST:
            raise ValueError(f"size {self.size} doubled {self.upsample} times is more than {MOST} px")
        return self

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        picture, scale = pixels.reduced(frame, self.size)
        found, sums, _ = _detector().run(picture, self.upsample, CURVE.sum(self.score_threshold))
        score = CURVE.score(np.array(sums, np.float32))
        xyxy = FACTORS.converted(unscaled(half_open(found), scale))
        order = np.argsort(-score, kind="stable")
        return Regions(xyxy[order], score[order])


def half_open(rectangles: Iterable[Any]) -> Floats:
    """Boxes (n, 4) of dlib's rectangles, whose last column and row belong to them, as half-open ones."""
    return np.array([[r.left(), r.top(), r.right() + 1, r.bottom() + 1] for r in rectangles], np.float32).reshape(-1, 4)


def _detector() -> Any:
    """One for each thread, because it holds the pyramid that it looks at; to make it takes half a second."""
    if not hasattr(_local, "made"):
        _local.made = dlib.get_frontal_face_detector()
    return _local.made
