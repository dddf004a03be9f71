"""From rows of pictures to figures with intervals: what is lost, picture by picture, against the originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.evaluate.intervals import RESAMPLES, draws, percentile_interval
from faceveil.evaluate.utility.fidelity import MEASURES
from faceveil.evaluate.utility.frechet import frechet
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
    landmarks: (n, 2), how far they have moved, summed over faces, and of how many. lpips: (n,), NaN where not measured.
    attributes: by classifier (n, 2), faces whose class stays, and faces. deep: by network (n, d), features.
    """

    name: str
    features: Any
    thumbs: Any
    fidelity: Any
    found: Any
    landmarks: Any = None
    lpips: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    deep: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Used:
    """What pictures of one condition are still good for.

    top: by k, rate of the model that learned from such pictures. lost: by k, that of originals less this one, picture
    by picture. moved: by k, what a model that learned from originals loses on such pictures. by_seed: by k, rates.
    found: share of the faces that a detector found before and finds again; None where there were none.
    fidelity: by measure; none for originals. landmarks: how far they have moved where a face is found again, in
    distances of its eyes, the mean of `aligned` faces; None where that is none. attributes: by classifier, the share of
    faces whose most probable class stays. frechet: by network, the distance of these pictures from the originals.
    """

    name: str
    top: dict[int, Figure]
    lost: dict[int, Figure]
    moved: dict[int, Figure]
    by_seed: dict[int, tuple[float, ...]]
    found: Figure | None
    fidelity: dict[str, Figure]
    landmarks: Figure | None = None
    aligned: int = 0
    attributes: dict[str, Figure] = field(default_factory=dict)
    frechet: dict[str, Figure] = field(default_factory=dict)


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
    return tuple(_used(one, rows[0], mine, learned[0], once) for one, mine in zip(rows, learned, strict=True))


def _used(rows: Rows, plain: Rows, mine: Learned, original: Learned, once: Any) -> Used:
    same = rows is plain
    fidelity = {name: rows.fidelity[:, i] for i, name in enumerate(MEASURES)}
    fidelity |= {} if rows.lpips is None or same else {"lpips": rows.lpips}
    moved = None if same or rows.landmarks is None or not rows.landmarks[:, 1].any() else rows.landmarks
    asked = mine.asked
    return Used(
        rows.name,
        {top: _ratio(got, asked, once) for top, got in mine.own.items()},
        {top: _ratio(original.own[top] - got, asked, once) for top, got in mine.own.items()},
        {top: _ratio(original.own[top] - got, asked, once) for top, got in mine.moved.items()},
        mine.by_seed,
        _ratio(rows.found[:, 0], rows.found[:, 1], once) if rows.found[:, 1].any() else None,
        {name: _mean(values, once) for name, values in fidelity.items() if _known(values)},
        None if moved is None else _ratio(moved[:, 0], moved[:, 1], once),
        0 if moved is None else int(moved[:, 1].sum()),
        {
            name: _ratio(pair[:, 0], pair[:, 1], once)
            for name, pair in rows.attributes.items()
            if not same and pair[:, 1].any()
        },
        {name: Figure(frechet(plain.deep[name], deep)) for name, deep in rows.deep.items() if not same},
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
