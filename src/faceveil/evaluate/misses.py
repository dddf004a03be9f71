"""The worst misses: faces that were not found, shown with what is around them so that a person can judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil import media
from faceveil.errors import FaceveilError
from faceveil.evaluate.gauge import IOUS
from faceveil.evaluate.match import MISSED, assign
from faceveil.evaluate.run import Looked
from faceveil.evaluate.truth import Truth
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from faceveil.types import Floats

SHOWN = 50
AROUND = 3.0  # sides of the face that are shown
_LEAST, _SIDE = 72, 260  # px: of what is shown, and of the picture in the report
_ENLARGE = 6.0  # beyond this there are only squares to see
_QUALITY = 82
_LABELLED, _FOUND = (255, 214, 10), (10, 180, 255)  # RGB: what is labelled, what the first detector found


@dataclass(frozen=True, slots=True)
class Miss:
    """One face that at least one detector missed.

    picture, face: which picture, and which of its faces. by: the detectors that missed it. size: (width, height) in
    pixels. best: the highest IoU of anything that the first detector found. about: what is said of it.
    """

    picture: int
    face: int
    by: tuple[int, ...]
    size: tuple[float, float]
    best: float
    about: tuple[str, ...]


def worst(looked: Looked, limit: int = SHOWN) -> list[Miss]:
    """The faces that most detectors missed at the lowest IoU, the largest first."""
    made = []
    iou = min(IOUS)
    for at, truth in enumerate(looked.truths):
        found = [regions[at] for regions in looked.found]
        missed = np.stack([assign(truth, regions, iou)[0] == MISSED for regions in found])
        made += [
            _miss(truth, found[0], at, int(face), np.flatnonzero(missed[:, face]))
            for face in np.flatnonzero(missed.any(0) & ~truth.ignored)
        ]
    return sorted(made, key=lambda miss: (-len(miss.by), -miss.size[1]))[:limit]


def _miss(truth: Truth, found: Regions, at: int, face: int, by: Any) -> Miss:
    from faceveil.detect import boxes  # noqa: PLC0415  (its only use here)

    box = truth.xyxy[face]
    overlap = boxes.overlap(found.xyxy, box[None])
    said = [f"{key} {words[face]}" for key, words in truth.about.items() if words[face]]
    size = (float(box[2] - box[0]), float(box[3] - box[1]))
    return Miss(at, face, tuple(by.tolist()), size, float(overlap.max(initial=0)), tuple(said))


def pictures(looked: Looked, misses: list[Miss]) -> list[bytes]:
    """A small JPEG of each miss, the face in yellow and what the first detector found in blue; empty if unreadable."""
    made: dict[int, bytes] = {}
    for at in sorted({miss.picture for miss in misses}):  # each file is read once
        truth, found = looked.truths[at], looked.found[0][at]
        try:
            (frame,) = media.open(truth.path)
        except (FaceveilError, ValueError):
            continue  # it has gone or changed since it was measured
        for i, miss in enumerate(misses):
            if miss.picture == at:
                made[i] = _crop(frame, truth.xyxy[miss.face], found)
    return [made.get(i, b"") for i in range(len(misses))]


def _crop(frame: Frame, box: Floats, found: Regions) -> bytes:
    import cv2  # noqa: PLC0415  (loads OpenCV)

    from faceveil.detect.pixels import eight_bit  # noqa: PLC0415

    x1, y1, x2, y2 = (float(v) for v in box)
    side = min(max(AROUND * max(x2 - x1, y2 - y1), _LEAST), max(frame.width, frame.height))
    left = int(np.clip((x1 + x2 - side) / 2, 0, max(0, frame.width - side)))
    top = int(np.clip((y1 + y2 - side) / 2, 0, max(0, frame.height - side)))
    part = eight_bit(frame)[top : top + int(side), left : left + int(side)]
    scale = min(_SIDE / max(part.shape[:2]), _ENLARGE)
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    shown = cv2.resize(part, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    for xyxy, colour in [*((row, _FOUND) for row in found.xyxy), (box, _LABELLED)]:
        _outline(shown, [(v - o) * scale for v, o in zip(xyxy, (left, top, left, top), strict=True)], colour)
    encoded: Any = cv2.imencode(".jpg", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return bytes(encoded)


def _outline(shown: Any, corners: list[float], colour: tuple[int, int, int]) -> None:
    import cv2  # noqa: PLC0415

    x1, y1, x2, y2 = (round(v) for v in np.clip(corners, -10_000, 10_000))
    cv2.rectangle(shown, (x1, y1), (x2, y2), (0, 0, 0), 4, cv2.LINE_AA)  # dark below, so that it shows on everything
    cv2.rectangle(shown, (x1, y1), (x2, y2), colour, 2, cv2.LINE_AA)
