"""What was found, and which face of the video it is: one table, sorted by track and then by time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.types import padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

    Doubles = NDArray[np.float64]
    Ints = NDArray[np.int64]

LANDMARKS = 5  # the first of all marks


@dataclass(frozen=True, eq=False)
class Points:
    """Detections that were linked to tracks, n of them, of m tracks.

    key: int64 (n,), which track, ascending. time: float64 (n,), seconds, ascending within each track.
    xyxy: float64 (n, 4), boxes in pixels. score: float32 (n,). marks: float32 (n, 5 + k, 2), NaN where there are none:
    five landmarks and k points of an outline.

    One table for all tracks, so that each step is a few numpy calls however many faces there are.
    """

    key: Ints
    time: Doubles
    xyxy: Doubles
    score: Floats
    marks: Floats

    @classmethod
    def none(cls) -> Points:
        """The empty table."""
        small = np.float32
        return cls(np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 4)), np.zeros(0, small), np.zeros((0, 5, 2), small))

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, keep: NDArray[Any]) -> Points:
        """The points picked by a boolean mask or by an index array that keeps them sorted."""
        return Points(self.key[keep], self.time[keep], self.xyxy[keep], self.score[keep], self.marks[keep])

    def added(self, more: Points) -> Points:
        """These points and those of one more frame, which lies later than all of them.

        marks: as many of either as the one that has more.
        """
        most = max(self.marks.shape[1], more.marks.shape[1])
        marks = [one if one.shape[1] == most else _outlined(one, most) for one in (self.marks, more.marks)]
        both = Points(
            np.concatenate([self.key, more.key]),
            np.concatenate([self.time, more.time]),
            np.concatenate([self.xyxy, more.xyxy]),
            np.concatenate([self.score, more.score]),
            np.concatenate(marks),
        )
        return both[np.argsort(both.key, kind="stable")]  # two sorted halves: a merge

    @cached_property
    def first(self) -> Ints:
        """Index of the first point of each track, (m,)."""
        begins = np.ones(len(self), bool)
        np.not_equal(self.key[1:], self.key[:-1], out=begins[1:])
        return np.flatnonzero(begins)

    @cached_property
    def last(self) -> Ints:
        """Index of the last point of each track, (m,)."""
        ends = np.ones(len(self), bool)
        np.not_equal(self.key[1:], self.key[:-1], out=ends[:-1])
        return np.flatnonzero(ends)

    @cached_property
    def tracks(self) -> Ints:
        """The key of each track, (m,), ascending."""
        return self.key[self.first]

    @cached_property
    def row(self) -> Ints:
        """For each point which of the m tracks it belongs to, (n,)."""
        return np.repeat(np.arange(len(self.first)), self.last - self.first + 1)

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The earliest time of all points, and a second more than from there to the latest."""
        if not len(self):
            return 0.0, 1.0
        start = float(self.time.min())
        return start, float(self.time.max()) - start + 1

    @cached_property
    def _line(self) -> Doubles:
        """Track and time in one number that ascends over the whole table, so that one search serves all tracks."""
        start, span = self._range
        return self.row * (2 * span) + (self.time - start)

    def until(self, rows: Ints, times: Doubles | float) -> Ints:
        """How far the table reaches up to a time, this included, in a track: the index after its last such point.

        rows: (q,), which of the m tracks. times: (q,), or one for all. Returns (q,), from `first` to `last + 1`.
        """
        start, span = self._range
        within = np.minimum(np.maximum(times - start, -span / 2), span)
        return np.searchsorted(self._line, rows * (2 * span) + within, "right")


def _outlined(marks: Floats, most: int) -> Floats:
    """Marks with points of an outline up to so many: the last one again, or NaN where there was none."""
    if marks.shape[1] > LANDMARKS:
        return padded(marks, most)
    return np.concatenate([marks, np.full((len(marks), most - LANDMARKS, 2), np.nan, np.float32)], axis=1)
