"""Labelled pictures and detections for the tests: drawn by hypothesis, or by a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from faceveil.evaluate.run import Looked
from faceveil.evaluate.truth import Truth
from faceveil.types import Regions

_corner = st.integers(0, 40)
_side = st.integers(1, 30)


@st.composite
def boxes(draw: st.DrawFn, most: int = 6) -> np.ndarray:
    """Some boxes that often overlap, (n, 4)."""
    rows = draw(st.lists(st.tuples(_corner, _corner, _side, _side), max_size=most))
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32).reshape(-1, 4)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """A picture with faces, some of them ignored."""
    xyxy = draw(boxes())
    ignored = draw(st.lists(st.booleans(), min_size=len(xyxy), max_size=len(xyxy)))
    return Truth(Path("a.jpg"), xyxy, np.array(ignored, bool), draw(st.booleans()))


@st.composite
def regions(draw: st.DrawFn) -> Regions:
    """Detections with scores that may be equal."""
    xyxy = draw(boxes())
    scores = draw(st.lists(st.integers(0, 20), min_size=len(xyxy), max_size=len(xyxy)))
    return Regions(xyxy, (np.array(scores) / 20).astype(np.float32))


def crowd(pictures: int, seed: int, *, sure: float = 0.5, ignored: float = 0.1) -> tuple[list[Truth], list[Regions]]:
    """Pictures with about four faces each, most of them found, some beside the face, some twice, some where none is.

    sure: how much higher true detections score than false ones. ignored: share of faces that count neither way.
    """
    rng = np.random.default_rng(seed)
    made, found = [], []
    for number in range(pictures):
        n = int(rng.poisson(4))
        corner, height = rng.uniform(0, 500, (n, 2)), rng.uniform(8, 120, (n, 1))
        xyxy = np.concatenate([corner, corner + height * [0.8, 1]], 1).astype(np.float32)
        seen = rng.random(n) < 0.85
        near = xyxy[seen] + rng.normal(0, 0.06, (int(seen.sum()), 4)) * height[seen]
        twice = near[rng.random(len(near)) < 0.1] + 2
        wrong = rng.uniform(0, 500, (int(rng.poisson(1.5)), 2))
        wrong = np.concatenate([wrong, wrong + rng.uniform(10, 80, wrong.shape)], 1)
        rows = np.concatenate([near, twice, wrong]).astype(np.float32)
        rows[:, 2:] = np.maximum(rows[:, 2:], rows[:, :2])
        score = rng.uniform(0, 1 - sure, len(rows))
        score[: len(near)] += sure * rng.random(len(near))
        about = {"blur": np.array(["clear", "heavy"])[(height[:, 0] < 30).astype(int)] if n else np.zeros(0, np.str_)}
        made.append(Truth(Path(f"{number}.jpg"), xyxy, rng.random(n) < ignored, bool(number % 5), about))
        found.append(Regions(rows, score.astype(np.float32)))
    return made, found


def looked(pictures: int, *seeds: int, sure: float = 0.5) -> Looked:
    """Detectors that look at the same pictures, one for each seed; the first seed also draws the pictures."""
    made = Looked(tuple(f"detector-{seed}" for seed in seeds))
    made.truths = crowd(pictures, seeds[0])[0]
    rng = np.random.default_rng(0)
    for seed in seeds:
        own = crowd(pictures, seeds[0], sure=sure)[1]
        drop = np.random.default_rng(seed)
        made.found.append([one[drop.random(len(one)) < 0.9] if seed != seeds[0] else one for one in own])
    made.ms = (10 + rng.random((pictures, len(seeds))) * [[1 + at for at in range(len(seeds))]]).tolist()
    made.digest = "ab" * 32
    return made
