"""Faces that move as told, for tests of tracks: where they are at each time, and what a tracker makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.track import Settled, Tracker, Tracking
from faceveil.types import Regions

SIZE = (1920, 1080)
Way = Callable[[float], Sequence[float]]  # seconds -> x, y, width, height
Found = Regions | None


def steps(count: int, rate: int = 25) -> list[Fraction]:
    return [Fraction(i, rate) for i in range(count)]


def box(x: float, y: float, width: float, height: float) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def marks(boxes: NDArray[Any]) -> NDArray[Any]:
    """Five landmarks at fixed places of each box, (n, 5, 2)."""
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    return np.asarray(boxes[:, None, :2] + places * (boxes[:, 2:] - boxes[:, :2])[:, None], np.float32)


def regions(boxes: Sequence[Sequence[float]], score: float | Sequence[float] = 0.8, marked: bool = True) -> Regions:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    scores = np.broadcast_to(np.array(score, np.float32), len(xyxy))
    return Regions(xyxy, scores, marks(xyxy) if marked else None)


def walk(way: Way, times: Sequence[Fraction]) -> list[Regions]:
    """One face, found in every frame."""
    return [regions([box(*way(float(time)))]) for time in times]


def follow(
    found: Sequence[Found],
    times: Sequence[Fraction] | None = None,
    settings: Tracking | None = None,
    horizon: Fraction | None = None,
    cuts: Sequence[int] = (),
    size: tuple[int, int] = SIZE,
) -> list[Settled]:
    """All frames of a video, settled."""
    tracker = Tracker(size, settings or Tracking(), horizon)
    done = []
    for i, (time, regions_) in enumerate(zip(times or steps(len(found)), found, strict=True)):
        done += tracker.push(i, time, regions_, cut=i in cuts)
    return done + tracker.finish()


def within(inner: NDArray[Any], outer: NDArray[Any], slack: float = 0.0) -> NDArray[np.bool_]:
    """Whether each of n boxes lies in one of m others, which may be smaller by `slack` pixels: (n,)."""
    out = np.maximum(outer[None, :, :2] - inner[:, None, :2], inner[:, None, 2:] - outer[None, :, 2:]).max(axis=2)
    return np.asarray(out.min(axis=1, initial=np.inf) <= slack, np.bool_)


def same(one: Sequence[Settled], other: Sequence[Settled]) -> None:
    """Asserts that two results are equal to the last bit."""
    assert [f.time for f in one] == [f.time for f in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.regions.xyxy, b.regions.xyxy)
        np.testing.assert_array_equal(a.regions.score, b.regions.score)
        np.testing.assert_array_equal(a.regions.track, b.regions.track)
        assert (a.regions.landmarks is None) == (b.regions.landmarks is None)
        if a.regions.landmarks is not None:
            np.testing.assert_array_equal(a.regions.landmarks, b.regions.landmarks)
