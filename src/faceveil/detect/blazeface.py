"""BlazeFace: MediaPipe's detector for phones. Very fast, and blind for small faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import boxes, litert, pixels
from faceveil.detect.base import Detector
from faceveil.detect.convention import Factors, unscaled
from faceveil.detect.scores import Calibration, calibrations
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

SAME_FACE = 0.3  # IoU; MediaPipe's min_suppression_threshold
SCORE_LIMIT = 80  # MediaPipe clips at 100, where e^x leaves float32


class _Network(NamedTuple):
    """MediaPipe's options: the side of the square input, and for each grid of anchors its stride and repetitions."""

    side: int
    grids: tuple[tuple[int, int], ...]
    factors: Factors


NEAR = ((8, 2), (16, 6))  # strides 8, 16, 16, 16; each layer has an anchor of aspect 1 and an interpolated one
SHORT, FULL, BACK = (
    Factors(width=0.87, height=1.15, down=-0.095),
    Factors(width=0.87, height=1.135, right=0.02, down=-0.04),
    Factors(width=0.9, height=1.16, down=-0.08),
)
NETWORKS = {
    "blazeface-short": _Network(128, NEAR, SHORT),
    "blazeface-full": _Network(192, ((4, 1),), FULL),
    "blazeface-full-sparse": _Network(192, ((4, 1),), FULL),
    "blazeface-front": _Network(128, NEAR, SHORT),
    "blazeface-back": _Network(256, ((16, 2), (32, 6)), BACK),
}
"""Source: MediaPipe, mediapipe/modules/face_detection/*.pbtxt, SsdAnchorsCalculator; anchors have a fixed size of 1.

The conventions lie between the medians of `tools/box_factors.py` before conversion on WIDER and on LFW:
back .90, 1.15, .01, -.08 and .90, 1.19, .00, -.08; full .89, 1.13, .04, -.03 and .86, 1.14, .01, -.05;
short .84, 1.11, .00, -.10 and .89, 1.18, .00, -.09.
"""


Known = Literal["blazeface-back", "blazeface-full", "blazeface-full-sparse", "blazeface-short", "blazeface-front"]


class BlazeFace(Detector):
    """Finds large faces: the whole picture is reduced to 128, 192 or 256 px, and a thirtieth of it hardly shows.

    For smaller faces cut the picture: `tiles(blazeface, size=512)`. Its points (eyes, nose, mouth, ears) have no corner
    of the mouth, so there are no landmarks. Boxes are converted to the convention of `faceveil.types`.
    Source: Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, 2019.
    """

    name: ClassVar[str] = "blazeface"
    licence: ClassVar[str] = (
        "Apache-2.0: free for any use, commercial too, with the notices kept; trained by Google on pictures of its own "
        "that are not published."
    )
    weights: ClassVar[tuple[str, ...]] = tuple(NETWORKS)

    model: Known = "blazeface-back"
    """The network: of 256, 192, 192, 128 and 128 px; `front` is the file of `short` under its older name."""
    score_threshold: float = Field(0.3, ge=0.01, le=1)
    """Faces below this score are dropped. Of faces from 40 px `back` finds .74 with 3.5 false a picture at .3, .68 with
    1.2 at .5 (MediaPipe's threshold); `full` .61 with 1 and .52 with .3."""

    @property
    def calibration(self) -> Calibration | None:
        """What the scores of the network that was chosen mean, where that was measured."""
        return calibrations().get(self.model)

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        network = NETWORKS[self.model]
        picture, scale, corner = letterbox(frame, network.side)
        outputs = litert.run(self.model, picture, self._runtime)
        raw, logits = sorted(outputs, key=lambda output: -output.shape[-1])
        xyxy, score = decode(raw, logits[:, 0], network, self.score_threshold)
        xyxy, score = merged(xyxy, score, SAME_FACE)
        xyxy = network.factors.converted(unscaled(xyxy - np.concatenate([corner, corner]), scale))
        return Regions(xyxy, score)


def letterbox(frame: Frame, side: int) -> tuple[Floats, Floats, Floats]:
    """The picture in the middle of a black square (side, side, 3) in [-1, 1], its scale and its corner, in x and y."""
    factor = side / max(frame.width, frame.height)
    width, height = (max(1, round(length * factor)) for length in (frame.width, frame.height))
    x, y = (side - width) // 2, (side - height) // 2
    square = np.full((side, side, 3), -1, np.float32)
    square[y : y + height, x : x + width] = _resized(pixels.eight_bit(frame), width, height) / 127.5 - 1
    scale = np.array([width / frame.width, height / frame.height], np.float32)
    return square, scale, np.array([x, y], np.float32)


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Averaged over areas where it shrinks: full at .5 finds .522 of faces from 40 px, halved and bilinear .490."""
    way = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), np.uint8)


def anchors(network: _Network) -> Floats:
    """Centres of the anchors (n, 2) in the network's input pixels, in its order."""
    made = []
    for stride, repeated in network.grids:
        cells = network.side // stride
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        made.append(np.repeat(centres, repeated, 0))
    return np.concatenate(made).astype(np.float32)


def decode(raw: Floats, logits: Floats, network: _Network, threshold: float) -> tuple[Floats, Floats]:
    """Boxes (k, 4) in the network's input pixels and scores (k,), one for each anchor above the threshold.

    raw: (n, 16), centre from the anchor, width and height, then six points from the anchor. logits: (n,).
    """
    score = 1 / (1 + np.exp(-logits.clip(-SCORE_LIMIT, SCORE_LIMIT)))
    sure = (score >= threshold) & (raw[:, 2:4] > 0).all(1)
    centre, half = raw[sure, :2] + anchors(network)[sure], raw[sure, 2:4] / 2
    return np.concatenate([centre - half, centre + half], 1), score[sure].astype(np.float32)


def merged(xyxy: Floats, score: Floats, limit: float) -> tuple[Floats, Floats]:
    """MediaPipe's weighted suppression: the best box becomes the mean, by score, of all that overlap it, which go.

    Returns boxes (k, 4) and the scores of the best ones (k,), best first.
    """
    waiting = np.argsort(-score, kind="stable")
    means, kept = [np.zeros((0, 4), np.float32)], waiting[:0]
    while len(waiting):
        same = boxes.overlap(xyxy[waiting[:1]], xyxy[waiting])[0] > limit
        same[0] = True
        group = waiting[same]
        means.append(np.average(xyxy[group], axis=0, weights=score[group])[None])
        kept = np.append(kept, group[0])
        waiting = waiting[~same]
    return np.concatenate(means).astype(np.float32), score[kept]
