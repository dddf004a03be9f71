"""Choosing a threshold: the fewest false positives that reach the recall, stated on pictures that took no part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluate_samples import looked
from hypothesis import given
from hypothesis import strategies as st

from faceveil import plugins
from faceveil.errors import Exit, OutOfReach, RequestError
from faceveil.evaluate.calibrate import FLOOR, NEAR, Wish, _halves, _sample, candidates, choose, policy_text, threshold
from faceveil.evaluate.match import MISSED
from faceveil.evaluate.run import Looked
from faceveil.evaluate.truth import Truth
from faceveil.policy import Policy
from faceveil.types import Regions


@given(scores=st.lists(st.integers(-1, 100), min_size=1, max_size=50), recall=st.floats(0.01, 1))
def test_the_threshold_is_the_highest_ten_thousandth_that_reaches_the_recall(scores: list[int], recall: float) -> None:
    score = np.array([MISSED if s < 0 else s / 100 for s in scores], np.float32)
    least = threshold(score, recall)
    wanted = np.ceil(recall * len(score) - 1e-9)
    if least is None:
        assert (score >= 0).sum() < wanted
        return
    assert (score >= least).sum() >= wanted
    assert (score >= least + 0.0001).sum() < wanted or least > 1 - 0.0001
    assert round(least * 10_000) == pytest.approx(least * 10_000)


def test_candidates_have_low_thresholds_and_other_sizes() -> None:
    made = candidates("centerface")
    assert made[0] == f"centerface:score_threshold={FLOOR}"
    assert f"centerface:size=640,score_threshold={FLOOR}" in made
    assert f"scales(centerface(score_threshold={FLOOR}), sizes=[640;1280;2048])" in made
    assert len(set(made)) == len(made)
    assert candidates("centerface", keep_size=True) == made[:1]


def test_candidates_of_a_composition_are_its_parts_lowered() -> None:
    (made,) = candidates("union(centerface(score_threshold=0.3), flip(mtcnn(score_threshold=0.01)))")
    assert made == f"union(centerface(score_threshold={FLOOR}), flip(mtcnn(score_threshold=0.01)))"
    (made,) = candidates("vote(centerface, mtcnn)")
    assert made == f"vote(centerface(score_threshold={FLOOR}), mtcnn(score_threshold={FLOOR}), score_threshold={FLOOR})"


@pytest.mark.parametrize("spec", ["centerface:size=900", "mtcnn", "flip(centerface)"])
def test_candidates_can_be_made(spec: str) -> None:
    assert [plugins.make(plugins.DETECT, one).spec for one in candidates(spec)] == list(candidates(spec))


@pytest.mark.parametrize("recall", [0.6, 0.7, 0.75])
def test_what_is_chosen_is_the_fastest_of_those_with_few_false_positives(recall: float) -> None:
    choice = choose(looked(200, 1, 2, 3), Wish(recall), resamples=100)
    able = [one for one in choice.options if one.min_score is not None]
    fewest = min(one.false or 0 for one in able)
    near = [one for one in able if (one.false or 0) <= fewest + NEAR]
    assert choice.chosen == min(near, key=lambda one: one.ms)
    assert choice.chosen.recall >= recall


@pytest.mark.parametrize("seed", range(5))
def test_halves_have_about_as_many_faces(seed: int) -> None:
    sample = _sample(looked(201, 1), 0, Wish(0.9))
    mine, others = _halves(sample, seed)
    assert abs(int(mine.sum()) - int(others.sum())) == 1
    faces = [int(half[sample.picture].sum()) for half in (mine, others)]
    assert abs(faces[0] - faces[1]) < 0.1 * sum(faces)


def test_time_may_be_limited() -> None:
    data = looked(200, 1, 2)  # the second takes twice as long
    quick = choose(data, Wish(0.7, max_ms=15), resamples=100)
    assert quick.chosen.spec == "detector-1"
    with pytest.raises(OutOfReach, match=r"takes 1\d ms a picture at least, by detector-1 — allow more with --max-ms"):
        choose(data, Wish(0.7, max_ms=1), resamples=100)


def test_what_cannot_be_had_is_refused_with_the_best_that_can() -> None:
    with pytest.raises(
        OutOfReach, match=r"no threshold reaches a recall of 1.0 for faces from 20 px: the best"
    ) as caught:
        choose(looked(100, 1, 2), Wish(1.0), resamples=100)
    assert caught.value.exit_code == Exit.REFUSED
    assert "px: the best that can be had, at scores down to 0.05, is 0.8" in str(caught.value)
    assert "false positives a picture, by detector-1 — ask for less" in str(caught.value)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_stated_took_no_part_in_choosing(seed: int) -> None:
    data = looked(120, 1, 2)
    wish = Wish(0.5)
    mine, others = _halves(_sample(data, 0, wish), seed)
    assert (mine ^ others).all()
    before = choose(data, wish, seed=seed, resamples=100)
    changed = replace(data, found=[list(row) for row in data.found])
    for at in np.flatnonzero(others)[:5]:  # of sixty: not enough to refuse it
        for row in changed.found:
            row[at] = Regions()
    after = choose(changed, wish, seed=seed, resamples=100)
    assert (after.chosen.spec, after.chosen.min_score) == (before.chosen.spec, before.chosen.min_score)
    assert after.chosen.recall == before.chosen.recall
    assert after.stated.recall < before.stated.recall


def _faces(scores: list[float]) -> tuple[list[Truth], list[Regions]]:
    """One face in each picture, found with this score, or not at all below 0."""
    box = np.array([[10, 10, 50, 60]], np.float32)
    truths = [Truth(Path(f"{i}.jpg"), box, np.zeros(1, bool)) for i in range(len(scores))]
    return truths, [Regions(box, np.array([s], np.float32)) if s >= 0 else Regions() for s in scores]


def test_a_recall_that_only_one_half_has_is_refused() -> None:
    truths, _ = _faces([1.0] * 60)
    data = Looked(("d",), truths, [[]], [[1.0]] * 60)
    mine, _ = _halves(_sample(replace(data, found=[[Regions()] * 60]), 0, Wish(0.9)), 0)
    data.found = [_faces([0.9 if own else -1.0 for own in mine])[1]]
    with pytest.raises(OutOfReach, match=r"d at 0.9\d* reaches 1.000 on the half that it was chosen on, and 0.000"):
        choose(data, Wish(0.9), resamples=100)


def test_too_few_faces_are_refused() -> None:
    truths, found = _faces([0.9])
    with pytest.raises(RequestError, match="1 labelled faces in 1 pictures are too few"):
        choose(Looked(("d",), truths, [found], [[1.0]]), Wish(0.9), resamples=100)
    with pytest.raises(RequestError, match="too few"):
        choose(looked(40, 1), Wish(0.9, size_from=10_000), resamples=100)


def test_smaller_faces_count_neither_way() -> None:
    truths, found = _faces([0.9] * 40)
    tiny = np.array([[80, 80, 88, 90]], np.float32)
    both = [replace(one, xyxy=np.concatenate([one.xyxy, tiny]), ignored=np.zeros(2, bool)) for one in truths]
    seen = [Regions(np.concatenate([one.xyxy, tiny]), np.array([0.9, 0.9], np.float32)) for one in found]
    choice = choose(Looked(("d",), both, [seen], [[1.0]] * 40), Wish(0.9, size_from=20), resamples=100)
    assert (choice.chosen.recall, choice.chosen.false, choice.stated.faces) == (1.0, 0.0, 20)


def test_false_positives_are_unknown_where_no_picture_is_labelled_completely() -> None:
    truths, found = _faces([0.9] * 40)
    partly = [replace(truth, complete=False) for truth in truths]
    choice = choose(Looked(("d",), partly, [found], [[1.0]] * 40), Wish(0.9), resamples=100)
    assert (choice.chosen.false, choice.stated.false, choice.stated.false_interval) == (None, None, None)


def test_the_policy_is_one_that_faceveil_takes(tmp_path: Path) -> None:
    wish = Wish(0.7)
    choice = choose(looked(200, 1, 2), wish, resamples=100)
    spec = "scales(centerface(score_threshold=0.05), sizes=[640;1280])"
    choice = replace(choice, chosen=replace(choice.chosen, spec=spec))
    text = policy_text(choice, wish, data="a\nb: c", digest="ab" * 32, provider="openvino", command="faceveil")
    (tmp_path / "p.yml").write_text(text)
    policy = Policy.read(tmp_path / "p.yml")
    assert (policy.detector, policy.min_score, policy.provider) == (spec, choice.chosen.min_score, "openvino")
    assert "took no part in choosing" in text
    assert f"recall {choice.stated.recall:.3f}, 95 % [" in text
