"""Where a face is and how it moves at one of its points: a robust line through its neighbours in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.track.points import Doubles, Ints, Points

# All figures: ten clips, preset fast, 25-30 frames per second.
WINDOW = 0.2  # s to either side. On mpiigaze_video03 the jitter (deviation of the centre's second difference, in sizes)
# falls from .025 to .005 and boxes grow by 4 % (quantile .9: 11 %); .3: .004 and 6 % (15); .5: .003 and 9 % (23)
NOISE = 0.02  # of the face's size: how far edges lie off the line, medians of clips .007 to .04
SPEED = 1.0  # sizes per second: how fast faces move; medians of clips .04 to 1.5, quantiles .9 .1 to 1
DAMPING = 0.3  # s in which motion fades. Error after .45 s, quantile .9: no motion .24, .15 s .22, .3 s .21, .6 s .21
OUTWARD = np.array([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """The lines at q points.

    xyxy: float64 (q, 4), the boxes on the lines, grown so that each contains what was detected at its point.
    slope: float64 (q, 2), the motion of their centres, pixels per second.
    """

    xyxy: Doubles
    slope: Doubles

    def __getitem__(self, keep: NDArray[Any] | slice) -> Local:
        return Local(self.xyxy[keep], self.slope[keep])


def lines(points: Points, at: Ints, until: float, widest: float) -> Local:
    """Lines at the points `at`, (q,), through their neighbours of the same track, none of them later than `until`.

    Four straight lines, one for each edge, by weighted least squares: near neighbours weigh most (tricube, as in
    Cleveland, Robust Locally Weighted Regression, 1979), and those far off the first line hardly (Cauchy's weights).
    The slope is drawn to zero as `SPEED` and `NOISE` say, so that two points that jitter do not make a motion.

    A box then grows by what its neighbours reach out of their lines, weighted the same way: it contains what was
    detected, and swells and shrinks over the window instead of within a frame.

    widest: seconds. Where the next neighbour is farther than the window, the window goes as far as this to reach it.
    """
    index, dt, kernel = _neighbours(points, at, until, widest)
    boxes, here = points.xyxy[index], points.xyxy[at]
    sides = here[:, 2:] - here[:, :2]
    slack = 2 * NOISE * np.sqrt(sides[:, :1] * sides[:, 1:]) + 1e-3
    middle, slope, rest = _regression(dt, boxes, kernel)
    off = np.abs(rest).max(2) / slack
    middle, slope, rest = _regression(dt, boxes, kernel / (1 + off * off))
    excess = np.maximum((kernel[..., None] * (rest * OUTWARD)).max(1), 0)
    return Local(middle + OUTWARD * excess, (slope[:, :2] + slope[:, 2:]) / 2)


def _regression(dt: Doubles, boxes: Doubles, weight: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Value at dt = 0, (q, 4), slope (q, 4) and what is left, (q, k, 4), of boxes (q, k, 4) at times dt (q, k)."""
    total = weight.sum(1, keepdims=True)
    weight = weight / total
    centre = (weight * dt).sum(1, keepdims=True)
    off = dt - centre
    lever = weight * off
    spread = (lever * off).sum(1, keepdims=True) + (NOISE / SPEED) ** 2 / total
    mean = (weight[:, None] @ boxes)[:, 0]
    slope = (lever[:, None] @ boxes)[:, 0] / spread
    return mean - centre * slope, slope, boxes - (mean[:, None] + off[..., None] * slope[:, None])


def _neighbours(points: Points, at: Ints, until: float, widest: float) -> tuple[Ints, Doubles, Doubles]:
    """The neighbours of each point, itself included: index, distance in time and weight, (q, k) each."""
    time, row = points.time[at], points.row[at]
    back = np.where(at > points.first[row], time - points.time[at - 1], np.inf)
    later = points.time[np.minimum(at + 1, len(points) - 1)]
    ahead = np.where((at < points.last[row]) & (later <= until), later - time, np.inf)
    half = np.maximum(WINDOW, np.minimum(1.5 * np.minimum(back, ahead), widest))
    low = points.until(row, time - half)
    high = points.until(row, np.minimum(time + half, until))
    index = low[:, None] + np.arange(int((high - low).max(initial=1)))
    inside = index < high[:, None]
    index = np.minimum(index, len(points) - 1)
    dt = np.where(inside, points.time[index] - time[:, None], 0)
    far = np.abs(dt) / half[:, None]
    return index, dt, np.where(inside, (1 - far * far * far) ** 3, 0)


def travel(dt: Doubles) -> Doubles:
    """Seconds of undamped motion that a face goes on for in `dt` seconds, negative for back in time."""
    return np.asarray(np.copysign(-DAMPING * np.expm1(-np.abs(dt) / DAMPING), dt))
