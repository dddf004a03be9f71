"""Haar cascades, as OpenCV 4 ships them: read, run, and what they find sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import cv2.data
import numpy as np

from faceveil.detect import pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats, Frame


def grey(frame: Frame, longest: int) -> tuple[NDArray[np.uint8], Floats]:
    """Luma (h, w) with sides of at most `longest`, never enlarged, and its scale in x and y."""
    small, scale = pixels.reduced(frame, longest)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8), scale


def read(name: str) -> cv2.CascadeClassifier:
    """The cascade in OpenCV's file haarcascade_NAME.xml.

    It serves one thread, and keeps copies of the picture it has seen at every size: 450 MB for 2048 x 2048 px. So it is
    read anew for each picture, in 1 to 9 ms.
    """
    return cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")


def look(
    cascade: cv2.CascadeClassifier, picture: NDArray[np.uint8], *, step: float, neighbours: int, smallest: float
) -> tuple[Floats, Floats]:
    """What a cascade finds in luma (h, w): boxes xyxy (n, 4), and how sure its last stage is.

    step: factor between two sizes of the window. neighbours: how many windows must agree. smallest: longest side in
    pixels of the smallest window. The second result (n,) is the sum of the last stage's trees: any number, more is
    better. Surest first: OpenCV's order depends on its threads.
    """
    width, height = cascade.getOriginalWindowSize()
    least = max(1.0, smallest / max(width, height))
    size = (round(width * least), round(height * least))
    found, _, sums = cascade.detectMultiScale3(picture, step, neighbours, 0, size, outputRejectLevels=True)
    xyxy = np.array(found, np.float32).reshape(-1, 4)
    xyxy[:, 2:] += xyxy[:, :2]
    weight = np.array(sums, np.float32).reshape(-1)
    order = np.lexsort((xyxy[:, 3], xyxy[:, 2], xyxy[:, 1], xyxy[:, 0], -weight))
    return xyxy[order], weight[order]
