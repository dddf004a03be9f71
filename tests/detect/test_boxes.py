"""Overlap and suppression: what goes has a better box on its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from faceveil.detect import boxes

finite = st.floats(-50, 500, width=32)


@st.composite
def scored(draw: st.DrawFn) -> tuple[Any, Any]:
    n = draw(st.integers(0, 30))
    corners = draw(arrays.arrays(np.float32, (n, 2), elements=finite))
    sides = draw(arrays.arrays(np.float32, (n, 2), elements=st.floats(0, 200, width=32)))
    score = draw(arrays.arrays(np.float32, (n,), elements=st.floats(0.0625, 1, width=32)))
    return np.concatenate([corners, corners + sides], 1), score


limits = st.sampled_from([0.0, 0.3, 0.5, 0.9])
overs = st.sampled_from(["union", "smaller"])


@given(scored(), limits, overs)
def test_whatever_goes_is_overlapped_by_a_better_one_that_stays(
    found: tuple[Any, Any], limit: float, over: boxes.Over
) -> None:
    xyxy, score = found
    kept = boxes.best(xyxy, score, limit, over)
    gone = np.setdiff1d(np.arange(len(xyxy)), kept)
    assert len(np.unique(kept)) == len(kept)
    assert (np.diff(score[kept]) <= 0).all()
    for i in gone:
        shared = boxes.overlap(xyxy[i : i + 1], xyxy[kept], over)[0]
        assert ((shared > limit) & (score[kept] >= score[i])).any()


@given(scored(), limits, overs)
def test_those_that_stay_do_not_overlap_beyond_the_limit(
    found: tuple[Any, Any], limit: float, over: boxes.Over
) -> None:
    xyxy, score = found
    stays = xyxy[boxes.best(xyxy, score, limit, over)]
    shared = boxes.overlap(stays, stays, over)
    assert (shared[~np.eye(len(stays), dtype=bool)] <= limit).all()


@given(scored(), limits)
def test_suppressing_twice_changes_nothing(found: tuple[Any, Any], limit: float) -> None:
    xyxy, score = found
    kept = boxes.best(xyxy, score, limit)
    assert np.array_equal(boxes.best(xyxy[kept], score[kept], limit), np.arange(len(kept)))


@given(scored(), limits)
def test_a_voted_box_lies_among_those_that_voted(found: tuple[Any, Any], limit: float) -> None:
    xyxy, score = found
    kept = boxes.best(xyxy, score, limit)
    mean = boxes.voted(xyxy, score, kept, limit)
    for box, i in zip(mean, kept, strict=True):
        voters = xyxy[(boxes.overlap(xyxy[i : i + 1], xyxy)[0] > limit) | (np.arange(len(xyxy)) == i)]
        assert (box >= voters.min(0) - 0.01).all()
        assert (box <= voters.max(0) + 0.01).all()


def test_a_small_face_in_front_of_a_large_one_stays() -> None:
    nested = np.array([[0, 0, 100, 100], [30, 30, 70, 70]], np.float32)
    assert len(boxes.best(nested, np.array([0.9, 0.5], np.float32), 0.4)) == 2


def test_cheek_to_cheek_stays() -> None:
    pair = np.array([[0, 0, 100, 120], [70, 5, 170, 125]], np.float32)
    assert len(boxes.best(pair, np.array([0.9, 0.8], np.float32), 0.3)) == 2


def test_overlap_in_numbers() -> None:
    one = np.array([[0, 0, 10, 10]], np.float32)
    many = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 5, 5], [3, 3, 3, 3]], np.float32)
    assert boxes.overlap(one, many)[0] == pytest.approx([1, 1 / 3, 0, 0.25, 0])
    assert boxes.overlap(one, many, "smaller")[0] == pytest.approx([1, 0.5, 0, 1, 0])
