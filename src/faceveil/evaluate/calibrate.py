"""Choosing a threshold, and a size, for a recall that is wanted; stating what comes of it on other pictures.

A threshold that was chosen on some pictures flatters itself on them: of many thresholds it is the one that fits their
accidents. So the pictures are split in halves, by chance and once; everything is chosen on one half, and what is stated
was measured on the other, which took no part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil import detect
from faceveil.detect.base import Detector
from faceveil.detect.compose import Scales
from faceveil.errors import OutOfReach, RequestError
from faceveil.evaluate.intervals import RESAMPLES, draws, percentile_interval, wilson
from faceveil.evaluate.match import MISSED
from faceveil.evaluate.run import Looked
from faceveil.evaluate.tally import Sample, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

FLOOR = 0.05
"""Score down to which detectors are asked to tell. Of faces from 20 px CenterFace finds .951 there, at 103 false
positives a picture (120 pictures); .970 at .02 and 360, in three times the time: nobody wants 360 covers."""
NEAR = 0.5
"""False positives a picture that are not worth time: intervals of 170 pictures reach one and more to either side."""
STEP = 10_000  # thresholds are multiples of a ten-thousandth: of .05 as CenterFace gives it 13 are left, .0013
LONGEST = (640, 1280, 2048)  # px; beyond, large faces are lost (docs/detectors.md)
UNITED = ((640, 1280), (640, 1280, 2048))


# --- what to choose from ---------------------------------------------------------------------------------------------


def candidates(spec: str, *, keep_size: bool = False) -> tuple[str, ...]:
    """Specs to choose from: the detector with low thresholds, and where it has a `size`, at other sizes and at several.

    Raises:
        RequestError: the spec is wrong. MissingExtra: a part of it is not installed.
    """
    detector = lowered(detect.make(spec))
    made = [detector]
    if "size" in type(detector).model_fields and not detector.positional and not keep_size:
        made += [detector.model_copy(update={"size": size}) for size in LONGEST]
        made += [Scales(detector=detector, sizes=sizes) for sizes in UNITED]
    return tuple(dict.fromkeys(one.spec for one in made if one is detector or _can_be(one.spec)))


def _can_be(spec: str) -> bool:
    """Whether a detector takes these settings: some know only a few sizes."""
    try:
        detect.make(spec)
    except RequestError:
        return False
    return True


def lowered(detector: Detector) -> Detector:
    """The detector with the threshold of each of its parts at `FLOOR`, unless it is lower."""
    if detector.positional:
        nested = getattr(detector, detector.positional)
        parts = tuple(map(lowered, nested)) if isinstance(nested, tuple) else lowered(nested)
        detector = detector.model_copy(update={detector.positional: parts})
    if "score_threshold" not in type(detector).model_fields:
        return detector
    own: float | None = getattr(detector, "score_threshold")  # noqa: B009  (a field of some detectors)
    return detector.model_copy(update={"score_threshold": FLOOR if own is None else min(own, FLOOR)})


# --- choosing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: a recall of faces from a height up, at an IoU, in no more time than `max_ms` a picture."""

    recall: float
    size_from: int = 20
    iou: float = 0.5
    max_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One candidate at its best threshold for the wish, on the half that is chosen on.

    min_score: None where no threshold reaches the wish; the other figures are then those at the lowest one.
    false: a picture, None where no picture is labelled completely. ms: mean of all pictures.
    """

    spec: str
    min_score: float | None
    recall: float
    false: float | None
    ms: float


@dataclass(frozen=True, slots=True)
class Statement:
    """What was measured on pictures that took no part in choosing. Intervals of 95 %; None where undefined.

    wilson: of the recall, faces taken for independent. by_picture: of the recall, pictures drawn anew.
    """

    pictures: int
    faces: int
    recall: float
    wilson: tuple[float, float] | None
    by_picture: tuple[float, float] | None
    false: float | None
    false_interval: tuple[float, float] | None
    ms: float
    ms_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen of which options, and what is stated of it. pictures, faces: of the half that was chosen on."""

    chosen: Option
    options: tuple[Option, ...]
    stated: Statement
    pictures: int
    faces: int


