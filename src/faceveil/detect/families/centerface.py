"""CenterFace: faces as points of a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from faceveil.detect.families.base import Family, Found, Outputs, Unfit, in_order, shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

STRIDE = 4  # px of the network's input in one cell of its output
CHANNELS = {"heatmap": 1, "size": 2, "offset": 2, "landmarks": 10}


class CenterFace(Family):
    """CenterFace by Star-Clouds.

    Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019.
    """

    roles: ClassVar[tuple[str, ...]] = tuple(CHANNELS)

    family: Literal["centerface"] = "centerface"
    """The name of the family."""

    def sort(self, given: list[NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """In the network's order: heat map, size, offset, landmarks."""
        return in_order(given, self.roles)

    def read(self, outputs: Outputs, size: tuple[int, int], threshold: float) -> Found:
        """One candidate for each cell above the threshold."""
        maps = []
        for role, channels in CHANNELS.items():
            array, wanted = outputs[role][0], (1, channels, *shape(size, STRIDE))
            if array.shape != wanted:
                raise Unfit(f"should give '{role}' as {wanted} for this input and gives {array.shape}")
            maps.append(np.asarray(array[0], np.float32))
        return decode(maps[0], maps[1], maps[2], maps[3], threshold)


def decode(heatmap: Floats, size: Floats, offset: Floats, landmarks: Floats, threshold: float) -> Found:
    """Candidates in the network's input pixels, one for each cell above the threshold.

    heatmap (1, h, w), size (2, h, w) and offset (2, h, w) height or y first, landmarks (10, h, w) y before x.
    """
    rows, columns = np.nonzero(~(heatmap[0] <= threshold))
    sides = np.exp(size[::-1, rows, columns].T) * STRIDE  # (n, 2): width, height
    centres = (np.stack([columns, rows], 1) + 0.5 + offset[::-1, rows, columns].T) * STRIDE
    points = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
    corner = centres - sides / 2
    xyxy = np.concatenate([corner, corner + sides], 1)
    marks = corner[:, None] + points * sides[:, None]
    return Found(np.asarray(xyxy, np.float32), heatmap[0, rows, columns], np.asarray(marks, np.float32))
