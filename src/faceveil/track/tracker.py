"""Frames in, frames out: the same with every face covered in all frames that may show it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from faceveil.track.link import link
from faceveil.track.local import WINDOW, lines, travel
from faceveil.track.points import LANDMARKS, Points
from faceveil.track.settings import Tracking
from faceveil.track.settle import ROUNDING, settled
from faceveil.types import FACE, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.track.points import Doubles, Ints
    from faceveil.types import Floats

DEFAULT = Tracking()
LEAST_STEP = Fraction(1, 1_000_000)  # s: far above what float64 confuses, far below what cameras do


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """One frame whose boxes will not change any more.

    regions: with `track`, in order of its numbers. Boxes that were detected in this frame have their score, those that
    were bridged or extended 0. A label, landmarks and an outline are those of the detections.
    """

    index: int
    time: Fraction
    regions: Regions


class Tracker:
    """Links detections to tracks, frame by frame, and settles each frame once it has looked far enough ahead.

    Every box of a score of `settings.sure` and above lies within a settled box of the same frame. What a frame gets
    depends on nothing later than `horizon` after it, on nothing beyond a cut, and on times, never on counts of frames.

    What has another label is never linked. `settings.sure` is about the scores of faces: those of other detectors mean
    something else, and all that these detect is sure.
    """

    def __init__(
        self,
        size: tuple[int, int],
        settings: Tracking = DEFAULT,
        horizon: Fraction | None = None,
        *,
        held: int = 250,
    ) -> None:
        """A tracker of one video.

        size: (width, height) of the upright frames.
        horizon: seconds of look-ahead, and so of delay; unset, what `settings` can make use of. With less, a gap is
            covered without a hole if it is no longer than `extend` and the horizon together.
        held: frames that wait at the most, whatever their times say; past that the first is settled early.
        """
        if min(size) < 1:
            raise ValueError(f"size must be (width, height) of at least 1 pixel each, got {size}")
        if horizon is not None and horizon < 0:
            raise ValueError(f"horizon must be 0 seconds or more, got {float(horizon):g}")
        longest = max(settings.extend, settings.bridge)
        self.settings = settings
        self.horizon = Fraction(str(longest)) if horizon is None else horizon
        self._held = held
        self._size: NDArray[np.int64] = np.array(size)
        self._kept = longest + max(settings.bridge, WINDOW) + ROUNDING  # the farthest point that a line may use
        self._start: Fraction | None = None
        self._now = Fraction(0)
        self._waiting: deque[tuple[int, Fraction]] = deque()
        self._points = Points.none()
        self._sure: dict[int, float] = {}  # since when each track has a sure detection
        self._numbers: dict[int, int] = {}  # what the tracks that have been shown are called
        self._labels: dict[int, str] = {}  # of the tracks that are no faces
        self._begun = self._shown = 0

    def push(self, index: int, time: Fraction, found: Regions | None, *, cut: bool = False) -> list[Settled]:
        """Takes the next frame and returns those that are settled now, in order; often one, none at first.

        found: the detections in it, in upright pixels; None if nobody looked. cut: a new scene begins with it.
        Raises `ValueError` where times do not increase, by a microsecond at least.
        """
        if self._start is None:
            self._start = time
        elif time - self._now < LEAST_STEP:
            raise ValueError(f"times must increase, got {float(time):g} s after {float(self._now):g} s")
        done = self.finish() if cut else []
        self._now = time
        self._waiting.append((index, time))
        if found is not None and len(found):
            self._take(found)
        while self._waiting and (time - self._waiting[0][1] >= self.horizon or len(self._waiting) > self._held):
            done.append(self._settle())
        self._forget(self._seconds(self._waiting[0][1] if self._waiting else time) - self._kept)
        return done

    def finish(self) -> list[Settled]:
        """The frames that still wait: the video, or a scene of it, is over."""
        done = [self._settle() for _ in range(len(self._waiting))]
        self._forget(np.inf)
        return done

    def _seconds(self, time: Fraction) -> float:
        return float(time - self._start) if self._start is not None else 0.0

    def _take(self, found: Regions) -> None:
        """Links the detections of the frame that is pushed, and begins a track with each that goes on with none."""
        marks = np.full((len(found), 5, 2), np.nan, np.float32) if found.landmarks is None else found.landmarks
        if found.outline is not None:
            marks = np.concatenate([marks, found.outline], axis=1)
        ties = () if found.label is None else (found.label,)
        order = np.lexsort((*ties, *found.xyxy.T, -found.score))  # tracks must not depend on the order of detections
        xyxy, score = found.xyxy[order].astype(np.float64), found.score[order]
        now, sure = self._seconds(self._now), score >= self.settings.sure
        labels = None if found.label is None else found.label[order]
        if labels is not None:
            sure |= labels != FACE
        keys = self._linked(xyxy, sure, now, labels)
        new = np.flatnonzero(keys < 0)
        keys[new] = self._begun + np.arange(len(new))
        self._begun += len(new)
        if labels is not None:
            whats = zip(keys[new].tolist(), labels[new].tolist(), strict=True)
            self._labels |= {key: label for key, label in whats if label != FACE}
        for key in keys[sure].tolist():
            self._sure.setdefault(key, now)
        by_key = np.argsort(keys)
        more = Points(keys, np.full(len(keys), now), xyxy, score, marks[order])
        self._points = self._points.added(more[by_key])

    def _linked(self, xyxy: Doubles, sure: NDArray[np.bool_], now: float, labels: NDArray[np.str_] | None) -> Ints:
        """For each detection the key of the track that it goes on with, or -1."""
        points = self._points
        ends = points.last[now - points.time[points.last] <= self.settings.bridge + ROUNDING]
        if not len(ends):
            return np.full(len(xyxy), -1, np.int64)
        local, gap = lines(points, ends, now, self.settings.bridge), now - points.time[ends]
        moved = local.slope * travel(gap)[:, None]
        keys, alike = points.key[ends], None
        if labels is not None or self._labels:
            alike = (np.full(len(xyxy), FACE) if labels is None else labels)[:, None] == self._labelled(keys)
        to = link(xyxy, sure, local.xyxy + np.concatenate([moved, moved], axis=1), gap, alike)
        return np.where(to >= 0, keys[to], -1)

    def _labelled(self, keys: Ints) -> NDArray[np.str_]:
        """The label of each of some tracks, (q,)."""
        return np.array([self._labels.get(key, FACE) for key in keys.tolist()], np.str_)

    def _settle(self) -> Settled:
        """The first of the waiting frames, from what is known up to the horizon."""
        index, time = self._waiting.popleft()
        until, points = self._seconds(time + self.horizon), self._points
        # A track of low scores is none until a sure detection goes on with it.
        known = [row for row, key in enumerate(points.tracks.tolist()) if self._sure.get(key, np.inf) <= until]
        if not known:
            return Settled(index, time, Regions(track=np.zeros(0, np.int64)))
        rows = np.array(known, np.int64)
        boxes = settled(points, rows, self._seconds(time), until, self.settings, self._size)
        keys = points.tracks[boxes.row]
        numbers = np.array([self._number(key) for key in keys.tolist()], np.int64)
        order = np.argsort(numbers)
        labels = self._labelled(keys[order]) if self._labels else None
        marks = boxes.marks[order].astype(np.float32)
        landmarks, outline = _any(marks[:, :LANDMARKS]), _any(marks[:, LANDMARKS:])
        # Rounding to float32 keeps the order of numbers, so that a detection stays within its box.
        xyxy, score = boxes.xyxy[order].astype(np.float32), boxes.score[order].astype(np.float32)
        return Settled(index, time, Regions(xyxy, score, landmarks, numbers[order], labels, outline))

    def _number(self, key: int) -> int:
        """The number of a track: from 0 in order of their first boxes."""
        if key not in self._numbers:
            self._numbers[key] = self._shown
            self._shown += 1
        return self._numbers[key]

    def _forget(self, before: float) -> None:
        """Drops what no frame can use any more."""
        keep = self._points.time >= before
        if np.count_nonzero(keep) < 0.8 * len(keep):  # seldom: each time costs as much as a link
            self._points = self._points[keep]
            alive = set(self._points.tracks.tolist())
            self._sure = {key: since for key, since in self._sure.items() if key in alive}
            self._numbers = {key: number for key, number in self._numbers.items() if key in alive}
            self._labels = {key: label for key, label in self._labels.items() if key in alive}


def _any(marks: Floats) -> Floats | None:
    """Marks of n boxes, (n, k, 2), unless nobody has any."""
    return None if not marks.shape[1] or (marks.size and np.isnan(marks).all()) else marks
