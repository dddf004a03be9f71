"""Compositions that judge: what is confirmed, what is voted for, and what scores mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finders import Says
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceveil import detect
from faceveil.detect import PRESETS
from faceveil.detect.base import Detector
from faceveil.detect.compose import Calibrated
from faceveil.detect.confirm import Confirm
from faceveil.detect.runtime import Runtime
from faceveil.detect.scores import PROBABLE, Calibration, calibrations, on_scale
from faceveil.detect.vote import Vote
from faceveil.errors import RequestError
from faceveil.types import Frame, Regions

FRAME = Frame(np.zeros((100, 100, 3), np.uint8))
A, B, C = [0, 0, 20, 24], [40, 0, 60, 24], [70, 60, 90, 84]
probability = st.floats(0, 1)


def made(spec: str) -> Detector:
    return detect.make(spec).on(Runtime(threads=1))


# --- confirm --------------------------------------------------------------------------------------------------------


def test_what_is_unsure_needs_a_second_opinion_and_the_second_adds_nothing() -> None:
    first, second = Says.what([A, B, C], [0.9, 0.4, 0.3]), Says.what([[41, 1, 61, 25], [0, 50, 20, 74]], [0.2, 0.99])
    found = Confirm(detectors=(first, second))(FRAME)
    assert found.xyxy.tolist() == [A, B]
    assert found.score == pytest.approx([0.9, 0.4])


def test_any_of_several_may_confirm() -> None:
    found = Confirm(detectors=(Says.what([A, B, C], [0.4] * 3), Says.what([A], [0.1]), Says.what([C], [0.1])))(FRAME)
    assert found.xyxy.tolist() == [A, C]


def test_nobody_is_asked_where_all_is_sure() -> None:
    second = Says.what([A], [0.9])
    confirm = Confirm(detectors=(Says.what([A], [0.6]), second))
    assert len(confirm(FRAME)) == 1
    assert second._asked == []


def test_a_plate_does_not_confirm_a_face() -> None:
    second = Says.what([A, B], [0.9, 0.9], np.array(["plate", "face"]))
    assert Confirm(detectors=(Says.what([A, B], [0.4, 0.3]), second))(FRAME).xyxy.tolist() == [B]


def test_confirming_leaves_landmarks_and_labels_to_the_first() -> None:
    confirm = Confirm(detectors=(made("centerface:size=320"), Says.what([A], [0.9], np.array(["plate"]))))
    assert confirm.gives_landmarks
    assert confirm.gives_labels == ("face",)


# --- vote -----------------------------------------------------------------------------------------------------------


def test_a_region_that_many_looks_see_outweighs_one_that_a_single_look_sees_better() -> None:
    looks = (Says.what([A, B], [0.4, 0.45]), Says.what([A], [0.4]), Says.what([A], [0.4]))
    found = Vote(detectors=looks, large=0)(FRAME)
    assert found.xyxy == pytest.approx(np.array([A, B]), abs=1e-4)
    assert found.score[0] == pytest.approx(0.4)  # one opinion, three times: the same score
    assert found.score[1] < 0.4


def test_neighbours_do_not_vote_for_each_other() -> None:
    """Two faces of a crowd that overlap, but not so much that they are one: each keeps its own voters."""
    left, right = [0, 0, 20, 24], [9, 0, 29, 24]
    found = Vote(detectors=(Says.what([left, right], [0.9, 0.3]), Says.what([left], [0.9])), large=0)(FRAME)
    alone = Vote(detectors=(Says.what([right], [0.3]), Says.what([], [])), large=0, score_threshold=0)(FRAME)
    assert len(found) == 2
    assert found.score[1] == pytest.approx(alone.score[0])


def test_large_faces_gain_and_small_ones_lose() -> None:
    both = Says.what([[0, 0, 40, 48], [50, 0, 60, 12]], [0.3, 0.3])
    found = Vote(detectors=(both,), large=0.5, score_threshold=0)(FRAME)
    assert found.score[0] > 0.3 > found.score[1]
    assert found.score.sum() == pytest.approx(0.6, abs=0.03)  # twice and half of the height that changes nothing


@given(st.lists(st.lists(probability, min_size=3, max_size=3), min_size=1, max_size=4), probability)
def test_votes_lose_nothing_that_reaches_the_threshold(scores: list[list[float]], threshold: float) -> None:
    looks = tuple(Says.what([A, B, C], each) for each in scores)
    every = Vote(detectors=looks, score_threshold=0)(FRAME)
    assert len(every) == 3
    assert len(Vote(detectors=looks, score_threshold=threshold)(FRAME)) == (every.score >= np.float32(threshold)).sum()


@given(st.lists(probability, min_size=1, max_size=6), st.integers(0, 5), probability)
def test_a_better_look_never_makes_a_score_worse(scores: list[float], which: int, more: float) -> None:
    which %= len(scores)
    better = [*scores[:which], max(scores[which], more), *scores[which + 1 :]]

    def judged(each: list[float]) -> Any:
        return Vote(detectors=tuple(Says.what([A], [s]) for s in each), score_threshold=0)(FRAME).score[0]

    assert judged(better) >= judged(scores) - 1e-6


# --- scores ---------------------------------------------------------------------------------------------------------


@given(st.floats(0.2, 3), st.floats(-3, 3), st.floats(0.05, 0.95))
def test_calibrations_go_back_and_keep_the_order(slope: float, offset: float, score: float) -> None:
    calibration = Calibration(slope, offset)
    assert calibration.score(calibration.probability(np.array([score])))[0] == pytest.approx(score, abs=1e-3)
    assert (np.diff(calibration.probability(np.linspace(0, 1, 50))) >= 0).all()


def test_a_calibration_that_turns_scores_round_is_refused() -> None:
    with pytest.raises(ValueError, match="slope must be above 0"):
        Calibration(-1, 0)


def test_measured_detectors_say_what_their_scores_mean() -> None:
    """CenterFace knows at .5 what MTCNN knows at .8 and more."""
    centerface, mtcnn = calibrations()["centerface"], calibrations()["mtcnn"]
    half = np.array([0.5])
    assert 0.6 < centerface.probability(half)[0] < 0.95
    assert mtcnn.score(centerface.probability(half))[0] > 0.8


def test_scores_of_other_things_and_of_unknown_detectors_stay() -> None:
    found = Regions(np.array([A, B]), np.array([0.5, 0.5]), label=np.array(["face", "plate"]))
    assert on_scale(found, None, PROBABLE) is found
    assert on_scale(found, PROBABLE, None) is found
    told = on_scale(found, Calibration(1, 2), PROBABLE).score
    assert told[0] > 0.8
    assert told[1] == 0.5


@pytest.mark.parametrize(
    ("spec", "first"), [("union(centerface:size=320, mtcnn)", "centerface"), ("flip(mtcnn)", "mtcnn")]
)
def test_a_least_score_is_a_probability_whichever_detector_is_named(portrait: Path, spec: str, first: str) -> None:
    frame = Frame(np.asarray(Image.open(portrait)))
    raw, told = made(spec)(frame), detect.build("fast", spec, Runtime(threads=1), min_score=0)(frame)
    assert told.score == pytest.approx(calibrations()[first].probability(raw.score))
    assert np.array_equal(told.xyxy, raw.xyxy)
    best = float(told.score[0])
    assert len(detect.build("fast", spec, Runtime(threads=1), min_score=best)(frame)) == 1
    assert (
        len(
            detect.build(
                "fast", spec, Runtime(threads=1), min_score=float(np.nextafter(np.float32(best), np.float32(2)))
            )(frame)
        )
        == 0
    )


def test_a_least_score_is_the_detectors_own_where_it_was_not_measured() -> None:
    found = Calibrated(detector=Says.what([A, B], [0.6, 0.5]), least=0.6)(FRAME)  # .6 is not a float32
    assert found.score.tolist() == [np.float32(0.6)]


def test_parts_are_compared_on_the_scale_of_the_first(portrait: Path) -> None:
    frame = Frame(np.asarray(Image.open(portrait)))
    first, second = made("centerface:size=320"), made("mtcnn")
    assert first.calibration is not None
    assert second.calibration is not None
    theirs = first.calibration.score(second.calibration.probability(second(frame).score[:1]))
    both = made("union(centerface:size=320, mtcnn)")(frame)
    assert both.score[0] == pytest.approx(max(first(frame).score[0], theirs[0]))
    assert np.array_equal(both.xyxy[0], first(frame).xyxy[0])


# --- presets in specs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_known_by_name_in_specs(preset: str) -> None:
    assert detect.make(preset).spec == detect.make(PRESETS[preset]).spec
    assert detect.make(f"union({preset}, mtcnn)").spec == f"union({detect.make(f'flip({preset})').spec[5:-1]}, mtcnn)"


def test_presets_take_no_settings_and_no_detector_has_a_presets_name() -> None:
    with pytest.raises(RequestError, match="the preset 'fast' has no settings — it stands for centerface:size=640"):
        detect.make("union(fast:size=3, mtcnn)")
    from faceveil import plugins  # noqa: PLC0415

    assert not set(PRESETS) & set(plugins.names(plugins.DETECT))
