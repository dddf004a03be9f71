"""Large pictures in overlapping tiles, and panoramas whose left and right borders meet."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from faceveil.detect import regions
from faceveil.detect.base import Detector
from faceveil.detect.compose import SAME_FACE, Composed, Limit
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats, Pixels

INSIDE = 0.5
"""Share of a cut box inside another from which it is a part of the same face. A face cut in the middle lies inside by
all of its area; two faces side by side share far less."""
SEAM = 8
"""The part of the width, on either side of the seam, that is looked at across it: 45 degrees of 360."""


class Tiles(Composed):
    """The whole picture, and overlapping tiles of it at full resolution: small faces in large pictures.

    With `wrap` the left and right borders meet, as in equirectangular pictures of 360 degrees: a face across the seam
    comes back twice, whole, once over either border, so that its cover is as large as any.
    """

    name: ClassVar[str] = "tiles"
    positional: ClassVar[str] = "detector"

    detector: Detector
    """Any detector."""
    size: int = Field(1280, ge=64, le=16384)
    """Side of a tile in pixels of the picture; smaller pictures are not cut."""
    overlap: float = Field(0.2, ge=0, le=0.9)
    """Overlap of neighbouring tiles in sides of a tile. A face smaller than this lies whole in at least one."""
    wrap: bool = False
    """Whether the picture goes on at its left border where its right one ends."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        whole, cut = self._looks(frame.pixels)
        if not self.wrap:
            return self._united(whole, cut)
        at_border = _near(whole.xyxy, frame.width, frame.height, (True, False, True, False))
        across = self._across(frame.pixels)
        return self._united(Regions.concatenate([whole[~at_border], across]), whole[at_border], cut)

    def _looks(self, pixels: Pixels) -> tuple[Regions, Regions]:
        """What the whole picture and its tiles show, and apart from it what the border of a tile may have cut."""
        height, width = pixels.shape[:2]
        whole, cut = [self.detector(Frame(pixels))], [Regions()]
        if max(width, height) > self.size:
            for x, y in product(self._starts(width), self._starts(height)):
                tile = Frame(pixels[y : y + self.size, x : x + self.size])
                found = self.detector(tile)
                cuts = x > 0, y > 0, x + tile.width < width, y + tile.height < height
                at_cut = _near(found.xyxy, tile.width, tile.height, cuts)
                found = regions.moved(found, x, y)
                whole.append(found[~at_cut])
                cut.append(found[at_cut])
        return Regions.concatenate(whole), Regions.concatenate(cut)

    def _across(self, pixels: Pixels) -> Regions:
        """The faces across the seam, each at both borders."""
        width = pixels.shape[1]
        reach = max(1, width // SEAM)
        strip = np.concatenate([pixels[:, width - reach :], pixels[:, :reach]], 1)
        found = self._united(*self._looks(strip))
        least = _slack(found.xyxy)
        found = found[(found.xyxy[:, 0] < reach - least) & (found.xyxy[:, 2] > reach + least)]
        return Regions.concatenate([regions.moved(found, width - reach, 0), regions.moved(found, -reach, 0)])

    def _united(self, *levels: Regions) -> Regions:
        """One region for each face, of levels that show more and more parts of faces.

        A part goes if it lies inside a region of an earlier level; if not, half a face is better than none.
        """
        found = Regions()
        for level in levels:
            found = regions.added(found, regions.best(level, self.iou), INSIDE, over="smaller")
        return regions.in_order(found)

    def _starts(self, length: int) -> list[int]:
        """Where tiles begin along a side: evenly spread, the last one ends at the border."""
        if length <= self.size:
            return [0]
        step = max(1, int(self.size * (1 - self.overlap)))
        count = -(-(length - self.size) // step) + 1
        return [round(i * (length - self.size) / (count - 1)) for i in range(count)]


def _near(xyxy: Floats, width: int, height: int, cuts: tuple[bool, bool, bool, bool]) -> NDArray[np.bool_]:
    """Which boxes (n,) come near a border of a tile of that size that cuts the picture: left, top, right, bottom."""
    slack = _slack(xyxy)[:, None]
    beyond = np.concatenate([xyxy[:, :2] < slack, xyxy[:, 2:] > np.array([width, height]) - slack], 1)
    return np.asarray((beyond & np.array(cuts)).any(1))


def _slack(xyxy: Floats) -> Floats:
    """A twentieth of each box's longer side, (n,): a cut face ends that near to the cut."""
    return np.asarray((xyxy[:, 2:] - xyxy[:, :2]).max(1) / 20, np.float32)
