"""All attacks on made-up evidence whose truth is known, and requests that cannot be answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from privacy_samples import blackout, crowd, embeddings, evidence, lost

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.attacks import ATTACKS, CNN, DEFAULT, FACE, GIVEN, LINKAGE, NAIVE, OWN, PLACE, WIDE
from faceveil.evaluate.privacy.evidence import CONTROL, ORIGINAL, Evidence, People, Seen
from faceveil.evaluate.privacy.findings import Privacy
from faceveil.evaluate.privacy.privacy import measure
from faceveil.policy import Area

PEOPLE = crowd(24, 8)


def _geometry(clear: float) -> dict[str, Any]:
    return {"cover": embeddings(PEOPLE, clear, 5, 4).astype(float)}


@pytest.fixture(scope="module")
def made() -> Privacy:
    n = len(PEOPLE.person)
    weak = evidence(PEOPLE, "weak", 0.6, own=0.9, geometry=_geometry(2.0), area=Area.named("head"))
    noisy = evidence(PEOPLE, "noisy", 0.0, own=0.2, denoised={"median": {"one": embeddings(PEOPLE, 2.0, 3)}})
    noisy = replace(noisy, averaged={"one": lost(embeddings(PEOPLE, 1.0, 4), 0.3)})
    nothing = evidence(PEOPLE, "nothing", 0.0, geometry={"cover": np.zeros((n, 4))})
    first = replace(evidence(PEOPLE, clear=3.0), geometry={"box": _geometry(1.0)["cover"]})
    return measure([first, weak, noisy, nothing, blackout(PEOPLE)], PEOPLE, resamples=300)


def test_the_original_is_known_and_nothing_is_at_chance(made: Privacy) -> None:
    assert made.condition(ORIGINAL).of(NAIVE)[0].rank1.value == pytest.approx(1, abs=0.01)
    assert made.condition(ORIGINAL).verdict() is None
    verdict = made.condition("nothing").verdict()
    assert verdict is not None
    assert verdict.word == "at chance"
    assert verdict.bounds is not None
    assert verdict.bounds[0] <= made.chance == pytest.approx(1 / 24)


def test_every_attack_on_the_control_is_at_chance(made: Privacy) -> None:
    control = made.condition(CONTROL)
    known = [one for one in control.findings if one.rank1.value is not None]
    assert known
    for one in known:
        assert one.rank1.value == pytest.approx(1 / 24)
        assert one.cmc == pytest.approx(np.arange(1, 21) / 24, abs=1e-6)
    for one in control.linkage:
        assert one.rank1.value == pytest.approx(one.chance) == pytest.approx(1 / len(PEOPLE.person))
    assert control.verdict() is not None
    assert all(verdict.word == "at chance" for verdict in control.verdicts)


def test_a_weak_method_is_re_identifiable_and_the_strongest_attack_is_named(made: Privacy) -> None:
    verdict = made.condition("weak").verdict()
    assert verdict is not None
    assert verdict.word == "re-identifiable"
    assert verdict.strongest is not None
    best = max(one.rank1.value or 0 for one in made.condition("weak").findings if one.rank1.of >= 30)
    assert verdict.rank1 is not None
    assert verdict.rank1.value == best
    assert verdict.sentence.startswith("re-identifiable (rank-1 ")
    assert verdict.strongest.label in verdict.sentence


def test_noise_that_a_filter_takes_away_is_no_privacy(made: Privacy) -> None:
    noisy = made.condition("noisy")
    assert (noisy.of(NAIVE, box=GIVEN, after="")[0].rank1.value or 0) < 0.15
    assert (noisy.of(NAIVE, after="median")[0].rank1.value or 0) > 0.9
    averaged = noisy.of(NAIVE, after="averaging")[0]
    assert averaged.failed.value == pytest.approx(0.3, abs=0.08)
    verdict = noisy.verdict(FACE)
    assert verdict is not None
    assert verdict.word == "re-identifiable"
    assert verdict.strongest is not None
    assert verdict.strongest.after == "median"


def test_geometry_alone_is_an_attack_of_its_own(made: Privacy) -> None:
    place = made.condition("weak").verdict(PLACE)
    assert place is not None
    assert place.word == "re-identifiable"
    assert [one.attack.kind for one in made.condition(ORIGINAL).findings if one.attack.field == PLACE] == [
        "geometry: box"
    ]


def test_failure_to_acquire_is_reported_and_is_no_privacy(made: Privacy) -> None:
    weak = made.condition("weak")
    own = weak.of(NAIVE, box=OWN)[0]
    assert own.failed.value == pytest.approx(0.9, abs=0.06)
    assert own.rank1.value is not None
    given = weak.of(NAIVE, box=GIVEN)[0]
    assert own.rank1.value > 0.4 * (given.rank1.value or 1)  # of those that were found
    compared = next(one for one in weak.compared if one.attack.box == OWN)
    assert compared.verified.failed > 0.8
    for point in compared.verified.points:
        assert point.generalised is not None
        assert point.generalised >= compared.verified.failed
    assert any(remark.startswith(f"{CONTROL}: ") and "no privacy" in remark for remark in made.remarks)


def test_wide_field_and_control_are_told_apart(made: Privacy) -> None:
    wide = made.condition("weak").of(NAIVE, WIDE)[0]
    assert wide.above_control is not None
    assert wide.above_control.value == pytest.approx((wide.rank1.value or 0) - 1 / 24)


def test_the_photo_is_known_again_where_nothing_was_painted() -> None:
    first = evidence(PEOPLE, clear=3.0)
    copy = replace(first, name="copy", spec="keep")
    made = measure([first, copy], PEOPLE, wanted=("linkage", "naive"), resamples=100)
    assert {one.attack.kind for one in made.condition("copy").linkage} == {LINKAGE}
    assert all(one.rank1.value == 1 for one in made.condition("copy").linkage)
    assert made.condition(ORIGINAL).linkage == ()


def test_differences_are_from_solid_with_the_same_cover() -> None:
    solid = evidence(PEOPLE, "solid", 0.0, area=Area())
    veil = evidence(PEOPLE, "veil", 0.8, area=Area())
    other = evidence(PEOPLE, "other", 0.8, area=Area.named("head"))
    made = measure([evidence(PEOPLE), solid, veil, other], PEOPLE, wanted=("naive", "parrot"), resamples=300)
    assert {(one.name, one.other) for one in made.differences} == {("veil", "solid")}
    for one in made.differences:
        pair = [
            next(found.rank1.value or 0 for found in made.condition(name).findings if found.attack == one.attack)
            for name in ("veil", "solid")
        ]
        assert one.rank1.value == pytest.approx(pair[0] - pair[1])


def test_the_same_seed_gives_the_same_figures(made: Privacy) -> None:
    _ = made
    rows = [evidence(PEOPLE), evidence(PEOPLE, "weak", 0.6, own=0.5), blackout(PEOPLE)]
    assert measure(rows, PEOPLE, seed=3, resamples=100) == measure(rows, PEOPLE, seed=3, resamples=100)


def test_every_attack_that_is_asked_for_is_made(made: Privacy) -> None:
    kinds = {one.attack.kind for condition in made.conditions for one in condition.findings}
    assert kinds >= {
        "naive", "reverse", "parrot", "retrained on embeddings", "retrained on pixels", "retrained, fused",
        "geometry: cover",
    }  # fmt: skip
    only = measure([evidence(PEOPLE), blackout(PEOPLE)], PEOPLE, wanted=("parrot",), resamples=100)
    assert {one.attack.kind for condition in only.conditions for one in condition.findings} == {"parrot"}
    assert set(DEFAULT) == set(ATTACKS) - {CNN}


# --- what limits the figures, and what cannot be measured ------------------------------------------------------------


def test_remarks_say_what_limits_the_figures() -> None:
    people = People(np.append(PEOPLE.person, 24), np.append(PEOPLE.photo, 999), (*PEOPLE.names, "alone"))
    made = measure([evidence(people, clear=0.1), evidence(people, "weak", 0.1)], people, resamples=100)
    said = "\n".join(made.remarks)
    for words in (
        "1 of 25 people",
        "No blackout control",
        "One recogniser",
        "too weak",
        "attackers that weak",
        "rule of 30",
    ):
        assert words.replace("too weak", "weak") in said
    assert made.asked == 24


def test_where_all_scores_are_equal_the_report_says_so(made: Privacy) -> None:
    assert any(CONTROL in remark and "all scores are equal" in remark for remark in made.remarks)


def test_where_no_face_is_found_anywhere_nothing_is_claimed() -> None:
    n = len(PEOPLE.person)
    nobody = np.full((n, 8), np.nan, np.float32)
    seen = {"one": Seen(nobody, nobody, nobody)}
    made = measure([Evidence(ORIGINAL, None, None, seen), Evidence("x", "solid", None, seen)], PEOPLE, resamples=100)
    verdict = made.condition("x").verdict()
    assert verdict is not None
    assert verdict.word == verdict.sentence == "not measured"
    assert all(one.rank1.value is None for one in made.condition("x").findings)
    assert any("x: the attacker's own detector found no face" in remark for remark in made.remarks)


def test_few_acquired_pictures_say_nothing() -> None:
    weak = evidence(PEOPLE, "weak", 3.0, own=0.95)
    own = replace(weak.seen["one"], given=embeddings(PEOPLE, 0.0, 6), wide=None)
    made = measure(
        [evidence(PEOPLE), replace(weak, seen={"one": own}, pixels={})], PEOPLE, wanted=("naive",), resamples=200
    )
    verdict = made.condition("weak").verdict()
    assert verdict is not None
    assert verdict.few > 0
    assert verdict.strongest is not None
    assert verdict.strongest.box == GIVEN


def test_few_people_get_a_verdict_with_a_wide_interval() -> None:
    people = crowd(4, 4)
    made = measure(
        [evidence(people, clear=3.0), evidence(people, "weak", 3.0), blackout(people)], people, resamples=100
    )
    weak, black = made.condition("weak").verdict(), made.condition(CONTROL).verdict()
    assert weak is not None
    assert black is not None
    assert (weak.word, black.word) == ("re-identifiable", "at chance")
    assert black.bounds is not None
    assert black.bounds[1] > 0.4


_BROKEN: list[tuple[Callable[[], tuple[list[Evidence], People]], str]] = [
    (lambda: ([evidence(PEOPLE, "weak")], PEOPLE), "original pictures"),
    (lambda: ([evidence(PEOPLE), evidence(PEOPLE)], PEOPLE), "original pictures"),
    (lambda: ([evidence(PEOPLE), evidence(PEOPLE, "a"), evidence(PEOPLE, "a")], PEOPLE), "one name"),
    (lambda: ([evidence(crowd(1, 5))], crowd(1, 5)), "1 person of 1"),
    (lambda: ([evidence(crowd(5, 1))], crowd(5, 1)), "0 people of 5"),
    (lambda: ([evidence(PEOPLE), evidence(crowd(24, 9), "long")], PEOPLE), "'long' has 216 pictures"),
    (lambda: ([evidence(PEOPLE), replace(evidence(PEOPLE, "x"), seen={"two": Seen(embeddings(PEOPLE, 1.0))})], PEOPLE),
     "'x' was seen by two"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "words"), _BROKEN, ids=[words for _, words in _BROKEN])
def test_what_cannot_be_measured_is_said_in_a_sentence(
    broken: Callable[[], tuple[list[Evidence], People]], words: str
) -> None:
    rows, people = broken()
    with pytest.raises(RequestError, match=words):
        measure(rows, people, resamples=100)


def test_of_people_who_are_shown_once_pairs_are_compared() -> None:
    # Seven pairs of one person in one photo each, and eight of two people.
    person = np.concatenate([np.repeat(np.arange(7), 2), np.arange(7, 23)])
    pairs = np.arange(30).reshape(15, 2)
    people = People(person, np.arange(30) // 2, tuple(map(str, range(23))), pairs, np.arange(15) < 7)
    made = measure([evidence(people), blackout(people)], people, resamples=100)
    assert made.folds == made.asked == 0
    assert made.condition(ORIGINAL).findings == ()
    assert {one.against for one in made.condition(ORIGINAL).compared} == {"picture"}
    assert made.condition(ORIGINAL).compared[0].verified.mated == 14
    assert any("Nobody has two photos" in remark for remark in made.remarks)


def test_an_unknown_attack_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="no attack 'magic'") as caught:
        measure([evidence(PEOPLE)], PEOPLE, wanted=("magic",))
    assert "parrot" in caught.value.hint


def test_without_scikit_learn_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from faceveil.errors import MissingExtra  # noqa: PLC0415

    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(MissingExtra, match="scikit-learn") as caught:
        measure([evidence(PEOPLE)], PEOPLE)
    assert "faceveil[evaluate]" in caught.value.hint
