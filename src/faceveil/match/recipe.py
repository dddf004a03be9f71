"""What a recognising network wants and gives, in one typed value: the same for known models and manifests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from faceveil.detect.recipe import CONFIG, Three
from faceveil.match.align import ARCFACE_SIDE, Alignment, arcface

_Point = tuple[float, float]


class Box(BaseModel):
    """Chips are the box of the face, without being turned."""

    model_config = CONFIG

    margin: float = Field(0, ge=-0.4, le=4)
    """How far the box is grown to each side, in its own sides."""


class Recipe(BaseModel):
    """How to run a network that makes embeddings of faces."""

    model_config = CONFIG

    side: int = Field(ARCFACE_SIDE, ge=16, le=1024)
    """Side of the chips it takes, in pixels."""
    align: Literal["arcface"] | tuple[_Point, _Point, _Point, _Point, _Point] | Box = "arcface"
    """Where left eye, right eye, nose, left and right corner of the mouth lie in a chip, in its pixels, left and right
    as seen; arcface: where nearly all networks want them; or a box with a margin, for networks that want no turning."""
    colours: Literal["rgb", "bgr"] = "rgb"
    """The order of the channels."""
    mean: Three = (0, 0, 0)
    """What is subtracted from samples of 0 to 255, for each channel in the network's order or for all."""
    std: Three = (1, 1, 1)
    """What they are divided by afterwards."""
    standardise: bool = False
    """Give each chip a mean of 0 and a deviation of 1 by its own numbers, instead of `mean` and `std`."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    """Channels before or after the rows."""
    output: str = ""
    """Name of the output that is the embedding; the only one, or the first, where it is not named."""
    metric: Literal["cosine", "euclidean"] = "cosine"
    """How far two embeddings lie apart."""
    threshold: Annotated[float, Field(gt=0)] | None = None
    """The distance below which two faces are taken for one person's, as the network's publisher says."""

    @property
    def alignment(self) -> Alignment:
        """How a face lies in its chips."""
        if isinstance(self.align, Box):
            return Alignment(self.side, margin=self.align.margin)
        return arcface(self.side) if self.align == "arcface" else Alignment(self.side, self.align)
