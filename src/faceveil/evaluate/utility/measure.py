"""From rows of pictures to figures with intervals: what is lost, picture by picture, against the originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.evaluate.intervals import RESAMPLES, draws, percentile_interval
from faceveil.evaluate.utility.fidelity import MEASURES
from faceveil.evaluate.utility.learn import TOP, Learned, Model, learn, splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with the ends of its 95 % interval, None where there is none."""

    value: float
    interval: Interval = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One condition: what models and detectors see of n pictures.

    features: (n, d) float32. thumbs: (n, 64, 64, 3). fidelity: (n, 5), `MEASURES`. found: (n, 2), faces found again and
    faces that there were.
    """

    name: str
    features: Any
    thumbs: Any
    fidelity: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Used:
    """What pictures of one condition are still good for.

    top: by k, rate of the model that learned from such pictures. lost: by k, that of originals less this one, picture
    by picture. moved: by k, what a model that learned from originals loses on such pictures. by_seed: by k, rates.
    found: share of the faces that a detector found before and finds again; None where there were none.
    fidelity: by measure; None for originals.
    """

    name: str
    top: dict[int, Figure]
    lost: dict[int, Figure]
    moved: dict[int, Figure]
    by_seed: dict[int, tuple[float, ...]]
    found: Figure | None
    fidelity: dict[str, Figure]


def measure(
    rows: Sequence[Rows],
    label: NDArray[np.int64],
    tested: NDArray[np.bool_] | None,
    model: Model,
    *,
    seen: str = "features",
    seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[Used, ...]:
    """Figures of each condition; the first one is the original.

    label: (n,) classes from 0 on. tested: (n,) where the set itself says what is tested. model, seen: what learns, and
    from which array of the rows. seeds: of splits and models. seed, resamples: of intervals.
    """
    made = splits(label, tested, seeds)
    tops = tuple(top for top in TOP if top <= label.max())  # the best five of five are all
    once = np.array(list(draws(len(label), resamples, seed)))
    plain = getattr(rows[0], seen)
    learned = [learn(plain, getattr(one, seen), label, made, model, tops) for one in rows]
    return tuple(_used(one, mine, learned[0], once) for one, mine in zip(rows, learned, strict=True))


def _used(rows: Rows, mine: Learned, original: Learned, once: Any) -> Used:
    asked = mine.asked
    return Used(
        rows.name,
        {top: _ratio(got, asked, once) for top, got in mine.own.items()},
        {top: _ratio(original.own[top] - got, asked, once) for top, got in mine.own.items()},
        {top: _ratio(original.own[top] - got, asked, once) for top, got in mine.moved.items()},
        mine.by_seed,
        _ratio(rows.found[:, 0], rows.found[:, 1], once) if rows.found[:, 1].any() else None,
        {name: _mean(rows.fidelity[:, i], once) for i, name in enumerate(MEASURES) if _known(rows.fidelity[:, i])},
    )


def _known(values: Any) -> bool:
    return bool(np.isfinite(values).any())


def _mean(values: Any, once: Any) -> Figure:
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0), known.astype(float), once)


def _ratio(part: Any, whole: Any, once: Any) -> Figure:
    """A ratio of sums over pictures, with its interval by drawing pictures anew."""
    parts, wholes = once @ part, once @ whole
    drawn = np.divide(parts, wholes, out=np.full(len(parts), np.nan), where=wholes > 0)
    return Figure(float(part.sum() / whole.sum()), percentile_interval(drawn) if (whole > 0).sum() > 1 else None)
