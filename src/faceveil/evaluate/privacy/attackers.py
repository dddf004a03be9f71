"""Attackers: each is trained on a gallery and names the people of probes.

Arrays: embeddings (n, d) with rows of NaN where no face was found, pictures (n, h, w, 3) uint8, person (n,) int. All of
them work on whole conditions and are called with folds (`identification.Attacker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import MissingExtra
from faceveil.evaluate.cnn import cnn
from faceveil.evaluate.privacy.folds import Fold
from faceveil.evaluate.privacy.identification import Attacker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.evaluate.privacy.measures import Numbers

COMPONENTS = 100  # of the pixels; 200 and all of them did no better on boxes of 1.0, default covers, veil and blur
_FITTED = 500  # pictures that components are taken from; more change them little and take time
_SHRUNK = 1e-6  # of the covariance towards a sphere, at least: it can always be inverted then
_ALIKE = 1e-12  # of the squares: what differs by less does not differ


def expect_sklearn() -> None:
    """Raise `MissingExtra` where attackers could not be trained."""
    try:
        import sklearn  # noqa: F401, PLC0415  (1 s, wanted only here)
    except ImportError:
        raise MissingExtra("attackers are trained with scikit-learn", hint="pip install 'faceveil[evaluate]'") from None


def unit(rows: Numbers) -> Numbers:
    """Rows of length one; a row of zeros stays, and so does one of NaN."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    made: Numbers = np.divide(rows, length, out=np.zeros_like(rows), where=length != 0)
    return made


def acquired(rows: Numbers) -> NDArray[np.bool_]:
    """In which rows a face was found, (n,)."""
    found: NDArray[np.bool_] = ~np.isnan(rows.sum(axis=1))
    return found


def templates(known: Any, asked: Any, person: NDArray[np.intp]) -> Attacker:
    """Cosine between what is asked about and the mean of what is known of each person. known, asked: (n, d)."""
    known, asked = unit(np.asarray(known, np.float64)), unit(np.asarray(asked, np.float64))
    found, people = acquired(known), int(person.max()) + 1

    def attack(fold: Fold) -> Numbers:
        gallery = fold.gallery[found[fold.gallery]]
        sums = np.zeros((people, known.shape[1]))
        np.add.at(sums, person[gallery], known[gallery])
        scores = asked[fold.probe] @ unit(sums).T
        return _only(scores, person[gallery], people)

    return attack


def discriminant(rows: Any, person: NDArray[np.intp]) -> Attacker:
    """Linear discriminant analysis, trained on the gallery. rows: (n, d), or (v, n, d) for v views of each picture.

    Only the first view is asked about; all are trained on. Scores of a fold are remembered: others may use them, too.
    """
    views = np.asarray(rows, np.float64)
    views = views[None] if views.ndim == 2 else views
    found, people = acquired(views[0]), int(person.max()) + 1

    @cache
    def attack(fold: Fold) -> Numbers:
        gallery = fold.gallery[found[fold.gallery]]
        names = np.tile(person[gallery], len(views))
        scores = _discriminate(np.concatenate(views[:, gallery]), names, views[0][fold.probe], people)
        return _only(scores, person[gallery], people)

    return attack


def _only(scores: Numbers, enrolled: NDArray[np.intp], people: int) -> Numbers:
    """Nobody can be named who was not enrolled."""
    lost = np.isnan(scores).any(1)
    scores[:, np.bincount(enrolled, minlength=people) == 0] = -np.inf
    scores[lost] = np.nan
    return scores


def _discriminate(known: Numbers, names: NDArray[np.intp], asked: Numbers, people: int) -> Numbers:
    """Scores (m, people) from rows (n, d) and whom they show (n,).

    The covariance within people is shrunk: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional
    covariance matrices", 2004. Where pictures of one person do not differ, or there is one of each, nothing is known of
    it, and the nearest mean is named.
    """
    from sklearn.covariance import ledoit_wolf  # noqa: PLC0415  (1 s, wanted only here)

    if not len(known):
        guess: Numbers = np.where(acquired(asked)[:, None], np.zeros((len(asked), people)), np.nan)
        return guess
    counts = np.bincount(names, minlength=people)
    means = np.zeros((people, known.shape[1]))
    np.add.at(means, names, known)
    means /= np.maximum(counts, 1)[:, None]
    rest = known - means[names]
    weights = means.T
    if rest.size and (rest**2).mean() > _ALIKE * max(1.0, (known**2).mean()):
        covariance, shrunk = ledoit_wolf(rest, assume_centered=True)
        if shrunk < _SHRUNK:  # a column may never differ within a person, and then tells most
            covariance += _SHRUNK * covariance.trace() / len(covariance) * np.eye(len(covariance))
        weights = np.linalg.solve(covariance, means.T)
    scores: Numbers = asked @ weights - (means.T * weights).sum(0) / 2
    return scores


