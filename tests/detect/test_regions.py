"""Regions moved, mirrored and turned lie where their pixels lie; of many on one thing one stays, and none is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from finders import Blobs, picture
from hypothesis import given
from hypothesis import strategies as st

from faceveil.detect import boxes, regions
from faceveil.detect.rotate import Rotate, _leaning
from faceveil.types import Frame, Regions

WIDTH, HEIGHT = 60, 40
whole = st.integers(0, 4 * 60).map(lambda quarter: quarter / 4)  # exact in float32, whatever is subtracted


@st.composite
def found(draw: st.DrawFn, *, labels: bool = False) -> Regions:
    count = draw(st.integers(0, 12))
    corners = np.array(draw(st.lists(whole, min_size=4 * count, max_size=4 * count)), np.float32).reshape(-1, 2, 2)
    points = np.array(draw(st.lists(whole, min_size=10 * count, max_size=10 * count)), np.float32).reshape(-1, 5, 2)
    score = np.array(draw(st.lists(st.sampled_from([0, 0.25, 0.5, 1]), min_size=count, max_size=count)), np.float32)
    names = np.array(draw(st.lists(st.sampled_from(["face", "plate"]), min_size=count, max_size=count)), np.str_)
    xyxy = np.concatenate([corners.min(1), corners.max(1)], 1)
    outline = np.stack([points[:, 0], points[:, 2], points[:, 4]], 1)
    return Regions(xyxy, score, ordered(points), label=names if labels else None, outline=outline)


def ordered(points: Any) -> Any:
    """Left eye and corner left of the right ones, above them where both are equally far."""
    one, other = points[:, [0, 3]].sum(1), points[:, [1, 4]].sum(1)
    wrong = (one[:, 0] > other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] > other[:, 1]))
    return np.where(wrong[:, None, None], points[:, regions.MIRRORED], points)


def same(one: Regions, other: Regions) -> None:
    assert np.array_equal(one.xyxy, other.xyxy)
    assert np.array_equal(one.score, other.score)
    assert one.landmarks is not None
    assert other.landmarks is not None
    assert np.array_equal(one.landmarks, other.landmarks)
    assert one.outline is not None
    assert other.outline is not None
    assert np.array_equal(one.outline, other.outline)
    assert np.array_equal(one.labels, other.labels)


# --- where they belong ----------------------------------------------------------------------------------------------


def test_mirroring_exchanges_left_and_right_and_keeps_boxes_half_open() -> None:
    marks = np.array([[[1, 5], [3, 5], [2, 6], [1, 8], [3, 8]]], np.float32)
    back = regions.mirrored(Regions(np.array([[0, 4, 4, 9]]), np.array([0.5]), marks), 100)
    assert back.xyxy.tolist() == [[96, 4, 100, 9]]
    assert back.landmarks is not None
    assert back.landmarks[0].tolist() == [[97, 5], [99, 5], [98, 6], [97, 8], [99, 8]]


@given(found(labels=True))
def test_mirrored_twice_or_turned_four_times_all_is_as_it_was(seen: Regions) -> None:
    same(regions.mirrored(regions.mirrored(seen, WIDTH), WIDTH), seen)
    turned = seen
    for size in 2 * [(HEIGHT, WIDTH), (WIDTH, HEIGHT)]:
        turned = regions.turned_back(turned, 1, size)
    same(turned, seen)


@given(found(), st.integers(-8, 8))
def test_turning_back_by_quarters_is_turning_back_by_one_quarter_so_often(seen: Regions, quarters: int) -> None:
    turned = seen
    for i in range(quarters % 4):
        odd = (quarters % 4 - i) % 2  # the picture that is turned by one quarter less
        turned = regions.turned_back(turned, 1, (HEIGHT, WIDTH) if not odd else (WIDTH, HEIGHT))
    same(regions.turned_back(seen, quarters, (WIDTH, HEIGHT)), turned)


@given(
    st.integers(0, 50), st.integers(0, 30), st.integers(1, 10), st.integers(1, 10), st.sampled_from([0, 90, 180, 270])
)
def test_a_turned_picture_shows_its_pixels_where_the_box_is(
    x: int, y: int, width: int, height: int, angle: int
) -> None:
    frame = picture((WIDTH, HEIGHT), (x, y, x + width, y + height))
    seen = Rotate(detector=Blobs(), angles=(angle,))(frame)
    assert seen.xyxy.tolist() == [[x, y, x + width, y + height]]


def test_a_face_upside_down_has_its_left_eye_on_the_left() -> None:
    upright = np.array([[[20, 10], [30, 10], [25, 15], [21, 20], [29, 20]]], np.float32)
    seen = Regions(np.array([[15, 5, 35, 25]]), np.array([0.9]), upright)
    back = regions.turned_back(seen, 2, (WIDTH, HEIGHT))
    assert back.landmarks is not None
    assert back.landmarks[0].tolist() == [[30, 30], [40, 30], [35, 25], [31, 20], [39, 20]]


@pytest.mark.parametrize("angle", [-45, -15, 1, 30, 45])
@pytest.mark.parametrize("place", [(3, 4), (150, 20), (90, 110)])
def test_a_leaning_picture_is_whole_and_its_points_go_back(angle: int, place: tuple[int, int]) -> None:
    pixels = np.zeros((120, 160, 3), np.uint8)
    x, y = place
    pixels[y - 2 : y + 2, x - 2 : x + 2] = 255  # its middle is the corner of four pixels, (x, y)
    leaning, back = _leaning(pixels, angle)
    light = leaning[..., 0].astype(float)
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]] + 0.5
    middle = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    assert light.sum() == pytest.approx(16 * 255, rel=0.1)
    seen = Regions(np.array([[*(middle - 2), *(middle + 2)]]), np.array([0.9]), np.tile(middle, (1, 5, 1)))
    there = regions.leant_back(seen, back)
    assert there.xyxy[0] == pytest.approx([x - 2, y - 2, x + 2, y + 2], abs=0.1)
    assert there.landmarks is not None
    assert there.landmarks[0] == pytest.approx(np.tile([x, y], (5, 1)), abs=0.1)


def test_sixteen_bits_lean_too() -> None:
    frame = Frame(np.full((30, 40, 3), 40_000, np.uint16))
    leaning, _ = _leaning(frame.pixels, 20)
    assert leaning.dtype == np.uint16
    assert leaning.max() == 40_000


# --- one of many ----------------------------------------------------------------------------------------------------


@given(found(labels=True), st.floats(0.1, 0.9), st.booleans())
def test_what_goes_has_a_better_one_of_its_kind_on_the_same_place(seen: Regions, limit: float, vote: bool) -> None:
    kept = regions.best(seen, limit, vote=vote)
    assert (np.diff(kept.score) <= 0).all()
    winners = regions.best(seen, limit, vote=False)  # where they stood before boxes were averaged
    assert np.array_equal(kept.score, winners.score)
    assert np.array_equal(kept.labels, winners.labels)
    shared = boxes.overlap(seen.xyxy, winners.xyxy)
    better = (winners.score[None] >= seen.score[:, None]) & (winners.labels[None] == seen.labels[:, None])
    stays = (seen.xyxy[:, None] == winners.xyxy[None]).all(2) & (seen.score[:, None] == winners.score[None])
    assert (((shared > limit) & better).any(1) | stays.any(1)).all()


@given(found(labels=True))
def test_whatever_was_found_belongs_to_one_that_stays(seen: Regions) -> None:
    some = seen[seen.labels == "face"]
    single, owner = regions.grouped(some, 0.4)
    assert len(owner) == len(some)
    assert set(owner.tolist()) == set(range(len(single)))
    shared = boxes.overlap(some.xyxy, some.xyxy[boxes.best(some.xyxy, some.score, 0.4)])
    for i, mine in enumerate(owner.tolist()):
        assert shared[i, mine] > 0.4 or some.score[i] == single.score[mine]


@given(found(labels=True), found(labels=True))
def test_added_loses_nothing_and_keeps_the_first_boxes(first: Regions, second: Regions) -> None:
    both = regions.added(first, second, 0.4)
    assert np.array_equal(both.xyxy[: len(first)], first.xyxy)
    assert (both.score[: len(first)] >= first.score).all()
    shared = regions.overlap(second, both)
    for i in range(len(second)):
        there = (both.xyxy == second.xyxy[i]).all(1) | (shared[i] > 0.4)
        assert (there & (both.score >= second.score[i])).any()


def test_things_of_different_labels_do_not_stand_for_each_other() -> None:
    label = np.array(["face", "plate"])
    seen = Regions(np.array([[0, 0, 10, 10], [0, 0, 10, 10]]), np.array([0.9, 0.8]), label=label)
    assert regions.best(seen, 0.4).labels.tolist() == ["face", "plate"]
    assert regions.overlap(seen, seen).tolist() == [[1, 0], [0, 1]]
    assert len(regions.added(seen[:1], seen[1:], 0.4)) == 2
