"""Figures and their intervals: what a resample gives is what so many copies of the pictures would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluate_samples import crowd, looked
from hypothesis import given
from hypothesis import strategies as st

from faceveil.evaluate.gauge import AP, FALSE, IOUS, MS, PRECISION, RECALL, SIZES, Gauge, groups
from faceveil.evaluate.run import Looked
from faceveil.evaluate.summary import remarks, summed_up
from faceveil.evaluate.tally import Tally
from faceveil.evaluate.truth import Truth
from faceveil.types import Regions


def _tally(pictures: int, seed: int, weights: list[int] | None = None) -> Tally:
    tally = Tally(IOUS)
    made = zip(*crowd(pictures, seed), weights or [1] * pictures, strict=True)
    for number, (truth, found, weight) in enumerate(made):
        for _ in range(weight):
            tally.add(truth, found, float(number))
    return tally


@given(seed=st.integers(0, 5), weights=st.lists(st.integers(0, 3), min_size=12, max_size=12).filter(any))
def test_a_resample_is_so_many_copies_of_each_picture(seed: int, weights: list[int]) -> None:
    gauge = Gauge(_tally(12, seed).sample())
    copied = Gauge(_tally(12, seed, weights).sample())
    resampled = dict(zip([(k.measure, k.group, k.iou) for k in gauge.keys], gauge(np.array(weights)), strict=True))
    copies = dict(zip([(k.measure, k.group, k.iou) for k in copied.keys], copied(np.ones(sum(weights))), strict=True))
    for key, value in copies.items():  # groups without a face are left out of the copies
        assert resampled[key] == pytest.approx(value, nan_ok=True), key


def test_figures_are_those_of_the_benchmark() -> None:
    tally = _tally(80, 1)
    gauge = Gauge(tally.sample())
    ours = {(k.measure, k.group, k.iou): v for k, v in zip(gauge.keys, gauge(np.ones(80)), strict=True)}
    theirs = tally.figures()
    for height in (12, 20, 40):
        assert theirs[f"recall_{height}"] == pytest.approx(ours[RECALL, f"from {height} px", 0.5], abs=5e-5)
        assert theirs[f"recall_iou40_{height}"] == pytest.approx(ours[RECALL, f"from {height} px", 0.4], abs=5e-5)
    assert theirs["ap"] == pytest.approx(ours[AP, "", 0.5], abs=5e-5)
    assert theirs["false_per_picture"] == pytest.approx(ours[FALSE, "", 0.5], abs=5e-5)


def test_groups_by_size_share_out_all_faces_and_words_those_that_say_something() -> None:
    sample = _tally(60, 2).sample()
    made = groups(sample)
    bands = np.stack([group.faces for group in made if group.kind == "band"])
    assert (bands.sum(0) == (sample.height >= SIZES[0])).all()
    words = {group.name: group.faces for group in made if group.kind == "about"}
    assert list(words) == ["blur: clear", "blur: heavy"]
    assert (words["blur: heavy"] == (sample.height >= 12) & (sample.height < 30)).all()
    from_ = {group.name: int(group.faces.sum()) for group in made if group.kind == "from"}
    assert list(from_.values()) == sorted(from_.values(), reverse=True)


def test_incomplete_pictures_count_for_recall_alone() -> None:
    made, found = crowd(30, 4)
    one, other = Tally(IOUS), Tally(IOUS)
    lamp = Regions(np.array([[900, 900, 950, 950]], np.float32), np.ones(1, np.float32))
    for truth, regions in zip(made, found, strict=True):
        one.add(truth, regions)
        extra = regions if truth.complete else Regions.concatenate([regions, lamp])
        other.add(truth, extra)
    assert one.figures() == other.figures()


# --- intervals -------------------------------------------------------------------------------------------------------


def test_intervals_hold_their_figures_and_are_the_same_for_the_same_seed() -> None:
    data = looked(50, 1, 2)
    rows, again, others = (summed_up(data, resamples=200, seed=seed) for seed in (0, 0, 1))
    for row, same in zip(rows, again, strict=True):
        assert row.figures == same.figures
        for figure in row.figures:
            if figure.low is not None and figure.high is not None and figure.value is not None:
                assert figure.low <= figure.value + 0.02 * abs(figure.value)
                assert figure.value <= figure.high + 0.02 * abs(figure.value)
    assert rows[0].figures != others[0].figures
    assert [figure.value for figure in rows[0].figures] == [figure.value for figure in others[0].figures]


def test_differences_are_paired() -> None:
    rows = summed_up(looked(60, 1, 2), resamples=300)
    first, second = (row.of(RECALL, "from 20 px") for row in rows)
    (apart,) = [f for f in rows[1].differences if f.key.group == "from 20 px" and f.key.iou == 0.5]
    assert first.value is not None
    assert second.value is not None
    assert apart.value == pytest.approx(second.value - first.value)
    assert apart.low is not None
    assert apart.high is not None
    assert apart.high < 0  # a tenth of the same detections is missing: sure, though the intervals overlap
    assert second.high is not None
    assert first.low is not None
    assert second.high > first.low
    assert rows[0].differences == ()


def test_a_detector_does_not_differ_from_itself() -> None:
    data = looked(20, 1)
    data.specs, data.found, data.ms = ("a", "b"), data.found * 2, [row * 2 for row in data.ms]
    rows = summed_up(data, resamples=100)
    assert {(f.value, f.low, f.high) for f in rows[1].differences} <= {(0.0, 0.0, 0.0), (None, None, None)}


# --- too little to say anything --------------------------------------------------------------------------------------


def _looked(truths: list[Truth], *found: list[Regions]) -> Looked:
    return Looked(tuple(f"d{i}" for i in range(len(found))), truths, list(found), [[1.0] * len(found)] * len(truths))


NONE = Regions()


def test_no_face_is_labelled() -> None:
    lamp = Regions(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32))
    data = _looked([Truth(Path("a"), np.zeros((0, 4), np.float32), np.zeros(0, bool))] * 3, [lamp, lamp, NONE])
    rows = summed_up(data, resamples=100)
    assert rows[0].of(RECALL, "from 12 px").value is None
    assert rows[0].of(AP).value is None
    assert rows[0].of(FALSE).value == pytest.approx(2 / 3)
    assert remarks(data, rows) == ["No face is labelled: there is no recall, only false positives and time."]


def test_a_detector_finds_nothing() -> None:
    data = _looked(crowd(5, 1)[0], [NONE] * 5)
    rows = summed_up(data, resamples=100)
    assert rows[0].of(RECALL, "from 12 px").value == 0
    assert (rows[0].of(AP).value, rows[0].of(PRECISION).value, rows[0].of(FALSE).value) == (0, None, 0)
    assert remarks(data, rows) == ["d0 found nothing: its precision is undefined."]


def test_one_picture_has_no_intervals() -> None:
    made, found = crowd(9, 1)
    data = _looked(made[8:], found[8:])
    rows = summed_up(data, resamples=100)
    assert all(figure.low is None and figure.high is None for figure in rows[0].figures)
    assert rows[0].of(MS).value == 1.0
    assert remarks(data, rows) == ["One picture cannot say how sure a figure is: there are no intervals."]


def test_no_picture_is_labelled_completely() -> None:
    data = _looked([replace(truth, complete=False) for truth in crowd(4, 1)[0]], crowd(4, 1)[1])
    rows = summed_up(data, resamples=100)
    assert (rows[0].of(AP).value, rows[0].of(FALSE).value) == (None, None)
    assert rows[0].of(RECALL, "from 12 px").value is not None
    assert "No picture is labelled completely" in remarks(data, rows)[0]
