"""Which detection goes on with which track."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from walks import Found, box, follow, regions, steps

from faceveil.track.link import NEVER, costs, link


def boxes(*centres: tuple[float, float], side: float = 40) -> np.ndarray:
    return np.array([box(x, y, side, side) for x, y in centres], np.float64).reshape(-1, 4)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_as_many_links_as_can_be_and_the_cheapest_of_these(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, expected = (boxes(*rng.uniform(0, 120, (k, 2)).tolist()) for k in (n, m))
    gap = rng.uniform(0, 0.5, m)
    to = link(found, np.ones(n, bool), expected, gap)
    cost = costs(found, expected, gap)
    links = [(i, j) for i, j in enumerate(to.tolist()) if j >= 0]
    assert len({j for _, j in links}) == len(links)
    assert all(cost[i, j] < NEVER for i, j in links)

    padded = np.full((max(n, m), max(n, m)), NEVER)
    padded[:n, :m] = cost
    best = min(sum(padded[i, j] for i, j in enumerate(order)) for order in permutations(range(len(padded))))
    total = sum(cost[i, j] for i, j in links) + NEVER * (len(padded) - len(links))
    np.testing.assert_allclose(total, best)


def test_the_nearest_one_by_one_would_be_wrong_here() -> None:
    """Both detections lie nearest to the same track: greedy linking would leave the farther one alone."""
    to = link(boxes((20, 0), (38, 0)), np.ones(2, bool), boxes((0, 0), (22, 0)), np.zeros(2))
    assert to.tolist() == [0, 1]


def test_sure_detections_choose_before_low_ones() -> None:
    found, track = boxes((3, 0), (0, 0)), boxes((0, 0))
    assert link(found, np.array([True, False]), track, np.zeros(1)).tolist() == [0, -1]
    assert link(found, np.array([True, True]), track, np.zeros(1)).tolist() == [-1, 0]


def test_what_is_too_far_or_of_another_size_is_another_face() -> None:
    sure, gap = np.ones(1, bool), np.zeros(1)
    assert link(boxes((50, 0)), sure, boxes((0, 0)), gap).tolist() == [-1]
    assert link(boxes((50, 0)), sure, boxes((0, 0)), gap + 0.5).tolist() == [0]
    assert link(boxes((0, 0), side=90), sure, boxes((0, 0)), gap).tolist() == [-1]
    assert link(boxes(), np.zeros(0, bool), boxes((0, 0)), gap).tolist() == []
    assert link(boxes((0, 0)), sure, boxes(), np.zeros(0)).tolist() == [-1]


def test_faces_that_pass_each_other_keep_their_numbers() -> None:
    """At 200 px/s towards each other, 20 px apart in height: motion tells who is who when they overlap."""
    found: list[Found] = []
    for time in steps(60):
        t = float(time)
        found.append(regions([box(200 + 200 * t, 300, 50, 60), box(600 - 200 * t, 320, 50, 60)]))
    done = follow(found)
    for frame, given_ in zip(done, found, strict=True):
        assert given_ is not None
        assert frame.regions.track is not None
        left = frame.regions.xyxy[frame.regions.track == done[0].regions.track[0]]  # type: ignore[index]
        first = given_.xyxy[0] if (done[0].regions.xyxy[0, 0] < 300) else given_.xyxy[1]
        np.testing.assert_allclose(left[0], first, atol=6)


def test_importing_tracks_loads_neither_scipy_nor_opencv() -> None:
    code = "import sys, faceveil.track; print([m for m in ('scipy', 'cv2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
