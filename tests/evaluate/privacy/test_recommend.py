"""What is recommended: the first of a ladder behind which few enough are named, or a reason why there is none."""

from __future__ import annotations

from functools import cache

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from privacy_samples import blackout, crowd, evidence

from faceveil.errors import OutOfReach, RequestError
from faceveil.evaluate.privacy.findings import Privacy
from faceveil.evaluate.privacy.privacy import measure
from faceveil.evaluate.privacy.recommend import LADDER, policy_text, recommend, sentences
from faceveil.policy import Area, Policy

NAMES = ("blur", "mosaic", "solid@head")


@cache
def made() -> Privacy:
    people = crowd(20, 6)
    conditions = [
        evidence(people, "blur", 1.0),
        evidence(people, "mosaic", 0.4),
        evidence(people, "solid@head", 0.0, spec="solid", area=Area.named("head")),
    ]
    return measure([evidence(people), *conditions, blackout(people)], people, wanted=("naive", "parrot"), resamples=200)


def test_the_first_that_is_good_enough_is_chosen_and_a_policy_says_so() -> None:
    advice = recommend(made(), NAMES, 0.2)
    assert advice.chosen.condition.name == "solid@head"
    rates = [rung.rank1 for rung in advice.rungs]
    assert rates[0] > rates[1] > 0.2 >= rates[2]
    text = policy_text(advice, command="faceveil evaluate recommend people", digest="ab" * 32)
    policy = Policy.of(**yaml.safe_load(text))
    assert policy.method == "solid"
    assert policy.area == Area.named("head")
    assert all(line.split()[0] in text for line in sentences(advice))


@given(st.floats(0.06, 1))
def test_nothing_before_the_chosen_one_was_good_enough(most: float) -> None:
    try:
        advice = recommend(made(), NAMES, most)
    except OutOfReach:
        assert all(rung.rank1 > most for rung in recommend(made(), NAMES, 1).rungs)
        return
    at = advice.rungs.index(advice.chosen)
    assert advice.chosen.rank1 <= most
    assert all(rung.rank1 > most for rung in advice.rungs[:at])


def test_what_cannot_be_had_is_said() -> None:
    with pytest.raises(RequestError, match=r"guessing names 5 % of these 20 people"):
        recommend(made(), NAMES, 0.01)
    with pytest.raises(OutOfReach, match="behind none of 2 methods at most 10 % are named: the least is .*mosaic"):
        recommend(made(), NAMES[:2], 0.1)
    with pytest.raises(RequestError, match="no attack on the wide field"):
        bare = measure(
            [evidence(crowd(6, 4)), evidence(crowd(6, 4), "blur"), blackout(crowd(6, 4))],
            crowd(6, 4),
            wanted=("geometry",),
            resamples=100,
        )
        recommend(bare, ("blur",), 0.9, "wide")


def test_the_ladder_is_of_methods_that_exist() -> None:
    from faceveil.evaluate.privacy.painted import conditions  # noqa: PLC0415

    assert [one.name for one in conditions(LADDER)] == list(LADDER)
