"""The small network: what it learns, what it draws by chance, and what it names as an attacker. With PyTorch alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from faceveil.evaluate.cnn import LEAST, Cnn, cnn
from faceveil.evaluate.privacy.attackers import network
from faceveil.evaluate.privacy.evidence import People
from faceveil.evaluate.privacy.folds import folds
from faceveil.evaluate.privacy.identification import identify

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")


def bars(label: Any, side: int = 32, seed: int = 0) -> Any:
    """Pictures (n, side, side, 3) in noise: a light bar each, lying higher or lower by the class."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 120, (len(label), side, side, 3))
    for picture, kind in zip(made, label, strict=True):
        picture[2 + 7 * kind : 6 + 7 * kind] += 90
    return made.astype(np.uint8)


LABEL = np.tile(np.arange(4), 12)


def test_classes_that_differ_are_learned() -> None:
    scores = cnn(bars(LABEL), LABEL, bars(LABEL, seed=1), 0)
    assert scores.shape == (48, 4)
    assert scores.sum(1) == pytest.approx(1)
    assert (scores.argmax(1) == LABEL).mean() > 0.9


def test_of_noise_nothing_is_learned() -> None:
    label = np.random.default_rng(5).permutation(LABEL)
    scores = cnn(bars(0 * LABEL), label, bars(0 * LABEL, seed=1), 0)
    assert (scores.argmax(1) == label).mean() < 0.6


def test_a_seed_gives_the_same_network_whatever_else_draws() -> None:
    known, asked = bars(LABEL), bars(LABEL, seed=1)
    first = cnn(known, LABEL, asked, 3)
    state = torch.get_rng_state()
    torch.rand(7)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda seed: cnn(known, LABEL, asked, seed), (3, 3)))
    torch.set_rng_state(state)
    assert np.array_equal(first, both[0])
    assert np.array_equal(first, both[1])
    assert not np.array_equal(first, cnn(known, LABEL, asked, 4))


def test_what_all_draw_from_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    cnn(bars(LABEL), LABEL, bars(LABEL), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_of_pictures_that_are_alike_every_class_is_as_likely() -> None:
    black = np.zeros((48, 32, 32, 3), np.uint8)
    assert np.array_equal(cnn(black, LABEL, bars(LABEL), 0), np.full((48, 4), 0.25))


@pytest.mark.parametrize("count", [33, 2])
def test_any_number_of_pictures_of_any_side_can_be_learned(count: int) -> None:
    for side in (LEAST, 33):
        pictures = np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
        assert np.isfinite(cnn(pictures, np.arange(count) % 2, pictures[:1], 0)).all()


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 px"):
        Cnn(2, (8, 8, 3), 0)
    with pytest.raises(ValueError, match="pictures must be uint8"):
        Cnn(4, (32, 32, 3), 0).scores(bars(LABEL, side=34))


def test_an_attacker_names_people_that_it_has_seen_and_nobody_else() -> None:
    person = np.repeat(np.arange(4), 12)
    people = People(person, np.arange(48), tuple("abcd"))
    made = folds(people)[:2]
    attack = network(bars(person, side=64), person, 0)
    assert identify(attack, made, person, 4).right[:, 0].sum() / 48 > 0.9
    black = identify(network(np.zeros((48, 64, 64, 3), np.uint8), person, 0), made, person, 4)
    assert black.right[:, 0].sum() / 48 == pytest.approx(1 / 4)
    some = next(iter(made))
    known = some.gallery[person[some.gallery] != 2]
    scores = attack(type(some)(known, some.probe, 3))
    assert np.isneginf(scores[:, 2]).all()
    assert np.isfinite(scores[:, [0, 1, 3]]).all()
