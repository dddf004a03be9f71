"""YuNet: a tiny network, the fastest here for what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from faceveil.detect.convention import Factors
from faceveil.detect.families.yunet import YuNet as Family
from faceveil.detect.network import SizedDetector
from faceveil.detect.recipe import Input, Recipe

SMALL = Factors(width=1.01, height=0.99, right=0, down=0.007)
"""Medians before conversion, `tools/box_factors.py yunet`: 1.021, 1.001, .001, .002 on 664 faces of LFW, .994, .985,
-.005, .012 on 3222 of WIDER FACE."""
NORMAL = Factors(width=1.02, height=0.98, right=0, down=0.006)
"""The same of `yunet:model=yunet-n`: 1.036, .977, .001, .004 on 673 faces, 1.001, .983, -.007, .009 on 3315."""


def _recipe(box: Factors) -> Recipe:
    return Recipe(
        decoder=Family(),
        input=Input(colours="bgr", free=True),  # the zoo's file declares 640 x 640 and computes any size
        landmarks=(0, 1, 2, 3, 4),
        nms=0.4,
        voting=0.6,  # recall at 20 px .898 -> .902, AP .870 -> .876 on 111 pictures
        box=box,
    )


class YuNet(SizedDetector):
    """Finds faces from about 10 px up with five landmarks; fast.

    OpenCV Zoo's file (2023mar) is the small network. `yunet-n` finds more: .928 instead of .913 of the faces from 20 px
    up, at the same 3.4 false positives a picture (111 pictures) and a third more time.
    Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023; weights trained on WIDER FACE, to be added.
    """

    name: ClassVar[str] = "yunet"
    licence: ClassVar[str] = (
        "MIT (yunet), Apache-2.0 (yunet-n, yunet-s): free for any use, commercial too, with notices kept; trained on "
        "WIDER FACE, whose pictures are for research only."
    )
    weights: ClassVar[tuple[str, ...]] = ("yunet", "yunet-n", "yunet-s")
    landmarks: ClassVar[bool] = True
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "yunet": _recipe(SMALL),
        "yunet-n": _recipe(NORMAL),
        "yunet-s": _recipe(SMALL),
    }

    model: Literal["yunet", "yunet-n", "yunet-s"] = "yunet"
    """The network: OpenCV Zoo's, or those of libfacedetection.train, of which yunet-s is the zoo's once more."""
    size: int = Field(1280, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to; 640 takes a third of the time and finds .886 from 20 px."""
    score_threshold: float = Field(0.4, ge=0.01, le=1)
    """Faces below this score are dropped; .3 finds .917 from 20 px at 6.3 false positives a picture, .5 .902 at 1.7."""