def standardised(rows: Any) -> Numbers:
    """Columns of mean 0 and spread 1; a column that is always the same tells nothing. Rows of NaN stay."""
    table: Numbers = np.asarray(rows, np.float64)
    there = acquired(table)
    if not there.any():
        return table
    spread, moved = table[there].std(0), table - table[there].mean(0)
    made: Numbers = np.divide(moved, spread, out=np.where(np.isnan(moved), moved, 0), where=spread > 0)
    return made


def components(pictures: NDArray[np.uint8]) -> Numbers:
    """Principal components of pictures and of their mirror images, (2, n, c).

    They are those of all pictures, asked ones too: an attacker has what was published, and only lacks the names.
    """
    from scipy.linalg import eigh  # noqa: PLC0415  (0.2 s, wanted only here)

    views = _halved(pictures)
    some = np.linspace(0, len(pictures) - 1, min(len(pictures), _FITTED)).astype(int)
    fitted = views[:, some].reshape(2 * len(some), -1).astype(np.float64)
    mean = fitted.mean(0)
    fitted -= mean
    # Rows are fewer than pixels as a rule: their products have the same components.
    last = len(fitted) - 1
    size, turned = eigh(fitted @ fitted.T, subset_by_index=[max(0, last - COMPONENTS + 1), last])
    kept = np.flatnonzero(size > _ALIKE * max(float(size[-1]), 1.0))[::-1]
    axes = fitted.T @ (turned[:, kept] / np.sqrt(size[kept]))
    single, middle = axes.astype(np.float32), mean.astype(np.float32)  # a double of all pixels takes memory
    made: Numbers = np.stack([(view.reshape(len(view), -1) - middle) @ single for view in views])
    return made


def network(pictures: NDArray[np.uint8], person: NDArray[np.intp], seed: int) -> Attacker:
    """A small convolutional network, trained on the gallery's pictures (n, h, w, 3), which it sees at half their size.

    Without PyTorch it raises `MissingExtra` when it is asked.
    """
    seen = np.rint(_halved(pictures)[0] * 255).astype(np.uint8)
    people = int(person.max()) + 1

    def attack(fold: Fold) -> Numbers:
        enrolled, names = np.unique(person[fold.gallery], return_inverse=True)
        scores = np.full((len(fold.probe), people), -np.inf)
        scores[:, enrolled] = cnn(seen[fold.gallery], names, seen[fold.probe], seed, aligned=True)
        return scores

    return attack


def _halved(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures of half the size, as fractions, and their mirror images: (2, n, h / 2, w / 2, 3)."""
    height, width = (side // 2 * 2 for side in pictures.shape[1:3])
    even = pictures[:, :height, :width].astype(np.uint16)
    rows = even[:, ::2] + even[:, 1::2]
    small = (rows[:, :, ::2] + rows[:, :, 1::2]) / np.float32(4 * 255)
    return np.stack([small, small[:, :, ::-1]])


def fusion(attackers: Sequence[Attacker]) -> Attacker:
    """Several attackers together: the sum of their scores, each row brought to mean 0 and spread 1.

    An attacker who could not acquire a probe is left out of its row; who lacks a person gives it his lowest score.
    """

    def attack(fold: Fold) -> Numbers:
        parts = np.stack([_even(attacker(fold)) for attacker in attackers])
        nobody = np.isnan(parts).all((0, 2))
        total: Numbers = np.nansum(parts, axis=0)
        total[nobody] = np.nan
        return total

    return attack


def _even(scores: Numbers) -> Numbers:
    able = np.where(np.isfinite(scores), scores, np.nan)
    out = np.full_like(scores, np.nan)
    rows = ~np.isnan(able).all(1)
    kept = able[rows]
    spread = np.nanstd(kept, axis=1, keepdims=True)
    # What differs by rounding alone is no opinion.
    firm = spread > 1e-9 * np.maximum(np.nanmax(np.abs(kept), axis=1, keepdims=True), 1e-30)
    even = np.divide(kept - np.nanmean(kept, axis=1, keepdims=True), spread, out=np.zeros_like(kept), where=firm)
    lowest = np.nanmin(even, axis=1, keepdims=True)
    out[rows] = np.where(np.isnan(even), lowest, even)
    return out
