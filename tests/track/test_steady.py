"""Covers do not pulse: sizes are kept for a while, and no box becomes smaller."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faceveil.track import Settled, Steady
from faceveil.track.steady import FOR_S
from faceveil.types import Regions

F = np.float32
SIDE = st.floats(1, 500, width=32)


def _frame(index: int, boxes: list[tuple[float, float]], rate: int = 25) -> Settled:
    xyxy = np.array([(-w / 2, -h / 2, w / 2, h / 2) for w, h in boxes], F).reshape(-1, 4)
    regions = Regions(xyxy, np.ones(len(boxes), F), track=np.arange(len(boxes)))
    return Settled(index, Fraction(index, rate), regions)


@given(st.lists(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=3), min_size=1, max_size=20))
def test_no_box_becomes_smaller_and_centres_stay(sizes: list[list[tuple[float, float]]]) -> None:
    steady = Steady()
    for index, boxes in enumerate(sizes):
        given_frame = _frame(index, boxes)
        made = steady(given_frame).regions
        assert (made.xyxy[:, :2] <= given_frame.regions.xyxy[:, :2]).all()
        assert (made.xyxy[:, 2:] >= given_frame.regions.xyxy[:, 2:]).all()
        assert np.allclose(made.xyxy[:, :2] + made.xyxy[:, 2:], 0, atol=1e-3)


def test_a_size_is_kept_for_half_a_second_and_no_longer() -> None:
    steady = Steady()
    widths = []
    for index in range(30):
        made = steady(_frame(index, [(100.0, 100.0) if index == 0 else (80.0, 80.0)]))
        widths.append(float(made.regions.xyxy[0, 2] - made.regions.xyxy[0, 0]))
    last = int(FOR_S * 25)
    assert widths == [100.0] * (last + 1) + [80.0] * (29 - last)


def test_a_pulse_is_gone_but_growth_is_not_delayed() -> None:
    steady = Steady()
    pulse = [steady(_frame(i, [(50.0 + 5 * (i % 2), 50.0)])).regions.xyxy for i in range(20)]
    widths = [float(box[0, 2] - box[0, 0]) for box in pulse]
    assert widths[0] == 50
    assert widths[1:] == [55.0] * 19


def test_tracks_do_not_share_sizes_and_frames_without_faces_pass() -> None:
    steady = Steady()
    steady(_frame(0, [(100.0, 100.0), (10.0, 10.0)]))
    made = steady(_frame(1, [(50.0, 50.0), (10.0, 10.0)])).regions.xyxy
    assert (made[:, 2] - made[:, 0]).tolist() == [100.0, 10.0]
    empty = Settled(2, Fraction(2, 25), Regions(track=np.zeros(0, np.int64)))
    assert steady(empty) is empty
