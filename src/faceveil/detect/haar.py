"""Haar cascades: faces, faces in profile and eyes as OpenCV has found them since 2001. Weak; for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from faceveil.detect import boxes, cascade
from faceveil.detect.base import Detector
from faceveil.detect.convention import Curve, Factors, unscaled
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    import cv2
    from numpy.typing import NDArray

    from faceveil.types import Floats

EYES_END = 0.6  # of a face's height: eyes are looked for above
SAME = 0.3  # IoU; the two looks at a profile are one face from here, as in OpenCV's own grouping of windows


class _Cascade(NamedTuple):
    """One of OpenCV's files, and what its results mean here; eyes have no convention."""

    file: str
    curve: Curve
    factors: Factors | None = None


# Curves fitted to what each finds in 69 WIDER pictures, 313, 324, 526 and 97 regions; an eye is right if CenterFace has
# one in its middle. Factors are medians of `tools/box_factors.py` before conversion: on 225 faces of WIDER .815, 1.04,
# .00, .02 and on 273 of LFW .85, 1.11, .00, .03; on 148 and 233 profiles .68, .86, -.10, .04 and .72, .95.
FACE = _Cascade("frontalface_alt2", Curve(55.4, 2.7), Factors(width=0.83, height=1.07, down=0.02))
PROFILE = _Cascade("profileface", Curve(1.2, 1.6), Factors(width=0.7, height=0.9, right=-0.1, down=0.04))
EYE = _Cascade("eye", Curve(2.2, 1.6))
GLASSES = _Cascade("eye_tree_eyeglasses", Curve(0.9, 0.9))


class Haar(Detector):
    """Finds upright faces that look at the camera, or profiles, or only eyes, as experiments before 2015 did.

    target: `face` and `profile` (of both directions) give faces, in the convention of `faceveil.types` by measured
    factors. `eyes`, `glasses` (eyes behind glasses too) and `face-eyes` (eyes within a face that was found) give boxes
    around each eye: what covers those leaves most of the face visible.
    Source: Viola and Jones, Rapid Object Detection using a Boosted Cascade of Simple Features, 2001; Lienhart and
    Maydt, An Extended Set of Haar-like Features, 2002; cascades as shipped by OpenCV 4.
    """

    name: ClassVar[str] = "haar"
    licence: ClassVar[str] = (
        "BSD-3-Clause: free for any use, commercial too; cascades of Intel and of contributors to OpenCV, trained on "
        "pictures that they did not publish."
    )

    target: Literal["face", "profile", "eyes", "glasses", "face-eyes"] = "face"
    """What is looked for."""
    scale_factor: float = Field(1.05, ge=1.01, le=2)
    """Step between two sizes of the window. Of faces from 20 px 1.05 finds .46 with 1.8 false a picture, 1.1 .41 with
    .4 in half the time."""
    min_neighbors: int = Field(3, ge=0, le=100)
    """How many windows must agree; fewer find more, right and wrong: at 1.1, 1 finds .46 with 3.1 false a picture."""
    min_size: int = Field(20, ge=10, le=4096)
    """Smallest face, or eye, in pixels that is looked for."""
    size: int = Field(2048, ge=32, le=4096)
    """Longest side in pixels that a larger picture is reduced to; bounds time and memory."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces, or eyes, of one frame, best score first."""
        picture, scale = cascade.grey(frame, self.size)
        smallest = self.min_size * float(scale.min())
        if self.target == "profile":
            xyxy, score = self._profiles(picture, smallest)
        elif self.target == "face-eyes":
            xyxy, score = self._eyes_in_faces(picture, smallest)
        else:
            known = {"face": FACE, "eyes": EYE, "glasses": GLASSES}[self.target]
            xyxy, score = self._look(known, picture, smallest)
        return Regions(unscaled(xyxy, scale), score)

    def _look(self, known: _Cascade, picture: NDArray[np.uint8], smallest: float) -> tuple[Floats, Floats]:
        """Boxes (n, 4) in the picture's pixels and scores (n,), best first."""
        xyxy, sums = self._found(cascade.read(known.file), picture, smallest)
        return (xyxy if known.factors is None else known.factors.converted(xyxy)), known.curve.score(sums)

    def _found(
        self, classifier: cv2.CascadeClassifier, picture: NDArray[np.uint8], smallest: float
    ) -> tuple[Floats, Floats]:
        return cascade.look(
            classifier, picture, step=self.scale_factor, neighbours=self.min_neighbors, smallest=smallest
        )

    def _profiles(self, picture: NDArray[np.uint8], smallest: float) -> tuple[Floats, Floats]:
        """Faces turned to either side: the cascade knows one of them, so the mirror image is looked at too."""
        one, first = self._look(PROFILE, picture, smallest)
        other, second = self._look(PROFILE, np.ascontiguousarray(picture[:, ::-1]), smallest)
        other[:, [0, 2]] = picture.shape[1] - other[:, [2, 0]]
        xyxy, score = np.concatenate([one, other]), np.concatenate([first, second])
        kept = boxes.best(xyxy, score, SAME)
        return xyxy[kept], score[kept]

    def _eyes_in_faces(self, picture: NDArray[np.uint8], smallest: float) -> tuple[Floats, Floats]:
        """Eyes in the upper part of each face that the face's cascade finds; faces without eyes give nothing."""
        faces, _ = self._found(cascade.read(FACE.file), picture, smallest)
        eyes = cascade.read(EYE.file)
        found, scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
        for x1, y1, x2, y2 in faces.astype(int):
            upper = picture[y1 : y1 + round((y2 - y1) * EYES_END), x1:x2]
            xyxy, sums = self._found(eyes, np.ascontiguousarray(upper), smallest / 4)
            found.append(xyxy + np.array([x1, y1, x1, y1], np.float32))
            scores.append(EYE.curve.score(sums))
        xyxy, score = np.concatenate(found), np.concatenate(scores)
        kept = boxes.best(xyxy, score, SAME)  # faces overlap, and an eye may lie in two
        return xyxy[kept], score[kept]
