"""RetinaFace: the reference network of many projects, from the checkpoints of Pytorch_Retinaface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from faceveil.detect.convention import Factors
from faceveil.detect.families.ssd import RetinaFace as Family
from faceveil.detect.network import SizedDetector
from faceveil.detect.recipe import Input, Recipe

BOX = Factors(width=1.018, height=0.987, right=0, down=0.012)
"""Medians before conversion, `tools/box_factors.py retinaface`: 1.034, .982, .003, .008 on 674 faces of LFW, 1.002,
.991, -.003, .015 on 3179 of WIDER FACE. ResNet-50 was trained on the same boxes, and was not at hand."""
RECIPE = Recipe(
    decoder=Family(),
    input=Input(colours="bgr", mean=(104, 117, 123)),
    landmarks=(0, 1, 2, 3, 4),
    nms=0.4,  # voting changes nothing: AP .831 with and without
    box=BOX,
)


class RetinaFace(SizedDetector):
    """Finds faces from about 12 px up with five landmarks, in pictures that are scaled up.

    Source: Deng et al., RetinaFace: Single-stage Dense Face Localisation in the Wild, 2019; weights trained on WIDER
    FACE by Pytorch_Retinaface, made an ONNX file and added by the user.
    """

    name: ClassVar[str] = "retinaface"
    licence: ClassVar[str] = (
        "MIT: free for any use, commercial too, with the copyright notice kept; trained on WIDER FACE and ImageNet, "
        "whose pictures are for research only."
    )
    weights: ClassVar[tuple[str, ...]] = ("retinaface-mobilenet", "retinaface-resnet50")
    landmarks: ClassVar[bool] = True
    recipes: ClassVar[Mapping[str, Recipe]] = dict.fromkeys(("retinaface-mobilenet", "retinaface-resnet50"), RECIPE)

    model: Literal["retinaface-mobilenet", "retinaface-resnet50"] = "retinaface-mobilenet"
    """The network, by its backbone."""
    size: int = Field(1600, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to; of faces from 20 px in 1024 px 1600 finds .917, 1280 .906,
    640 .823 (threshold .3, 111 pictures)."""
    score_threshold: float = Field(0.25, ge=0.01, le=1)
    """Faces below this score are dropped; .2 finds .922 from 20 px at 4.1 false positives a picture, .3 .917 at 2.5."""
