"""Real faces, a real detector: what it found and the tracker was not told must be covered all the same."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from walks import follow

from faceveil.deidentify.cover import place
from faceveil.detect import build
from faceveil.detect.runtime import Runtime
from faceveil.policy import Area
from faceveil.track import Settled
from faceveil.types import Frame, Regions

pytestmark = pytest.mark.shared_data

CLEAR = 0.5  # score: what the detector is sure of shows a face


@dataclass(frozen=True)
class Clip:
    size: tuple[int, int]
    times: list[Fraction]
    found: list[Regions]
    cuts: list[int]


@cache
def _clip(path: Path, first: int, count: int, cuts: tuple[int, ...] = ()) -> Clip:
    detector = build("fast", None, Runtime(threads=1))
    times, found, size = [], [], (1, 1)
    with av.open(str(path)) as clip:
        for i, frame in enumerate(clip.decode(video=0)):
            if i >= first + count:
                break
            if i >= first:
                assert frame.pts is not None
                times.append(frame.pts * Fraction(frame.time_base or 1))
                pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                found.append(detector(Frame(pixels)))
                size = frame.width, frame.height
    return Clip(size, times, found, [cut - first for cut in cuts if cut > first])


@pytest.fixture
def pizza(shared: Path) -> Clip:
    """Five children who eat and turn their heads; 720p, 25 frames per second."""
    return _clip(shared / "video" / "mpiigaze_video03.mp4", 0, 120)


@pytest.fixture
def stage(shared: Path) -> Clip:
    """The end of one scene, a man on a stage who moves and turns, and the beginning of a third."""
    return _clip(shared / "video" / "hamilton_short.mp4", 60, 160, (82, 211))


def hidden(clip: Clip, frames: set[int]) -> list[Settled]:
    told = [Regions() if i in frames else found for i, found in enumerate(clip.found)]
    return follow(told, clip.times, cuts=clip.cuts, size=clip.size)


def shares(clip: Clip, done: list[Settled], frames: set[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of each clear face that the tracker was not told of lies in one settled box: [0], and its cover: [1].

    Only of faces that it was told of before and after: nobody can know of one that comes and goes between.
    """
    result = []
    for i in sorted(frames):
        found = clip.found[i]
        for xyxy in found.xyxy[found.score >= CLEAR]:
            before = max(j for j in range(i) if j not in frames)
            after = min(j for j in range(i, len(done)) if j not in frames)
            if _near(clip, before, xyxy) and _near(clip, after, xyxy):
                boxes = done[i].regions.xyxy
                result.append([_share(xyxy, boxes), _share(xyxy, place(boxes, Area()).rects())])
    bare, covered = np.array(result).T
    return bare, covered


def _share(face: NDArray[Any], boxes: NDArray[Any]) -> float:
    shared = np.minimum(face[2:], boxes[:, 2:]) - np.maximum(face[:2], boxes[:, :2])
    return float(shared.clip(0).prod(1).max(initial=0) / np.prod(face[2:] - face[:2]))


def _near(clip: Clip, frame: int, xyxy: np.ndarray) -> bool:
    found = clip.found[frame]
    away = np.abs((found.xyxy[:, :2] + found.xyxy[:, 2:] - xyxy[:2] - xyxy[2:]) / 2) / (xyxy[2:] - xyxy[:2])
    return bool(((away < 0.8).all(1) & (found.score >= 0.25)).any())


def _bursts(count: int, total: int, seed: int, cuts: list[int]) -> set[int]:
    """Frames without detections: `count` in a row, and again, with 15 to 25 between, never over a cut."""
    rng, frames, at = np.random.default_rng(seed), set[int](), 10
    while at + count + 10 < total:
        if not any(at - 5 <= cut <= at + count + 5 for cut in cuts):
            frames |= set(range(at, at + count))
        at += count + int(rng.integers(15, 26))
    return frames


@pytest.mark.parametrize("name", ["pizza", "stage"])
@pytest.mark.parametrize("seed", [0, 1])
def test_faces_missed_in_15_frames_in_a_row_are_covered(name: str, seed: int, request: pytest.FixtureRequest) -> None:
    clip: Clip = request.getfixturevalue(name)
    frames = _bursts(15, len(clip.found), seed, clip.cuts)
    bare, covered = shares(clip, hidden(clip, frames), frames)
    assert len(bare) >= 40
    assert covered.min() >= 0.99  # measured: all of every face lies in its cover
    assert bare.min() >= 0.6  # measured: .99, 1, .98 and, where he bows and rises again in the gap, .76
    assert bare.mean() >= 0.95  # measured: 1, 1, .998 and .960


@pytest.mark.parametrize("name", ["pizza", "stage"])
def test_faces_missed_at_random_are_covered(name: str, request: pytest.FixtureRequest) -> None:
    clip: Clip = request.getfixturevalue(name)
    frames = set(np.flatnonzero(np.random.default_rng(7).random(len(clip.found) - 1) < 0.4).tolist())
    frames -= {0} | {cut + d for cut in clip.cuts for d in (-2, -1, 0, 1)}
    bare, _ = shares(clip, hidden(clip, frames), frames)
    assert len(bare) >= 50
    assert bare.min() >= 0.95  # measured: 1 and, on another machine, .970


@pytest.mark.parametrize("name", ["pizza", "stage"])
def test_covers_follow_without_trembling(name: str, request: pytest.FixtureRequest) -> None:
    """The centre's second difference, relative to the face's height: a third of the detector's at the most."""
    clip: Clip = request.getfixturevalue(name)
    done = hidden(clip, set())
    ways: dict[int, dict[int, tuple[np.ndarray, np.ndarray]]] = {}
    for i, frame in enumerate(done):
        assert frame.regions.track is not None
        for xyxy, score, track in zip(frame.regions.xyxy, frame.regions.score, frame.regions.track, strict=True):
            own = np.flatnonzero(clip.found[i].score == score)
            if score >= CLEAR and len(own) == 1:
                ways.setdefault(int(track), {})[i] = xyxy, clip.found[i].xyxy[own[0]]
    seconds = []
    for way in ways.values():
        for i in way:
            if {i - 1, i + 1} <= way.keys():
                three = np.array([way[i - 1], way[i], way[i + 1]])
                centre = (three[..., :2] + three[..., 2:]) / 2
                seconds.append(np.diff(centre, 2, axis=0)[0] / (three[1, 1, 3] - three[1, 1, 1]))
    settled, raw = np.std(np.array(seconds), axis=0)
    assert len(seconds) > 100
    assert (
        settled < 0.35 * raw
    ).all()  # measured: .0024 and .0030 of .0122 and .0185, .0047 and .0084 of .0231 and .0286
