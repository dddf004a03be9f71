"""What is measured of utility: features, likeness, learning, and the intervals of what is lost."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from faceveil.evaluate.utility.features import descriptor, thumbnail
from faceveil.evaluate.utility.fidelity import PERFECT, compared, ssim
from faceveil.evaluate.utility.learn import classic, learn, right, splits
from faceveil.evaluate.utility.measure import Rows, measure

seeds = st.integers(0, 2**31 - 1)


def noise(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


# --- features -------------------------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(seeds, st.integers(1, 90), st.integers(1, 90))
def test_every_picture_has_features_of_length_one(seed: int, height: int, width: int) -> None:
    found = descriptor(noise(seed, height, width))
    assert found.dtype == np.float32
    assert found.shape == descriptor(noise(0, 64, 64)).shape
    assert np.isfinite(found).all()
    assert (found**2).sum() <= 2 + 1e-4  # edges and colours, each of one
    assert thumbnail(noise(seed, height, width)).shape == (64, 64, 3)


def test_features_tell_edges_and_colours_apart() -> None:
    bars = np.tile(np.where(np.arange(64) % 16 < 8, 220, 30).astype(np.uint8)[None, :, None], (64, 1, 3))
    upright, flat = descriptor(bars), descriptor(np.ascontiguousarray(bars.transpose(1, 0, 2)))
    assert np.abs(upright[:1764] - flat[:1764]).max() > 0.02
    red, blue = (descriptor(np.full((32, 32, 3), colour, np.uint8)) for colour in ((255, 0, 0), (0, 0, 255)))
    assert red[1764:] @ blue[1764:] == pytest.approx(0, abs=1e-6)


# --- likeness -------------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0, 60))
def test_likeness_is_that_of_scikit_image(seed: int, strength: float) -> None:
    before = np.kron(noise(seed, 8, 8), np.ones((8, 8, 1), np.uint8))
    rng = np.random.default_rng(seed)
    after = np.clip(before + rng.normal(0, strength, before.shape), 0, 255).astype(np.uint8)
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (before, after)]
    _, theirs = structural_similarity(
        *grey, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
    )
    assert np.abs(ssim(before, after)[8:-8, 8:-8] - theirs[8:-8, 8:-8]).max() < 0.01
    inside = np.zeros(before.shape[:2], bool)
    inside[:32] = True
    told = compared(before, after, inside)
    if (before[:32] != after[:32]).any():
        assert told[2] == pytest.approx(peak_signal_noise_ratio(before[:32], after[:32], data_range=255), abs=1e-3)
    assert told[4] == 0.5


def test_equal_pictures_and_empty_masks() -> None:
    picture = noise(1, 40, 40)
    told = compared(picture, picture, np.zeros((40, 40), bool))
    assert np.isnan(told[[0, 2]]).all()
    assert told[1] == pytest.approx(1)
    assert told[3] == PERFECT
    assert told[4] == 0


# --- learning -------------------------------------------------------------------------------------------------------


@given(seeds, st.integers(2, 5), st.integers(6, 20))
def test_splits_test_some_of_each_class_and_learn_from_others(seed: int, kinds: int, each: int) -> None:
    label = np.repeat(np.arange(kinds), each)
    one, again = splits(label, None, (seed, seed))
    assert np.array_equal(one.tested, again.tested)
    assert sorted([*one.learned, *one.tested]) == list(range(len(label)))
    assert set(label[one.tested]) == set(label[one.learned]) == set(range(kinds))


def test_where_the_set_says_what_is_tested_all_of_it_is_and_nothing_of_it_is_learned() -> None:
    label, tested = np.tile([0, 1], 20), np.arange(40) >= 30
    made = splits(label, tested, range(3))
    assert all(np.array_equal(one.tested, np.arange(30, 40)) for one in made)
    assert all(one.learned.max() < 30 for one in made)
    assert not np.array_equal(made[0].learned, made[1].learned)


def test_ties_share_what_is_right() -> None:
    scores = np.array([[0.5, 0.5, 0], [0, 0, 0], [0.1, 0.2, 0.7]])
    assert right(scores, np.array([0, 1, 2]), 1).tolist() == [0.5, pytest.approx(1 / 3), 1]
    assert right(scores, np.array([0, 1, 0]), 2).tolist() == [1, pytest.approx(2 / 3), 0]


def test_classes_that_differ_are_learned_and_such_that_do_not_are_guessed() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], 40)
    plain = rng.normal(0, 1, (120, 30)).astype(np.float32)
    plain[np.arange(120), label] += 6
    empty = rng.normal(0, 1, (120, 30)).astype(np.float32)
    made = splits(label, None, range(5))
    known, guessed = (learn(plain, one, label, made, classic, (1,)) for one in (plain, empty))
    assert known.own[1].sum() / known.asked.sum() > 0.95
    assert guessed.own[1].sum() / guessed.asked.sum() == pytest.approx(1 / 3, abs=0.12)
    assert known.own[1].sum() == known.moved[1].sum()
    assert guessed.moved[1].sum() < known.own[1].sum()


def test_of_pictures_that_are_all_alike_nothing_is_learned() -> None:
    label, same = np.repeat([0, 1], 10), np.tile(descriptor(noise(3, 40, 40)), (20, 1))
    found = learn(same, same, label, splits(label, None, range(3)), classic, (1,))
    assert found.own[1].sum() / found.asked.sum() == pytest.approx(0.5, abs=0.01)


# --- what is lost ---------------------------------------------------------------------------------------------------


def rows(name: str, features: Any, again: int = 1) -> Rows:
    count = len(features)
    fidelity = np.full((count, 5), np.nan)
    return Rows(name, features, np.zeros((count, 64, 64, 3), np.uint8), fidelity, np.tile([again, 2], (count, 1)))


def told(known: Any, label: Any, asked: Any, seed: int) -> Any:
    """A model that reads the class out of the first feature, where it stands."""
    scores = np.zeros((len(asked), int(label.max()) + 1))
    scores[np.arange(len(asked)), asked[:, 0].astype(int)] = 1
    return scores


def test_equal_conditions_lose_nothing_and_have_no_interval_to_speak_of() -> None:
    label = np.repeat([0, 1], 10)
    features = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
    plain, same = measure((rows("original", features), rows("same", features.copy())), label, None, classic)
    assert plain.lost[1].value == same.lost[1].value == same.moved[1].value == 0
    assert same.lost[1].interval == (0, 0)
    assert same.top == plain.top
    assert same.found is not None
    assert same.found.value == 0.5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=20, max_size=20))
def test_what_is_lost_is_the_share_of_pictures_no_longer_right(wrong: list[bool]) -> None:
    label = np.repeat([0, 1], 10)
    plain = label[:, None].astype(np.float32)
    painted = np.where(np.array(wrong)[:, None], 1 - plain, plain)
    tested = np.ones(20, bool)
    tested[[0, 10]] = False  # something must be there to learn from
    _, used = measure((rows("original", plain), rows("painted", painted)), label, tested, told)
    expected = np.array(wrong)[tested].mean()
    assert used.lost[1].value == pytest.approx(expected)
    assert used.moved[1].value == pytest.approx(expected)
    assert used.lost[1].interval is not None
    assert used.lost[1].interval[0] <= expected <= used.lost[1].interval[1]
