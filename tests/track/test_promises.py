"""What a tracker promises of any video at all: nothing sure is left out, every frame comes once, times alone count."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import SIZE, Found, follow, regions, same, steps, within

from faceveil.track import Tracker, Tracking
from faceveil.types import Regions

HORIZONS = st.sampled_from([None, Fraction(0), Fraction(1, 2), Fraction(1, 5)])


@st.composite
def frames(draw: st.DrawFn) -> Found:
    """Anything a detector may say of a frame: up to six boxes, also none, outside, without area, or never looked."""
    if draw(st.booleans()) and draw(st.booleans()):
        return None
    count = draw(st.integers(0, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    corner = rng.choice([rng.uniform(-100, 1900, (count, 2)), rng.normal(500, 20, (count, 2))])
    sides = rng.choice([0, 1, 20, 60, 90], (count, 1)) * rng.uniform(0.8, 1.2, (count, 2))
    score = rng.choice([0.1, 0.2, 0.25, 0.6, 0.9], count)
    found = regions(np.concatenate([corner, corner + sides], 1).tolist(), score.tolist())
    return found if rng.random() < 0.8 else Regions(found.xyxy, found.score)


@st.composite
def videos(draw: st.DrawFn) -> tuple[list[Found], list[Fraction], list[int]]:
    found = draw(st.lists(frames(), max_size=30))
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 5, 40, 200]), min_size=len(found), max_size=len(found)))
    times = [Fraction(int(t), 60) for t in np.cumsum(gaps)]
    cuts = draw(st.lists(st.integers(0, max(len(found) - 1, 0)), max_size=2))
    return found, times, cuts


@settings(max_examples=40)
@given(videos(), HORIZONS)
def test_what_is_sure_is_covered_and_every_frame_comes_out_once(
    video: tuple[list[Found], list[Fraction], list[int]], horizon: Fraction | None
) -> None:
    found, times, cuts = video
    done = follow(found, times, horizon=horizon, cuts=cuts)
    assert [(f.index, f.time) for f in done] == list(enumerate(times))
    for given_, frame in zip(found, done, strict=True):
        assert frame.regions.track is not None
        assert len(set(frame.regions.track.tolist())) == len(frame.regions)
        if given_ is not None:
            sure = given_.xyxy[given_.score >= 0.25]
            assert within(sure, frame.regions.xyxy).all()
            assert np.isin(given_.score[given_.score >= np.float32(0.25)], frame.regions.score).all()


@settings(max_examples=40)
@given(videos())
def test_numbers_count_from_zero_in_order_of_appearance_and_never_come_back(
    video: tuple[list[Found], list[Fraction], list[int]],
) -> None:
    found, times, cuts = video
    tracks = [f.regions.track.tolist() for f in follow(found, times, cuts=cuts) if f.regions.track is not None]
    first = list(dict.fromkeys(number for frame in tracks for number in frame))
    assert first == list(range(len(first)))
    for cut in cuts:
        before = {n for frame in tracks[:cut] for n in frame}
        assert before.isdisjoint(n for frame in tracks[cut:] for n in frame)


@settings(max_examples=40)
@given(videos(), st.integers(0, 2**32 - 1))
def test_the_order_of_detections_changes_nothing(
    video: tuple[list[Found], list[Fraction], list[int]], seed: int
) -> None:
    found, times, cuts = video
    rng = np.random.default_rng(seed)
    mixed = [f if f is None else f[rng.permutation(len(f))] for f in found]
    same(follow(found, times, cuts=cuts), follow(mixed, times, cuts=cuts))


@settings(max_examples=40)
@given(videos(), HORIZONS)
def test_frames_that_nobody_looked_at_change_nothing_for_the_others(
    video: tuple[list[Found], list[Fraction], list[int]], horizon: Fraction | None
) -> None:
    """A video of uneven times is one of even times in which most frames were not looked at."""
    found, times, cuts = video
    first, last = (times[0], times[-1]) if times else (Fraction(0), Fraction(0))
    even = [first + Fraction(i, 60) for i in range(int((last - first) * 60) + 1)] if times else []
    at = {time: i for i, time in enumerate(times)}
    filled = [found[at[time]] if time in at else None for time in even]
    places = [even.index(times[cut]) for cut in cuts if times]
    regular = follow(filled, even, horizon=horizon, cuts=places)
    numberless = [[f for f in regular if f.time in at], follow(found, times, horizon=horizon, cuts=cuts)]
    for a, b in zip(*numberless, strict=True):
        order = np.lexsort(a.regions.xyxy.T), np.lexsort(b.regions.xyxy.T)  # tracks may first show between two frames
        np.testing.assert_array_equal(a.regions.xyxy[order[0]], b.regions.xyxy[order[1]])
        np.testing.assert_array_equal(a.regions.score[order[0]], b.regions.score[order[1]])


@settings(max_examples=40)
@given(videos(), st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)]), st.integers(0, 29))
def test_nothing_later_than_the_horizon_counts(
    video: tuple[list[Found], list[Fraction], list[int]], horizon: Fraction, end: int
) -> None:
    found, times, cuts = video
    whole, part = (follow(found[:k], times[:k], horizon=horizon, cuts=cuts) for k in (None, end))
    until = times[min(end, len(times)) - 1] if times and end else Fraction(0)
    complete = [f for f in part if f.time + horizon <= until]
    same(whole[: len(complete)], complete)


@settings(max_examples=40)
@given(videos())
def test_a_cut_is_the_end_of_one_video_and_the_beginning_of_another(
    video: tuple[list[Found], list[Fraction], list[int]],
) -> None:
    found, times, _ = video
    half = len(found) // 2
    joined = follow(found, times, cuts=[half])
    apart = follow(found[:half], times[:half]) + follow(found[half:], times[half:])
    for a, b in zip(joined, apart, strict=True):
        np.testing.assert_array_equal(a.regions.xyxy, b.regions.xyxy)


def test_a_detection_beyond_the_horizon_is_not_known_though_it_came_before_the_frame_was_settled() -> None:
    """A face seen at 0 and 0.6 s: at 0.1 s, with a look-ahead of 0.2 s, nobody can know where it will be."""
    first, last = regions([[100, 100, 160, 180]]), regions([[150, 100, 210, 180]])
    times = [Fraction(i, 10) for i in (0, 1, 6)]
    sparse = follow([first, Regions(), last], times, horizon=Fraction(1, 5))
    every = [first, Regions(), None, None, None, None, last]
    dense = follow(every, [Fraction(i, 10) for i in range(7)], horizon=Fraction(1, 5))
    same(sparse, [dense[i] for i in (0, 1, 6)])
    known = follow([first, Regions(), last], times)
    assert known[1].regions.xyxy[0, 0] > sparse[1].regions.xyxy[0, 0] + 4


def test_the_same_pushes_give_the_same_result() -> None:
    rng = np.random.default_rng(3)
    found: list[Found] = []
    for _ in range(60):
        corner = rng.uniform(0, 1000, (8, 2))
        found.append(regions(np.concatenate([corner, corner + 50], 1).tolist(), rng.uniform(0, 1, 8).tolist()))
    same(follow(found), follow(found))


def test_frames_are_settled_when_the_horizon_is_reached_and_not_before() -> None:
    tracker = Tracker(SIZE, horizon=Fraction(1, 2))
    came = [[f.index for f in tracker.push(i, time, Regions())] for i, time in enumerate(steps(20, rate=10))]
    assert came == [[]] * 5 + [[i] for i in range(15)]
    assert [f.index for f in tracker.finish()] == [15, 16, 17, 18, 19]
    at_once = Tracker(SIZE, horizon=Fraction(0))
    assert [f.index for f in at_once.push(0, Fraction(0), Regions())] == [0]


def test_state_does_not_grow_with_the_video() -> None:
    """Eight hundred frames, every one with new false alarms, hold no more than two hundred do."""
    tracker, rng, held = Tracker(SIZE), np.random.default_rng(0), []
    for i, time in enumerate(steps(800)):
        corner = rng.uniform(0, 1000, (3, 2))
        tracker.push(i, time, regions(np.concatenate([corner, corner + 30], 1).tolist(), rng.uniform(0, 1, 3).tolist()))
        state = len(tracker._points), len(tracker._sure), len(tracker._numbers), len(tracker._waiting)
        held.append(max(state))
    assert max(held[200:]) <= 1.2 * max(held[:200])


def test_frames_that_come_too_densely_do_not_pile_up() -> None:
    tracker = Tracker(SIZE, held=100)
    times = [Fraction(i, 100_000) for i in range(500)]
    found = regions([[10, 10, 50, 60]])
    came = [len(tracker.push(i, time, found)) for i, time in enumerate(times)]
    assert sum(came) == 400
    assert len(tracker.finish()) == 100


def test_wrong_use_is_refused_in_one_sentence() -> None:
    tracker = Tracker(SIZE)
    tracker.push(0, Fraction(1), None)
    with pytest.raises(ValueError, match="times must increase, got 1 s after 1 s"):
        tracker.push(1, Fraction(1), None)
    with pytest.raises(ValueError, match="size must be"):
        Tracker((0, 5))
    with pytest.raises(ValueError, match="horizon must be 0 seconds or more, got -1"):
        Tracker(SIZE, horizon=Fraction(-1))
    with pytest.raises(ValueError, match="extend"):
        Tracking(extend=-1)
