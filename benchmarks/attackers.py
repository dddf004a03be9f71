"""Attackers that name people, and how sure their rates are: own code, numpy and OpenCV only.

Arrays: embeddings (n, d) of unit length, pictures (n, 112, 112, 3) uint8, names (n,) from 0 on. An attack is called
with the indices of gallery and probe pictures and returns scores (probes, people).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

SEED = 20
SPLITS = 5  # of each person's pictures into gallery and probe; the complements count too
DRAWS = 4000  # of the bootstrap
COMPONENTS = 100  # of the pixels; 200 and all of them did no better on solid, box 1.0 and default, veil and blur
SCALED = 56  # px, width of the pictures that pixels are taken from


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def discriminant(known: Any, names: Any, asked: Any) -> Any:
    """Scores (m, people) of linear discriminant analysis from rows (n, d) and the people they show (n,).

    The covariance within people is shrunk: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional
    covariance matrices", 2004.
    """
    means = np.stack([known[names == k].mean(0) for k in range(names.max() + 1)])
    rest = known - means[names]
    n, d = rest.shape
    if not n or d == 0 or (rest**2).mean() < 1e-12:
        return np.zeros((len(asked), len(means)))  # nothing differs, nothing is known
    covariance = rest.T @ rest / n
    target = np.eye(d) * np.trace(covariance) / d
    distance = ((covariance - target) ** 2).sum()
    spread = ((rest**2).sum(1) ** 2).sum() / n**2 - (covariance**2).sum() / n
    share = min(1.0, spread / distance)
    weights = np.linalg.solve((1 - share) * covariance + share * target, means.T)
    return asked @ weights - (means.T * weights).sum(0) / 2


class PixelAttack:
    """Principal components of pixels, then the discriminant; mirrored pictures are trained on too."""

    def __init__(self, pictures: Any) -> None:
        rows = np.concatenate([pictures, pictures[:, :, ::-1]])
        rows = np.stack([cv2.resize(p, (SCALED,) * 2, interpolation=cv2.INTER_AREA) for p in rows])
        flat = rows.reshape(len(rows), -1).astype(np.float32) / 255
        flat -= flat.mean(0)
        self._products = (flat @ flat.T).astype(np.float64)  # all that principal components need of the pixels
        self._n = len(pictures)

    def __call__(self, gallery: Any, names: Any, probe: Any) -> Any:
        """Scores (m, people); gallery and probe are indices, names those of all pictures."""
        known = np.concatenate([gallery, gallery + self._n])
        own, asked = self._products[np.ix_(known, known)], self._products[np.ix_(probe, known)]
        mean = own.mean(0)
        asked = asked - asked.mean(1, keepdims=True) - mean + mean.mean()
        values, vectors = np.linalg.eigh(own - mean - mean[:, None] + mean.mean())
        best = np.argsort(-values)[:COMPONENTS]
        best = best[values[best] > 1e-6 * max(values.max(), 1.0)]
        vectors, scale = vectors[:, best], np.sqrt(values[best])
        return discriminant(vectors * scale, names[known % self._n], asked @ vectors / scale)


def folds(names: Any) -> list[tuple[Any, Any]]:
    """Indices of gallery and probe pictures, half of each person's: random halves and their complements."""
    rng = np.random.default_rng(SEED)
    made = []
    for _ in range(SPLITS):
        shuffled = [rng.permutation(np.flatnonzero(names == k)) for k in range(names.max() + 1)]
        halves = [np.sort(np.concatenate([s[i::2] for s in shuffled])) for i in (0, 1)]
        made += [(halves[0], halves[1]), (halves[1], halves[0])]
    return made


def by_person(attack: Callable[[Any, Any], Any], names: Any) -> Any:
    """The share of each person's probes that is named rightly, (people,); a tie of k counts 1/k."""
    right = np.zeros(len(names))
    asked = np.zeros(len(names))
    for gallery, probe in folds(names):
        scores = attack(gallery, probe)
        top = scores == scores.max(1, keepdims=True)
        right[probe] += top[np.arange(len(probe)), names[probe]] / top.sum(1)
        asked[probe] += 1
    return np.bincount(names, right) / np.bincount(names, asked)


def templates(known: Any, asked: Any, names: Any) -> Callable[[Any, Any], Any]:
    """Cosine to the mean embedding of each person."""

    def attack(gallery: Any, probe: Any) -> Any:
        means = [known[gallery[names[gallery] == k]].mean(0) for k in range(names.max() + 1)]
        return asked[probe] @ unit(np.stack(means)).T

    return attack


def attacks(painted: Any, original: Any, pictures: Any, names: Any) -> dict[str, Any]:
    """Right shares by person of every attack on one field; `painted` and `original` are embeddings."""
    pixels = PixelAttack(pictures)
    return {
        "naive": by_person(templates(original, painted, names), names),
        "reverse": by_person(templates(painted, original, names), names),
        "parrot": by_person(templates(painted, painted, names), names),
        "embeddings": by_person(lambda g, p: discriminant(painted[g], names[g], painted[p]), names),
        "pixels": by_person(lambda g, p: pixels(g, names, p), names),
    }


def interval(shares: Any, pictures: int) -> list[float]:
    """Rate, lower and upper bound of 95 %, as fractions."""
    rng = np.random.default_rng(SEED)
    drawn = shares[rng.integers(0, len(shares), (DRAWS, len(shares)))].mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    rate, z = float(shares.mean()), 1.96
    centre = (rate + z * z / (2 * pictures)) / (1 + z * z / pictures)
    reach = z / (1 + z * z / pictures) * (rate * (1 - rate) / pictures + (z / (2 * pictures)) ** 2) ** 0.5
    return [round(v, 4) for v in (rate, max(0.0, min(float(low), centre - reach)), max(float(high), centre + reach))]


def difference(a: Any, b: Any) -> list[float]:
    """Mean difference of two rates over the same people with its interval, by bootstrap."""
    rng = np.random.default_rng(SEED)
    drawn = (a - b)[rng.integers(0, len(a), (DRAWS, len(a)))].mean(1)
    return [round(float(v), 4) for v in ((a - b).mean(), *np.quantile(drawn, [0.025, 0.975]))]


def verification(scores: Any, mated: Any) -> dict[str, float]:
    """EER, and FNMR at an FMR of 1 %, of one score for each pair."""
    scores = np.round(scores, 9)  # equal pictures tie, whatever the order of a sum
    same, other = np.sort(scores[mated]), np.sort(scores[~mated])
    limits = np.unique(np.quantile(other, np.linspace(0, 1, 20001)))
    fnmr = np.searchsorted(same, limits, "left") / len(same)
    fmr = 1 - np.searchsorted(other, limits, "left") / len(other)
    # Where everything ties, the threshold lies above all scores: nobody is accepted.
    fnmr, fmr = np.append(fnmr, 1.0), np.append(fmr, 0.0)
    i = int(np.abs(fnmr - fmr).argmin())
    return {
        "eer": round(float(fnmr[i] + fmr[i]) / 2, 4),
        "fnmr_at_fmr_1e-2": round(float(fnmr[fmr <= 0.01].min()), 4),
    }


def pairwise(known: Any, asked: Any, names: Any) -> dict[str, float]:
    """Verification over all ordered pairs of different photos."""
    different = ~np.eye(len(names), dtype=bool)
    return verification((known @ asked.T)[different], (names[:, None] == names)[different])