def choose(looked: Looked, wish: Wish, *, seed: int = 0, resamples: int = RESAMPLES) -> Choice:
    """The fastest candidate of those that reach the wish with the fewest false positives, or `NEAR` more.

    Raises:
        RequestError: there are too few labelled faces. OutOfReach: no threshold reaches the wish, or what reaches it on
            one half does not on the other.
    """
    samples = [_sample(looked, at, wish) for at in range(len(looked.specs))]
    mine, others = _halves(samples[0], seed)
    options = tuple(
        _option(spec, _only(sample, mine), sample, wish) for spec, sample in zip(looked.specs, samples, strict=True)
    )
    chosen = _best(options, wish)
    sample = _only(samples[options.index(chosen)], others)
    stated = _stated(sample, wish, chosen.min_score or 0.0, seed, resamples)
    if stated.by_picture is not None and max(stated.by_picture[1], (stated.wilson or (0, 0))[1]) < wish.recall:
        raise OutOfReach(
            f"a recall of {wish.recall} is not had: {chosen.spec} at {chosen.min_score} reaches {chosen.recall:.3f} on "
            f"the half that it was chosen on, and {stated.recall:.3f} {_ends(stated.by_picture)} on the other",
            hint="ask for less, or label more pictures",
        )
    return Choice(chosen, options, stated, int(mine.sum()), len(_only(samples[0], mine).height))


