"""UltraFace: networks of a megabyte for small devices; they see the whole picture in 320 or 640 px."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from faceveil.detect.convention import Factors
from faceveil.detect.families.ssd import UltraFace as Family
from faceveil.detect.network import StoredDetector
from faceveil.detect.recipe import Input, Recipe

BOXES = {
    "ultraface-rfb-640": Factors(width=1.003, height=0.99, right=-0.002, down=0.032),
    "ultraface-rfb-320": Factors(width=1.03, height=0.97, right=0, down=0.023),
    "ultraface-slim-320": Factors(width=1.015, height=0.973, right=0.002, down=0.022),
    "ultraface-masked-640": Factors(width=0.99, height=1.01, right=0, down=0.02),
}
"""Medians before conversion, `tools/box_factors.py ultraface:model=...`, LFW and WIDER FACE in the order above:
1.009, .992, -.003, .030 on 621 faces and .997, .989, -.002, .035 on 2195; 1.049, .971, -.002, .019 on 633 and 1.008,
.966, .005, .027 on 1982; 1.034, .966, .003, .023 on 635 and .994, .980, .002, .022 on 1769; .977, 1.047, .007, -.003 on
491 and 1.000, .985, -.004, .035 on 2084."""


def _recipe(box: Factors) -> Recipe:
    return Recipe(
        decoder=Family(),
        # Stretched as in training: AP .642 instead of .595 with the proportions kept (111 pictures).
        input=Input(mean=127, std=128, fit="stretch"),
        nms=0.4,
        voting=0.6,
        box=box,
    )


class UltraFace(StoredDetector):
    """Finds faces that are not small in the picture: it is scaled to 320 x 240 or 640 x 480, whatever its size.

    `tiles(ultraface, size=640)` finds small ones, too.
    Source: Linzaer, Ultra-Light-Fast-Generic-Face-Detector-1MB, 2019; weights trained on WIDER FACE, the masked one
    on MAFA, too, to be added.
    """

    name: ClassVar[str] = "ultraface"
    licence: ClassVar[str] = (
        "MIT: free for any use, commercial too, with the copyright notice kept; trained on WIDER FACE (masked-640 on "
        "MAFA, too), whose pictures are for research only."
    )
    weights: ClassVar[tuple[str, ...]] = tuple(BOXES)
    recipes: ClassVar[Mapping[str, Recipe]] = {model: _recipe(box) for model, box in BOXES.items()}

    model: Literal["ultraface-rfb-640", "ultraface-rfb-320", "ultraface-slim-320", "ultraface-masked-640"] = (
        "ultraface-rfb-640"
    )
    """The network and its input: rfb finds more than slim; masked-640 was trained on faces with masks, too."""
    score_threshold: float = Field(0.3, ge=0.01, le=1)
    """Faces below this score are dropped; .2 finds .876 from 20 px at 2.7 false positives a picture, .3 .852 at 1.4."""
