"""Measuring: all attacks on all conditions, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from faceveil.dataset.batch import cores
from faceveil.errors import RequestError
from faceveil.evaluate.intervals import RESAMPLES, wilson
from faceveil.evaluate.privacy.attackers import expect_sklearn
from faceveil.evaluate.privacy.attacks import CNN, CNN_FOLDS, DEFAULT, OWN, REVERSE, expect_known
from faceveil.evaluate.privacy.bench import Bench
from faceveil.evaluate.privacy.comparing import scales
from faceveil.evaluate.privacy.evidence import CONTROL, ORIGINAL, Evidence, People
from faceveil.evaluate.privacy.findings import Condition, Privacy
from faceveil.evaluate.privacy.folds import Fold, folds
from faceveil.evaluate.privacy.measures import person_draws

Progress = Callable[[str], None]
_THREADS = 4  # conditions at a time; each takes some 300 MB for 790 pictures
ABLE = 0.9
"""Rank-1 on originals below which attackers are too weak to tell anything. MobileFaceNet: 99.8 %, 79 people of LFW."""


def measure(
    evidence: Sequence[Evidence],
    people: People,
    *,
    wanted: Collection[str] = DEFAULT,
    thresholds: Mapping[str, float] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress = lambda name: None,
) -> Privacy:
    """Attack every condition. evidence: one is the original, and one should be the control.

    thresholds: of recognisers that have one, the distance below which two embeddings are one person's. progress: told
    the name of each condition when it is done.

    Raises:
        RequestError: the arrays do not fit, or there are too few people, photos or pictures to ask about.
        MissingExtra: scikit-learn is not installed, or PyTorch where a network is asked for.
    """
    expect_known(wanted)
    expect_sklearn()
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  (comes with scikit-learn)

    original = _expect(evidence, people)
    made = _folds(people, seed)
    weights = person_draws(len(people.names), resamples, seed)
    scale = scales(original, people, weights, thresholds or {}, seed)
    bench = Bench(people, made, weights, original, scale, tuple(wanted), seed)
    done: dict[str, Condition] = {}
    # Matrices are small: where other programs run, threads that share one wait longer than they compute (100 s, not 1).
    with threadpool_limits(1), ThreadPoolExecutor(min(cores(), _THREADS)) as pool:
        # The control first: the others are compared with it.
        for one in (one for one in evidence if one.name == CONTROL):
            done[one.name] = bench.condition(one)
            progress(one.name)
        rest = [one for one in evidence if one.name != CONTROL]
        for one, condition in zip(rest, pool.map(bench.condition, rest), strict=True):
            done[one.name] = condition
            progress(one.name)
    conditions = tuple(done[one.name] for one in evidence)
    asked = len(np.unique(people.person[np.concatenate([fold.probe for fold in made])])) if made else 0
    return Privacy(
        people=len(people.names),
        pictures=len(people.person),
        photos=len(np.unique(people.photo)),
        asked=asked,
        folds=len(made),
        chance=bench.chance,
        recognisers=tuple(original.seen),
        attacks=tuple(wanted),
        conditions=conditions,
        differences=tuple(bench.differences(evidence)),
        seed=seed,
        resamples=resamples,
        remarks=tuple(_remarks(conditions, people, asked, wanted)),
    )


def _folds(people: People, seed: int) -> tuple[Fold, ...]:
    """The folds; none where pairs are named of people who are shown once, whom nobody can be asked to name."""
    try:
        return folds(people, seed=seed)
    except RequestError:
        if people.pairs is None:
            raise
        return ()


def _expect(evidence: Sequence[Evidence], people: People) -> Evidence:
    """The original. Raises `RequestError` where arrays and people do not fit each other."""
    originals = [one for one in evidence if one.name == ORIGINAL]
    if len(originals) != 1:
        raise RequestError(f"one condition must be the original pictures ('{ORIGINAL}'), got {len(originals)}")
    if len({one.name for one in evidence}) < len(evidence):
        raise RequestError("two conditions have one name")
    for one in evidence:
        _expect_fit(one, originals[0], len(people.person))
    return originals[0]


def _expect_fit(one: Evidence, original: Evidence, n: int) -> None:
    groups = (one.averaged, *one.denoised.values())
    unknown = {name for group in (one.seen, *groups) for name in group} - set(original.seen)
    if unknown:
        raise RequestError(f"'{one.name}' was seen by {min(unknown)}, and the original was not")
    arrays: list[Any] = [array for group in (one.pixels, one.geometry, *groups) for array in group.values()]
    arrays += [part for seen in one.seen.values() for part in (seen.given, seen.own, seen.wide) if part is not None]
    for array in arrays:
        if len(array) != n:
            raise RequestError(f"'{one.name}' has {len(array)} pictures, and there are {n}")


# --- remarks ---------------------------------------------------------------------------------------------------------


def _remarks(conditions: Sequence[Condition], people: People, asked: int, wanted: Collection[str]) -> Iterator[str]:
    """One sentence for each thing that limits what the figures say."""
    if not asked:
        yield "Nobody has two photos: pairs are compared, and no attack that names people could be made."
    elif asked < len(people.names):
        yield f"{len(people.names) - asked} of {len(people.names)} people have one photo each and are not asked about."
    ends = wilson(0, len(people.person)) or (0, 1)
    yield (
        f"With {len(people.person)} pictures of {asked} people the interval of a rate of zero still reaches "
        f"{100 * ends[1]:.1f} %; among more people fewer are named."
    )
    if CONTROL not in {one.name for one in conditions}:
        yield "No blackout control was measured: rates are compared with chance alone."
    original = next(one for one in conditions if one.name == ORIGINAL)
    if len({one.attack.recogniser for one in original.findings} - {""}) < 2:
        yield "One recogniser was asked; another may see what it does not."
    if CNN in wanted:
        yield f"A network trained on painted pictures took part, in {CNN_FOLDS} folds: its cost forbids more."
    elif "retrained" in wanted:
        yield "No network was trained on painted pictures (--cnn): classifiers that are trained are linear ones."
    best = max((one.rank1.value or 0 for one in original.findings), default=1)
    if best < ABLE:
        yield (
            f"On the original pictures the strongest attack names {100 * best:.1f} %: attackers that weak tell little "
            "about privacy."
        )
    yield from _unacquired(conditions)
    yield from _unfirm(conditions)


def _unacquired(conditions: Sequence[Condition]) -> Iterator[str]:
    for one in conditions:
        own = [found for found in one.findings if found.attack.box == OWN and found.attack.kind != REVERSE]
        if own and not any(found.rank1.of for found in own):
            yield (
                f"{one.name}: the attacker's own detector found no face in any picture. That is failure to acquire and "
                "no privacy; with the box given there are figures."
            )


def _unfirm(conditions: Sequence[Condition]) -> Iterator[str]:
    """The rule of 30, once for each FMR."""
    points = [point for one in conditions for made in one.compared for point in made.verified.points]
    for fmr in sorted({point.fmr for point in points}, reverse=True):
        mine = [point for point in points if point.fmr == fmr and point.fnmr.value is not None]
        weak = sum(not point.firm for point in mine)
        if weak:
            yield (
                f"FNMR at an FMR of {100 * fmr:g} % rests on fewer than 30 errors of one kind in {weak} of {len(mine)} "
                "comparisons (rule of 30); pairs of the same people are no independent trials either."
            )
    flat = [
        one.name
        for one in conditions
        if any(made.verified.mated and len(set(made.verified.det)) <= 2 for made in one.compared)
    ]
    if flat:
        yield (
            f"{', '.join(flat)}: in at least one comparison all scores are equal, so nobody is told from anybody; its "
            "EER is 50 % by its definition."
        )
