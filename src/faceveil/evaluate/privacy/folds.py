"""Which pictures an attacker knows and which he is asked about: never two of the same photo on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.evidence import People

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = 5  # random halves of each person's photos; with the complements that is ten folds
_FREE, _GALLERY, _PROBE = -1, 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Indices of the pictures that are known, (g,), and of those that are asked about, (p,); both show the same people.

    people: how many those are. A fold is equal to itself alone.
    """

    gallery: NDArray[np.intp]
    probe: NDArray[np.intp]
    people: int


def folds(people: People, *, splits: int = SPLITS, seed: int = 0) -> tuple[Fold, ...]:
    """Random halves of each person's photos and their complements.

    Who has one photo is in none of them. Where people share photos, one may have all of his on one side of a split; he
    is then left out of those two folds.

    Raises:
        RequestError: fewer than two people have two photos.
    """
    rng = np.random.default_rng(seed)
    of = _photos(people)
    able = [photos for photos in of if len(photos) > 1]
    if len(able) < 2:
        raise RequestError(
            f"{_people(len(able))} of {len(of)} with two photos or more: a person is named among others by a photo "
            "that is not the one asked about, so at least two people need two photos each",
            hint="add people, and several photos of each",
        )
    made: list[Fold] = []
    for _ in range(splits):
        side = _split(of, rng)[people.photo]
        for known, asked in ((_GALLERY, _PROBE), (_PROBE, _GALLERY)):
            fold = _fold(people.person, side == known, side == asked)
            if fold is not None:
                made.append(fold)
    if not made:
        raise RequestError("the people share their photos so that no split leaves two of them on both sides")
    return tuple(made)


def chance(made: tuple[Fold, ...]) -> float:
    """How often a guess is right: 1 by the number of people known, over all questions."""
    return sum(len(fold.probe) / fold.people for fold in made) / sum(len(fold.probe) for fold in made)


def _people(n: int) -> str:
    return "1 person" if n == 1 else f"{n} people"


def _photos(people: People) -> list[NDArray[np.intp]]:
    """The photos of each person, in order, without repetition."""
    return [np.unique(people.photo[people.person == k]) for k in range(int(people.person.max(initial=-1)) + 1)]


def _split(of: list[NDArray[np.intp]], rng: np.random.Generator) -> NDArray[np.intp]:
    """A side for each photo, (photos,): of each person's as many on either side as can be."""
    side = np.full(max(int(photos.max(initial=-1)) for photos in of) + 1, _FREE)
    for photos in of:
        order = rng.permutation(photos)
        free = order[side[order] == _FREE]
        taken = side[order[side[order] != _FREE]]
        first = _PROBE if (taken == _GALLERY).sum() > (taken == _PROBE).sum() else _GALLERY
        side[free[::2]], side[free[1::2]] = first, _GALLERY + _PROBE - first
    return side


def _fold(person: NDArray[np.intp], known: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Fold | None:
    """The fold of those who have a picture on each side; None where they are fewer than two."""
    both = np.intersect1d(person[known], person[asked])
    if len(both) < 2:
        return None
    here = np.isin(person, both)
    return Fold(np.flatnonzero(known & here), np.flatnonzero(asked & here), len(both))
