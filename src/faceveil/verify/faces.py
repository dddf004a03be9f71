"""Faces that are still visible, looked for in four rotations and two sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.base import Detector
    from faceveil.types import Floats, Pixels

SIZES = (640, 320)
"""Longest sides, in pixels, at which a frame is looked at; smaller frames are not enlarged."""
ROTATED = 0.94
"""Least score of a face that is not upright: of 31 veiled WIDER pictures clasped hands scored .88 when turned."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A face that is still visible: frame, box in its pixels, score, and the rotation in degrees it was found at."""

    frame: int
    box: tuple[float, float, float, float]
    score: float
    rotation: int


def visible(
    frame: Frame, detector: Detector, min_score: float, *, except_at: Floats | None = None, brief: bool = False
) -> list[Seen]:
    """Faces of a frame with at least `min_score`, best first; one entry where several looks see the same.

    except_at: boxes (n, 4) of faces that may be visible. brief: look once, upright and at the larger size.
    """
    allowed = [] if except_at is None else [tuple(box.tolist()) for box in except_at]
    found: list[Seen] = []
    for longest in SIZES[:1] if brief else SIZES:
        factor = min(1.0, longest / max(frame.width, frame.height))
        size = max(1, round(frame.width * factor)), max(1, round(frame.height * factor))
        small = cast("Pixels", cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA))
        for quarter in range(1 if brief else 4):
            least = max(min_score, ROTATED) if quarter else min_score
            regions = detector(Frame(cast("Pixels", np.ascontiguousarray(np.rot90(small, quarter)))))
            upright = _unrotated(regions.xyxy, quarter, size) / factor
            found += [
                Seen(frame.index, tuple(round(float(v), 1) for v in box), round(float(score), 3), 90 * quarter)  # type: ignore[arg-type]
                for box, score in zip(upright, regions.score, strict=True)
                if score >= least
            ]
    found.sort(key=lambda seen: -seen.score)
    kept: list[Seen] = []
    for seen in found:
        if not any(overlap(seen.box, other) for other in [*allowed, *(k.box for k in kept)]):
            kept.append(seen)
    return kept


def _unrotated(xyxy: Floats, quarter: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Boxes of a picture turned counter-clockwise by quarters, in the coordinates of the unturned one."""
    width, height = size
    boxes = np.asarray(xyxy)
    x1, y1, x2, y2 = boxes.T
    if quarter == 1:
        return np.stack([width - y2, x1, width - y1, x2], axis=1)
    if quarter == 2:
        return np.stack([width - x2, height - y2, width - x1, height - y1], axis=1)
    if quarter == 3:
        return np.stack([y1, height - x2, y2, height - x1], axis=1)
    return boxes


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether two boxes share a third of the smaller one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    return width * height > min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])) / 3
