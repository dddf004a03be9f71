"""SCRFD: the best detector here for its time; its weights are for non-commercial research only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from faceveil.detect.convention import Factors
from faceveil.detect.families.scrfd import Scrfd as Family
from faceveil.detect.network import SizedDetector
from faceveil.detect.recipe import Input, Recipe

BOX = Factors(width=1.005, height=0.98, right=-0.003, down=0.008)
"""Medians before conversion, `tools/box_factors.py scrfd`: 1.018, .970, -.004, .010 on 679 faces of LFW, .990, .987,
-.006, .005 on 3238 of WIDER FACE; of scrfd-2.5g 1.019, .971, .001, .010 and .995, .988, -.009, .010. The others were
trained on the same boxes, and were not at hand."""
POINTS = Recipe(
    decoder=Family(),
    # Some files declare 640 x 640; all compute any size.
    input=Input(mean=127.5, std=128, free=True),
    landmarks=(0, 1, 2, 3, 4),
    nms=0.4,  # voting changes nothing: .910 of the faces from 20 px with and without
    box=BOX,
)
PLAIN = POINTS.model_copy(update={"landmarks": None})


class Scrfd(SizedDetector):
    """Finds faces from about 10 px up, with five landmarks unless the model is a plain one.

    `scrfd-2.5g` finds more: .948 instead of .919 of the faces from 20 px up (111 pictures), in four times the
    time.
    Source: Guo et al., Sample and Computation Redistribution for Efficient Face Detection, 2021; weights trained on
    WIDER FACE by InsightFace, to be added.
    """

    name: ClassVar[str] = "scrfd"
    licence: ClassVar[str] = (
        "non-commercial: InsightFace allows research only; trained on WIDER FACE, whose pictures are for research, too."
    )
    weights: ClassVar[tuple[str, ...]] = (
        "scrfd-500m",
        "scrfd-2.5g",
        "scrfd-10g",
        "scrfd-500m-plain",
        "scrfd-2.5g-plain",
        "scrfd-10g-plain",
    )
    landmarks: ClassVar[bool] = True
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "scrfd-500m": POINTS,
        "scrfd-2.5g": POINTS,
        "scrfd-10g": POINTS,
        "scrfd-500m-plain": PLAIN,
        "scrfd-2.5g-plain": PLAIN,
        "scrfd-10g-plain": PLAIN,
    }

    model: Literal[
        "scrfd-500m", "scrfd-2.5g", "scrfd-10g", "scrfd-500m-plain", "scrfd-2.5g-plain", "scrfd-10g-plain"
    ] = "scrfd-500m"
    """The network, by its number of operations; plain ones give no landmarks."""
    size: int = Field(1280, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to."""
    enlarge: float = Field(1, ge=1, le=8)
    """How far a small picture may be scaled up; 1.5 finds no more from 20 px and costs half as much again."""
    score_threshold: float = Field(0.25, ge=0.01, le=1)
    """Faces below this score are dropped; .2 finds .928 from 20 px at 6.7 false positives a picture, .3 .910 at 2.0."""
