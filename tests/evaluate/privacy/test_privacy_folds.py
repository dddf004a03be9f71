"""Folds: never one photo on both sides, and all that can be asked is asked."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from privacy_samples import crowd

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.evidence import People
from faceveil.evaluate.privacy.folds import chance, folds


@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), min_size=1, max_size=60), seed=st.integers(0, 5))
def test_gallery_and_probe_share_people_and_no_photo(rows: list[tuple[int, int]], seed: int) -> None:
    person, photo = np.array(rows).T
    person = np.unique(person, return_inverse=True)[1]
    people = People(person, photo, tuple("abcdef"[: person.max() + 1]))
    with suppress(RequestError):  # some are too few
        _expect_apart(people, seed)


def _expect_apart(people: People, seed: int) -> None:
    person, photo = people.person, people.photo
    made = folds(people, seed=seed)
    for fold in made:
        assert not set(photo[fold.gallery]) & set(photo[fold.probe])
        assert set(person[fold.gallery]) == set(person[fold.probe])
        assert fold.people == len(set(person[fold.gallery])) >= 2


def test_every_picture_is_asked_about_and_known_as_often() -> None:
    people = crowd(7, 10)
    made = folds(people)
    for side in ("gallery", "probe"):
        counts = np.bincount(np.concatenate([getattr(fold, side) for fold in made]), minlength=70)
        assert (counts == 5).all()
    assert chance(made) == pytest.approx(1 / 7)


def test_pictures_of_one_photo_stay_together() -> None:
    person = np.repeat([0, 1, 2], 8)
    people = People(person, np.arange(24) // 2, ("a", "b", "c"))
    for fold in folds(people):
        assert len(fold.gallery) == len(fold.probe) == 12
        assert set(fold.gallery // 2).isdisjoint(fold.probe // 2)


def test_who_has_one_photo_is_left_out() -> None:
    people = People(np.array([0, 0, 1, 1, 2]), np.arange(5), ("a", "b", "c"))
    for fold in folds(people):
        assert 4 not in fold.gallery
        assert 4 not in fold.probe
        assert fold.people == 2


@pytest.mark.parametrize(
    ("person", "words"), [([0] * 6, "1 person of 1"), ([0, 1, 2, 3], "0 people of 4"), ([0, 0, 1], "1 person of 2")]
)
def test_too_few_to_ask_about_is_said(person: list[int], words: str) -> None:
    people = People(np.array(person), np.arange(len(person)), tuple("abcd"[: max(person) + 1]))
    with pytest.raises(RequestError, match=words):
        folds(people)


def test_the_same_seed_gives_the_same_folds() -> None:
    people = crowd(5, 4)
    one, again, other = folds(people, seed=1), folds(people, seed=1), folds(people, seed=2)
    assert all((a.probe == b.probe).all() for a, b in zip(one, again, strict=True))
    assert any((a.probe != b.probe).any() for a, b in zip(one, other, strict=True))
