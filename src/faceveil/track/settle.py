"""Where the tracks are in one frame: as detected, between two detections, or beyond the first and the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from faceveil.track.local import OUTWARD, lines, travel
from faceveil.track.points import LANDMARKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.track.points import Doubles, Ints, Points
    from faceveil.track.settings import Tracking
    from faceveil.types import Floats

# How boxes grow where nothing was detected, to each side. Ten clips, preset fast, every 15 of 35 frames taken away:
# without growth .15 of 3,921 boxes that were detected there lie within the settled ones and .90 within a tenth of a
# size; with it .95 and .99, for 1.47 times the area (median). Beyond first and last detections, up to .5 s: .09 and .83
# without, .92 and .97 with it, for 1.61 times the area. A cubic for a line between detections changes none of this.
JITTER = 0.03  # sides: what detectors differ by from frame to frame
WANDER = 0.3  # sides per second since the nearest detection. .5: .97 within, for 1.64 times the area
LAG = (
    0.5  # of the way at full speed since then. .3: .93 within. Under even acceleration a, in a gap of T, a line misses
)
# by a T^2 / 8 at the most, and a face is as fast as a T / 2 at one end at least: then half of its way is enough
MOST = 0.5  # sides: at the most a box of twice the width and height
ROUNDING = 1e-6  # s: sums of times in float64 miss a limit by less


class Boxes(NamedTuple):
    """n boxes of one frame.

    row: (n,), which track of the table. xyxy: (n, 4). score: (n,), 0 where nothing was detected. marks: (n, 5 + k, 2),
    landmarks and points of an outline, NaN where there are none.
    """

    row: Ints
    xyxy: Doubles
    score: Doubles
    marks: Doubles


class _Seen(NamedTuple):
    """Of q tracks the detections around a frame: the nearest, the one on the other side, and how far off they are.

    near, far: indices of points; the same one where there is none on the other side. dt: seconds from the nearest one
    to the frame. gap: seconds from the nearest one to the other, 0 where there is none.
    """

    row: Ints
    near: Ints
    far: Ints
    dt: Doubles
    gap: Doubles


def settled(
    points: Points, rows: Ints, time: float, until: float, settings: Tracking, size: NDArray[np.int64]
) -> Boxes:
    """The boxes of the tracks `rows`, (q,), in the frame at `time`, from what was seen until `until`, in seconds.

    size: (2,), width and height of the picture: boxes that have moved out of it are left out.
    """
    seen = _seen(points, rows, time, until, settings)
    between = np.flatnonzero(seen.gap)
    fits = lines(points, np.concatenate([seen.near, seen.far[between]]), until, settings.bridge)
    near, far = fits[: len(seen.row)], fits[len(seen.row) :]
    moved = near.slope * travel(seen.dt)[:, None]
    xyxy, marks = near.xyxy + _twice(moved), points.marks[seen.near] + moved[:, None]
    speed = np.abs(near.slope)
    if len(between):
        part = (seen.dt[between] / seen.gap[between])[:, None]
        xyxy[between] = _mix(near.xyxy[between], far.xyxy, part)
        other = points.marks[seen.far[between]]
        marks[between] = _mix(points.marks[seen.near[between]], other, part[..., None])
        speed[between] = np.maximum(speed[between], np.abs(far.slope))
    hit = seen.dt == 0
    marks[hit] = points.marks[seen.near[hit]]
    shown = hit | ((xyxy[:, 2:] > 0) & (xyxy[:, :2] < size)).all(1)
    sides = xyxy[:, 2:] - xyxy[:, :2]
    growth = _growth(sides, speed, seen.dt)
    xyxy += OUTWARD * _twice(growth)
    if marks.shape[1] > LANDMARKS:
        marks[:, LANDMARKS:] = grown(marks[:, LANDMARKS:], growth, sides)
    return Boxes(seen.row[shown], xyxy[shown], np.where(hit, points.score[seen.near], 0)[shown], marks[shown])


def _seen(points: Points, rows: Ints, time: float, until: float, settings: Tracking) -> _Seen:
    """The detections around a frame, of those tracks that reach it."""
    after = points.until(rows, time)
    before = np.maximum(after - 1, points.first[rows])
    after = np.minimum(after, points.last[rows])
    back, ahead = time - points.time[before], points.time[after] - time
    back[back < 0] = np.inf  # the track begins later
    ahead[(ahead <= 0) | (points.time[after] > until)] = np.inf
    gap = back + ahead
    between = (back > 0) & (gap <= settings.bridge + ROUNDING)
    alive = between | (np.minimum(back, ahead) <= settings.extend + ROUNDING)
    first = back <= ahead
    return _Seen(
        rows[alive],
        np.where(first, before, after)[alive],
        np.where(first, after, before)[alive],
        np.where(first, back, -ahead)[alive],
        np.where(between, np.where(first, gap, -gap), 0)[alive],
    )


def _growth(sides: Doubles, speed: Doubles, dt: Doubles) -> Doubles:
    """How far a box reaches out to each side, (q, 2), at dt seconds from its nearest detection, (q,)."""
    far = np.abs(dt)[:, None]
    grown = np.minimum((JITTER + WANDER * far) * sides + LAG * speed * far, MOST * sides)
    return np.where(far > 0, grown, 0)


def grown(outlines: Doubles | Floats, growth: Doubles | Floats, sides: Doubles | Floats) -> Doubles:
    """Outlines (q, k, 2) of boxes that reach out by growth, (q, 2), to each side of sides, (q, 2).

    By one factor for width and height: an outline that grows unevenly does not contain what it was.
    """
    factor = (1 + 2 * growth / np.maximum(sides, 1e-6)).max(axis=1)[:, None, None]
    middle = (outlines.max(axis=1, keepdims=True) + outlines.min(axis=1, keepdims=True)) / 2
    return np.asarray(middle + (outlines - middle) * factor, np.float64)


def _mix(one: Doubles | Floats, other: Doubles | Floats, part: Doubles) -> Doubles:
    return np.asarray(one + (other - one) * part, np.float64)


def _twice(xy: Doubles) -> Doubles:
    return np.concatenate([xy, xy], axis=1)
