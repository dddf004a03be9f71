"""Figures with intervals: of each detector, and of the differences between the first and each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faceveil.evaluate.gauge import IOUS, SIZES, Gauge, Key
from faceveil.evaluate.intervals import RESAMPLES, draws, percentile_interval
from faceveil.evaluate.run import Looked
from faceveil.evaluate.tally import Sample, Tally


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its interval; None where it is undefined, or one picture cannot say how sure it is."""

    key: Key
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One detector: its figures, and how they differ from those of the first detector (none for the first itself)."""

    spec: str
    sample: Sample = field(repr=False)
    figures: tuple[Figure, ...]
    differences: tuple[Figure, ...] = ()

    def of(self, measure: str, group: str = "", iou: float | None = None) -> Figure:
        """The figure of that name; without an IoU the first."""
        return next(
            figure
            for figure in self.figures
            if figure.key.measure == measure and figure.key.group == group and iou in (None, figure.key.iou)
        )


def summed_up(
    looked: Looked, *, sizes: tuple[int, ...] = SIZES, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Row, ...]:
    """One row for each detector. All see the same draws, so that differences are paired picture by picture."""
    samples = [_sample(looked, at) for at in range(len(looked.specs))]
    gauges = [Gauge(sample, sizes) for sample in samples]
    keys, pictures = gauges[0].keys, len(looked.truths)
    once = np.ones(pictures, np.intp)
    exact = np.stack([gauge(once) for gauge in gauges])
    drawn = np.array([[gauge(weights) for gauge in gauges] for weights in draws(pictures, resamples, seed)])
    drawn = drawn.reshape(resamples, len(gauges), len(keys))
    rows = []
    for at, (spec, sample) in enumerate(zip(looked.specs, samples, strict=True)):
        own = gauges[at].keys  # the numbers of detections differ
        figures = [_figure(key, exact[at, k], drawn[:, at, k]) for k, key in enumerate(own)]
        apart = [
            _figure(key, exact[at, k] - exact[0, k], drawn[:, at, k] - drawn[:, 0, k]) for k, key in enumerate(own)
        ]
        rows.append(Row(spec, sample, tuple(figures), tuple(apart) if at else ()))
    return tuple(rows)


def _sample(looked: Looked, at: int) -> Sample:
    tally = Tally(IOUS)
    for truth, regions, ms in zip(looked.truths, looked.found[at], looked.timed(at), strict=True):
        tally.add(truth, regions, float(ms))
    return tally.sample()


def _figure(key: Key, value: float, drawn: Any) -> Figure:
    if not np.isfinite(value):
        return Figure(key, None)
    interval = percentile_interval(drawn) if key.spread > 1 else None
    return Figure(key, float(value), *(interval or (None, None)))


def remarks(looked: Looked, rows: tuple[Row, ...], missing: tuple[str, ...] = ()) -> list[str]:
    """One sentence for each thing that limits what the figures say."""
    made = []
    faces = sum(int((~truth.ignored).sum()) for truth in looked.truths)
    whole = sum(truth.complete for truth in looked.truths)
    if not faces:
        made.append("No face is labelled: there is no recall, only false positives and time.")
    if not whole:
        made.append("No picture is labelled completely: there is neither precision nor a number of false positives.")
    if len(looked.truths) == 1:
        made.append("One picture cannot say how sure a figure is: there are no intervals.")
    made += [
        f"{row.spec} found nothing: its precision is undefined."
        for row, found in zip(rows, looked.found, strict=True)
        if not sum(map(len, found))
    ]
    if looked.failed:
        made.append(f"{_pictures(len(looked.failed))} could not be measured and do not count.")
    if missing:
        made.append(f"{_pictures(len(missing))} that are annotated are not there, such as '{missing[0]}'.")
    return made


def _pictures(n: int) -> str:
    return f"{n} pictures" if n > 1 else "1 picture"
