"""All families as one type, of which a recipe's field `family` chooses. Whoever needs one family imports that alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from faceveil.detect.families.boxes import Boxes
from faceveil.detect.families.centerface import CenterFace
from faceveil.detect.families.scrfd import Scrfd
from faceveil.detect.families.ssd import RetinaFace, UltraFace
from faceveil.detect.families.yolo import Yolo5, Yolo8
from faceveil.detect.families.yunet import YuNet

AnyFamily = Annotated[
    YuNet | Scrfd | RetinaFace | UltraFace | Yolo5 | Yolo8 | CenterFace | Boxes, Field(discriminator="family")
]
