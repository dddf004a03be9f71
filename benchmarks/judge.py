"""An independent judge of videos: YuNet's findings, confirmed by SCRFD. Neither is part of faceveil."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

WEIGHTS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "weights"
SCORE = 0.7
CONFIRMED, SAME = 0.3, 0.3  # SCRFD's score and the IoU with YuNet's box
SIDE, AROUND = 640, (2.5, 5.0, 10.0)  # SCRFD's fixed input, and what it sees in sides of YuNet's box

Boxes = NDArray[np.float32]


@dataclass
class Judge:
    """`judge(rgb)` gives the boxes (n, 4), xyxy, of faces that both networks see."""

    _yunet: Any = field(default=None, repr=False)
    _scrfd: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        model = str(WEIGHTS / "yunet" / "face_detection_yunet_2023mar.onnx")
        self._yunet = cv2.FaceDetectorYN.create(model, "", (320, 320), SCORE, 0.3, 5000)
        self._scrfd = onnxruntime.InferenceSession(
            str(WEIGHTS / "scrfd" / "scrfd_2.5g_kps.onnx"), providers=["CPUExecutionProvider"]
        )

    def __call__(self, rgb: NDArray[np.uint8]) -> Boxes:
        """Boxes (n, 4) of the faces of an RGB picture."""
        first = self.yunet(rgb)
        sure = np.array([self.confirmed(rgb, box) for box in first], bool)
        return np.asarray(first[sure], np.float32)

    def yunet(self, rgb: NDArray[np.uint8]) -> Boxes:
        """YuNet at the picture's own size."""
        height, width = rgb.shape[:2]
        self._yunet.setInputSize((width, height))
        _, found = self._yunet.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if found is None:
            return np.zeros((0, 4), np.float32)
        return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], 1).astype(np.float32)

    def confirmed(self, rgb: NDArray[np.uint8], box: Boxes) -> bool:
        """Whether SCRFD 2.5G sees a face there, in any of three squares around the box, or in the whole picture."""
        side = float(max(box[2] - box[0], box[3] - box[1]))
        middle = (box[:2] + box[2:]) / 2
        squares = [(around * side, middle) for around in AROUND]
        squares.append((float(max(rgb.shape[:2])), np.array(rgb.shape[1::-1]) / 2))
        return any(self._seen(rgb, box, *square) for square in squares)

    def _seen(self, rgb: NDArray[np.uint8], box: Boxes, side: float, middle: NDArray[np.floating[Any]]) -> bool:
        corner = middle - side / 2
        scale = SIDE / side
        matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        crop = cv2.warpAffine(rgb, matrix, (SIDE, SIDE), flags=flags)
        pixels = ((crop.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        outputs = self._scrfd.run(None, {"images": pixels})
        found = []
        for i, stride in enumerate((8, 16, 32)):
            cells = SIDE // stride
            score, distance = outputs[i].reshape(-1), outputs[i + 3].reshape(-1, 4) * stride
            y, x = np.mgrid[:cells, :cells]
            # Two anchors in each cell share its corner.
            centre = np.repeat(np.stack([x, y], -1).reshape(-1, 2) * stride, 2, axis=0).astype(np.float32)
            sure = score >= CONFIRMED
            found.append(np.concatenate([centre[sure] - distance[sure, :2], centre[sure] + distance[sure, 2:]], 1))
        boxes = np.concatenate(found) / scale + np.tile(corner, 2)
        return bool((iou(box[None], boxes.astype(np.float32)) >= SAME).any())


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Intersection over union of (n, 4) with (m, 4): (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    areas = [(box[:, 2:] - box[:, :2]).prod(1) for box in (a, b)]
    return np.asarray(both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-6), np.float32)
