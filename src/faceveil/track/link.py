"""Which detection goes on with which track: optimal assignment, sure detections first.

In two passes as in Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, 2022; the code is
our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.track.points import Doubles, Ints

# How far from where it is expected a face may be found, in sizes. Ten clips, preset fast, quantiles .99 and .999:
# frame after frame .37 and .87; .25 s later .8 and 1.5, .65 s later .9 and 1.3.
NEAR = 0.7
FARTHER = 1.5  # more for each second
FARTHEST = 1.5  # at the most: where faces stand side by side, their centres are 1.5 to 2 sizes apart
RATIO = 2.0  # of sizes; quantiles .99 and .999 frame after frame 1.25 and 2.0
NEVER = 1e6  # cost of what cannot be: more than any number of links that can


def link(
    boxes: Doubles,
    sure: NDArray[np.bool_],
    predicted: Doubles,
    gap: Doubles,
    alike: NDArray[np.bool_] | None = None,
) -> Ints:
    """For each of n detections the index of the track that it goes on with, or -1: (n,).

    boxes: float64 (n, 4). sure: bool (n,). predicted: float64 (m, 4), where the tracks are expected by now.
    gap: float64 (m,), seconds since each was seen. alike: bool (n, m), which may be the same thing at all; None: all.
    """
    found = np.full(len(boxes), -1, np.int64)
    cost = costs(boxes, predicted, gap)
    if alike is not None:
        cost = np.where(alike, cost, NEVER)
    free = np.ones(len(predicted), bool)
    for chosen in (sure, ~sure):
        rows, columns = np.flatnonzero(chosen), np.flatnonzero(free)
        one, other = _assigned(cost[rows[:, None], columns])
        found[rows[one]] = columns[other]
        free[columns[other]] = False
    return found


def costs(boxes: Doubles, predicted: Doubles, gap: Doubles) -> Doubles:
    """What each link costs, (n, m): 1 - IoU, distance in sizes, and the logarithm of the ratio of sizes.

    The distance counts where boxes do not overlap, the ratio where they do: a small face before a large one.
    """
    one, other = boxes[:, None], predicted[None]
    mine, theirs = one[..., 2:] - one[..., :2], other[..., 2:] - other[..., :2]
    areas = np.maximum(mine[..., 0] * mine[..., 1], 1), np.maximum(theirs[..., 0] * theirs[..., 1], 1)
    sides = np.maximum(np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2]), 0)
    shared = sides[..., 0] * sides[..., 1]
    iou = shared / (areas[0] + areas[1] - shared)
    apart = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2
    away = np.hypot(apart[..., 0], apart[..., 1]) / np.sqrt(np.sqrt(areas[0] * areas[1]))
    ratio = np.abs(np.log(areas[0] / areas[1])) / 2
    possible = (away <= np.minimum(NEAR + FARTHER * gap, FARTHEST)) & (ratio <= np.log(RATIO))
    return np.where(possible, 1 - iou + away + ratio, NEVER)


def _assigned(cost: Doubles) -> tuple[Ints, Ints]:
    """The cheapest assignment of rows to columns: as many links as can be, each at most once."""
    rows = np.flatnonzero(cost.min(1, initial=NEVER) < NEVER)
    if not len(rows):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    nearest = cost[rows].argmin(1)
    if len(set(nearest.tolist())) == len(rows):  # each has the cheapest of all that it can have: nothing is cheaper
        return rows, nearest
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  (half a second, which few videos need)

    one, other = linear_sum_assignment(cost)
    good = cost[one, other] < NEVER
    return one[good], other[good]
