"""YOLO trained on faces: YOLOv5-face and YOLOv8-face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from faceveil.detect.families.yolo import Yolo5, Yolo8
from faceveil.detect.network import SizedDetector
from faceveil.detect.recipe import Input, Recipe

INPUT = Input(std=255, fill=114)


class YoloFace(SizedDetector):
    """Finds faces with five landmarks, by an export of YOLOv5-face or YOLOv8-face.

    The export's outputs may be raw, one map for each stride, or one table that contains the decoding. Exports without
    landmarks are for the detector `onnx`. No weights were at hand to measure: threshold and overlap are the authors',
    boxes are left as the network draws them, which for networks trained on WIDER FACE is nearly CenterFace's way.
    Source: Qi et al., YOLO5Face: Why Reinventing a Face Detector, 2021; derronqi's yolov8-face, 2023.
    """

    name: ClassVar[str] = "yolo-face"
    licence: ClassVar[str] = (
        "AGPL-3.0 (yolo8-face), GPL-3.0 (yolo5-face): commercial use is allowed, but what is passed on with it, or "
        "with yolo8-face served, must be under the same licence; usually trained on WIDER FACE (research only)."
    )
    weights: ClassVar[tuple[str, ...]] = ("yolo8-face", "yolo5-face")
    landmarks: ClassVar[bool] = True
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "yolo8-face": Recipe(decoder=Yolo8(landmarks=True), input=INPUT, landmarks=(0, 1, 2, 3, 4), nms=0.5),
        "yolo5-face": Recipe(decoder=Yolo5(landmarks=True), input=INPUT, landmarks=(0, 1, 2, 3, 4), nms=0.5),
    }

    model: Literal["yolo8-face", "yolo5-face"] = "yolo8-face"
    """The network."""
    size: int | None = Field(None, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to, for exports that take any size; unset, 1280."""
    score_threshold: float = Field(0.2, ge=0.01, le=1)
    """Faces below this score are dropped."""