def _ends(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def _sample(looked: Looked, at: int, wish: Wish) -> Sample:
    """One detector over all pictures; smaller faces count neither way."""
    tally = Tally((wish.iou,))
    for truth, regions, ms in zip(looked.truths, looked.found[at], looked.timed(at), strict=True):
        small = truth.heights < wish.size_from
        tally.add(replace(truth, ignored=truth.ignored | small), regions, float(ms))
    return tally.sample()


def _halves(sample: Sample, seed: int) -> tuple[Any, Any]:
    """Two halves of the pictures (p,), by chance. Raises `RequestError` where one of them has no face.

    Pictures with about as many faces are paired, and of each pair a coin sends one to either half: a crowd of hundreds
    must not decide which half has the hard faces.
    """
    order = np.argsort(-np.bincount(sample.picture, minlength=sample.pictures), kind="stable")
    first = np.random.default_rng(seed).random(sample.pictures // 2) < 0.5
    mine = np.zeros(sample.pictures, bool)
    for i, heads in enumerate(first):
        mine[order[2 * i + int(heads)]] = True
    for half in (mine, ~mine):
        if not half[sample.picture].any():
            raise RequestError(
                f"{len(sample.height)} labelled faces in {sample.pictures} pictures are too few: a threshold is chosen "
                "on one half of the pictures and stated on the other, and one of them has no face",
                hint="label more pictures, or lower --size-from",
            )
    return mine, ~mine


def _only(sample: Sample, pictures: Any) -> Sample:
    """The part of a sample that is in some of its pictures (p,)."""
    faces = pictures[sample.picture]
    number = pictures.cumsum() - 1
    found = {
        iou: replace(
            one,
            picture=number[one.picture[pictures[one.picture]]],
            score=one.score[pictures[one.picture]],
            hit=one.hit[pictures[one.picture]],
        )
        for iou, one in sample.found.items()
    }
    return replace(
        sample,
        complete=sample.complete[pictures],
        ms=sample.ms[pictures],
        picture=number[sample.picture[faces]],
        height=sample.height[faces],
        about={},
        score={iou: score[faces] for iou, score in sample.score.items()},
        found=found,
    )


def threshold(scores: Any, recall: float) -> float | None:
    """The highest ten-thousandth at which this share of faces is found; None where too many are found at no score.

    scores: (f,), of the detection that means each face, `MISSED` for none.
    """
    wanted = max(1, math.ceil(recall * len(scores) - 1e-9))
    least = np.sort(scores)[::-1][wanted - 1]
    if least == MISSED:
        return None
    return math.floor(float(str(least)) * STEP + 1e-6) / STEP  # as a person reads a float32: .9, not .89999998


def _option(spec: str, half: Sample, whole: Sample, wish: Wish) -> Option:
    scores = half.score[wish.iou]
    least = threshold(scores, wish.recall)
    at = 0.0 if least is None else least
    recall = float((scores >= at).mean())
    return Option(spec, least, recall, _false(half, wish.iou, at), float(whole.ms.mean()))


def _false(sample: Sample, iou: float, least: float) -> float | None:
    """False positives a picture at a threshold."""
    found = sample.found[iou]
    pictures = int(sample.complete.sum())
    return float((~found.hit & (found.score >= least)).sum() / pictures) if pictures else None


def _best(options: Sequence[Option], wish: Wish) -> Option:
    able = [one for one in options if one.min_score is not None]
    if not able:
        best = max(options, key=lambda one: one.recall)
        cost = "" if best.false is None else f" at {best.false:.1f} false positives a picture"
        raise OutOfReach(
            f"no threshold reaches a recall of {wish.recall} for faces from {wish.size_from} px: the best that can be "
            f"had, at scores down to {FLOOR}, is {best.recall:.3f}{cost}, by {best.spec}",
            hint="ask for less, for larger faces (--size-from), or try another --detector or --preset thorough",
        )
    quick = [one for one in able if wish.max_ms is None or one.ms <= wish.max_ms]
    if not quick:
        fastest = min(able, key=lambda one: one.ms)
        raise OutOfReach(
            f"a recall of {wish.recall} takes {fastest.ms:.0f} ms a picture at least, by {fastest.spec}",
            hint="allow more with --max-ms",
        )
    fewest = min(one.false or 0.0 for one in quick)
    return min((one for one in quick if (one.false or 0.0) <= fewest + NEAR), key=lambda one: one.ms)


def _stated(sample: Sample, wish: Wish, least: float, seed: int, resamples: int) -> Statement:
    found = sample.score[wish.iou] >= least
    asked = np.bincount(sample.picture, minlength=sample.pictures)
    hits = np.bincount(sample.picture[found], minlength=sample.pictures)
    wrong = sample.found[wish.iou]
    false = np.bincount(wrong.picture[~wrong.hit & (wrong.score >= least)], minlength=sample.pictures)
    once = list(draws(sample.pictures, resamples, seed))

    def interval(part: Any, whole: Any) -> tuple[float, float] | None:
        return _interval(once, lambda w: (w @ part, w @ whole), int((whole > 0).sum()))

    return Statement(
        pictures=sample.pictures,
        faces=len(found),
        recall=float(found.mean()),
        wilson=wilson(int(found.sum()), len(found)),
        by_picture=interval(hits, asked),
        false=_false(sample, wish.iou, least),
        false_interval=interval(false, sample.complete.astype(int)),
        ms=float(sample.ms.mean()),
        ms_interval=interval(sample.ms, np.ones(sample.pictures, int)),
    )


def _interval(once: list[Any], ratio: Callable[[Any], tuple[float, float]], spread: int) -> tuple[float, float] | None:
    """The interval of a ratio over draws; None where one picture alone counts."""
    if spread < 2:
        return None
    parts = np.array([ratio(weights) for weights in once], float)
    return percentile_interval(
        np.divide(parts[:, 0], parts[:, 1], out=np.full(len(parts), np.nan), where=parts[:, 1] > 0)
    )


# --- the policy ------------------------------------------------------------------------------------------------------


def policy_text(choice: Choice, wish: Wish, *, data: str, digest: str, provider: str, command: str) -> str:
    """A policy file with what was chosen, and above it what is stated of it."""
    import yaml  # noqa: PLC0415  (wanted only here)

    fields: dict[str, Any] = {"detector": choice.chosen.spec, "min_score": choice.chosen.min_score}
    if provider != "cpu":
        fields["provider"] = provider
    head = [
        f"Chosen for a recall of {wish.recall} on {data} (sha-256 {digest[:16]}…).",
        *sentences(choice, wish),
        command,
    ]
    comment = "".join(f"# {' '.join(line.split())}\n" for line in head if line)
    text: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000)
    return comment + text


def sentences(choice: Choice, wish: Wish) -> list[str]:
    """What was chosen, what is stated of it, and on which pictures."""
    stated = choice.stated
    recall = f"recall {stated.recall:.3f}"
    if stated.wilson is not None:
        recall += f", 95 % {_ends(stated.wilson)} by Wilson (faces independent)"
    if stated.by_picture is not None:
        recall += f", {_ends(stated.by_picture)} by drawing pictures anew"
    cost = "no picture is labelled completely, so false positives are not known"
    if stated.false is not None:
        ends = "" if stated.false_interval is None else f" {_ends(stated.false_interval)}"
        cost = f"false positives a picture {stated.false:.2f}{ends}"
    return [
        f"Stated on {stated.pictures} pictures with {stated.faces} faces from {wish.size_from} px (IoU {wish.iou}) "
        "that took no part in choosing:",
        f"  {recall};",
        f"  {cost}; {stated.ms:.0f} ms a picture of one core.",
        f"On the {choice.pictures} pictures with {choice.faces} faces that it was chosen on it is "
        f"{choice.chosen.recall:.3f}, which flatters.",
    ]
