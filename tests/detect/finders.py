"""Detectors for tests: one that sees coloured rectangles, and one that says what it is told."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
from pydantic import PrivateAttr

from faceveil.detect.base import Detector
from faceveil.types import Frame, Regions


class Blobs(Detector):
    """Finds what is not black: one region for each connected patch, around its pixels; green is its score."""

    name: ClassVar[str] = "blobs"

    def __call__(self, frame: Frame) -> Regions:
        green = np.ascontiguousarray(frame.pixels[..., 1])
        count, patches = cv2.connectedComponents(np.minimum(green, 1), connectivity=4)
        boxes, scores = [], []
        for i in range(1, count):
            rows, columns = np.nonzero(patches == i)
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            scores.append(green[patches == i].max() / 255)
        order = np.argsort(-np.array(scores), kind="stable")
        return Regions(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))[order]


class Says(Detector):
    """Finds what it was made with, whatever the picture; counts how often it was asked."""

    name: ClassVar[str] = "says"

    _found: Regions = PrivateAttr()
    _asked: list[int] = PrivateAttr(default_factory=list)

    @classmethod
    def what(cls, xyxy: Any, score: Any, label: Any = None) -> Says:
        made = cls()
        made._found = Regions(np.array(xyxy, np.float32).reshape(-1, 4), np.array(score, np.float32), label=label)
        return made

    @property
    def gives_labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(["face", *self._found.labels.tolist()]))

    def __call__(self, frame: Frame) -> Regions:
        self._asked.append(frame.index)
        return self._found


def picture(size: tuple[int, int], *blobs: tuple[int, int, int, int], score: float = 0.8) -> Frame:
    """A black picture of (width, height) with rectangles xyxy."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for x1, y1, x2, y2 in blobs:
        pixels[y1:y2, x1:x2, 1] = round(score * 255)
    return Frame(pixels)
