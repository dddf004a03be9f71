"""Families of networks: what their outputs mean. Pure functions on arrays, one file for each kin.

A family is a small model of settings (strides, anchors, variances ...) with one method, `read`, from the network's
outputs to candidates in pixels of its input. What it is called in a manifest is its field `family`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from faceveil.detect.families.base import Family, Found, Unfit
from faceveil.detect.families.boxes import Boxes
from faceveil.detect.families.centerface import CenterFace
from faceveil.detect.families.scrfd import Scrfd
from faceveil.detect.families.ssd import RetinaFace, UltraFace
from faceveil.detect.families.yolo import Yolo5, Yolo8
from faceveil.detect.families.yunet import YuNet

__all__ = ["AnyFamily", "Family", "Found", "Unfit"]

AnyFamily = Annotated[
    YuNet | Scrfd | RetinaFace | UltraFace | Yolo5 | Yolo8 | CenterFace | Boxes, Field(discriminator="family")
]
