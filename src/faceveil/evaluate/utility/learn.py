"""The same model learned from original and from painted pictures, with the same seeds and the same splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import MissingExtra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

TESTED = 0.3  # of each class; where the set itself says what is tested, this much is left out of learning by chance
COMPONENTS = 128  # of all features, by variance
PENALTY = 0.05  # of the weights; on WIDER's events .01, .05 and .5 give top-1 within .01 of each other
TOP = (1, 5)
ALIKE = 1e-4  # standard deviation of features: below it pictures differ by rounding alone, and nothing is learned

Model = Callable[[Any, Any, Any, int], Any]
"""From what is learned from (n, ...), its classes (n,), what is asked (m, ...) and a seed to scores (m, classes)."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One seed's pictures: indices of those that are learned from, and of those that are tested on."""

    seed: int
    learned: NDArray[np.intp]
    tested: NDArray[np.intp]


def splits(label: NDArray[np.int64], tested: NDArray[np.bool_] | None, seeds: Sequence[int]) -> tuple[Split, ...]:
    """For each seed a split by chance, each class by itself.

    label: (n,). tested: (n,), what the set itself has for testing: then every seed tests all of it, and learns from a
    part of the rest.
    """
    made = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        held = np.zeros(len(label), bool)
        for kind in range(int(label.max()) + 1):
            mine = rng.permutation(np.flatnonzero(label == kind if tested is None else (label == kind) & ~tested))
            least = 1 if tested is None else 0
            held[mine[: min(max(least, round(TESTED * len(mine))), len(mine) - 1)]] = True
        asked = held if tested is None else tested
        made.append(Split(seed, np.flatnonzero(~held & ~asked), np.flatnonzero(asked)))
    return tuple(made)


def expect_sklearn() -> None:
    """Raise `MissingExtra` without scikit-learn."""
    if find_spec("sklearn") is None:
        raise MissingExtra("measuring what models learn needs scikit-learn", hint="pip install 'faceveil[evaluate]'")


def classic(known: Any, label: Any, asked: Any, seed: int) -> Any:
    """Scores (m, classes) of multinomial logistic regression on principal components of features (n, d).

    Raises `MissingExtra` without scikit-learn.
    """
    expect_sklearn()
    from sklearn.decomposition import PCA  # noqa: PLC0415  (an extra)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    scores = np.zeros((len(asked), int(label.max()) + 1))
    if known.std(0).max() < ALIKE:
        return scores
    model = make_pipeline(
        PCA(min(COMPONENTS, len(known) - 1, known.shape[1]), svd_solver="full"),
        StandardScaler(),
        LogisticRegression(C=PENALTY, max_iter=2000, random_state=seed),
    )
    model.fit(known, label)
    scores[:, model[-1].classes_] = model.predict_proba(asked)
    return scores


def right(scores: Any, label: Any, top: int) -> Floats:
    """How far each picture (m,) is named rightly among the best `top`: 0 or 1, or a part where scores tie."""
    own = scores[np.arange(len(label)), label][:, None]
    above, same = (scores > own).sum(1), (scores == own).sum(1)
    return np.asarray(np.clip((top - above) / same, 0, 1), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """How well one condition is learned, by top-k: sums over seeds of what each picture got right, (n,).

    own: learned from and tested on this condition. moved: learned from originals, tested on this condition. asked:
    how often each picture was tested, (n,). by_seed: the rate of `own` for each seed.
    """

    own: dict[int, Floats]
    moved: dict[int, Floats]
    asked: NDArray[np.int64]
    by_seed: dict[int, tuple[float, ...]]


def learn(
    original: Any, condition: Any, label: NDArray[np.int64], made: Sequence[Split], model: Model, tops: Sequence[int]
) -> Learned:
    """Learn and test once for each split. original, condition: what models see of the n pictures, (n, ...)."""
    own = {top: np.zeros(len(label), np.float32) for top in tops}
    moved = {top: np.zeros(len(label), np.float32) for top in tops}
    asked = np.zeros(len(label), np.int64)
    rates: dict[int, list[float]] = {top: [] for top in tops}
    for split in made:
        truth = label[split.tested]
        asked[split.tested] += 1
        mine = model(condition[split.learned], label[split.learned], condition[split.tested], split.seed)
        theirs = mine
        if condition is not original:
            theirs = model(original[split.learned], label[split.learned], condition[split.tested], split.seed)
        for top in tops:
            got = right(mine, truth, top)
            own[top][split.tested] += got
            moved[top][split.tested] += right(theirs, truth, top)
            rates[top].append(float(got.mean()))
    return Learned(own, moved, asked, {top: tuple(each) for top, each in rates.items()})
