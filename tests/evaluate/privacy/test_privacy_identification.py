"""Naming people: ranks and ties, and attackers beside those of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from privacy_samples import crowd, embeddings, lost
from pyeer.cmc_stats import get_cmc_curve
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import top_k_accuracy_score
from sklearn.neighbors import NearestCentroid

from faceveil.evaluate.privacy.attackers import components, discriminant, fusion, standardised, templates, unit
from faceveil.evaluate.privacy.folds import folds
from faceveil.evaluate.privacy.identification import identify, ranked

_SCORES = npst.arrays(float, st.tuples(st.integers(1, 9), st.integers(2, 7)), elements=st.integers(-3, 3))


@settings(max_examples=25)
@given(scores=_SCORES, data=st.data())
def test_ranks_are_the_mean_over_orders_of_ties(scores: Any, data: Any) -> None:
    truth = np.array(
        data.draw(st.lists(st.integers(0, scores.shape[1] - 1), min_size=len(scores), max_size=len(scores)))
    )
    made = ranked(scores, truth, scores.shape[1])
    rng = np.random.default_rng(0)
    orders = [scores + 1e-3 * rng.random(scores.shape) for _ in range(600)]
    for rank in (1, 2):
        drawn = np.mean([(o > o[np.arange(len(o)), truth][:, None]).sum(1) < rank for o in orders], axis=0)
        np.testing.assert_allclose(made[:, rank - 1], drawn, atol=0.12)
    assert (made[:, -1] == 1).all()
    assert (np.diff(made, axis=1) >= 0).all()


def test_ranks_without_ties_are_those_of_scikit_learn_and_pyeer() -> None:
    rng = np.random.default_rng(4)
    scores, truth = rng.normal(size=(200, 12)), rng.integers(0, 12, 200)
    scores[np.arange(200), truth] += 1
    made = ranked(scores, truth, 12).mean(0)
    for rank in (1, 3, 5):
        assert made[rank - 1] == pytest.approx(top_k_accuracy_score(truth, scores, k=rank))
    queries = {
        q: ([str(truth[q])], sorted(((str(k), s) for k, s in enumerate(row)), key=lambda one: -one[1]))
        for q, row in enumerate(scores)
    }
    theirs = get_cmc_curve(queries, 8)
    np.testing.assert_allclose(made[:8], theirs[1:9] if len(theirs) > 8 and theirs[0] == 0 else theirs[:8])


def test_templates_name_whom_the_nearest_centroid_names() -> None:
    people = crowd(9, 6)
    rows = embeddings(people, 0.6)
    fold = folds(people)[0]
    theirs = NearestCentroid().fit(rows[fold.gallery], people.person[fold.gallery])
    centroids = unit(theirs.centroids_)
    nearest = np.argmin(((rows[fold.probe][:, None] - centroids) ** 2).sum(2), 1)
    ours = templates(rows, rows, people.person)(fold)
    assert (ours.argmax(1) == nearest).all()


def test_the_discriminant_is_that_of_scikit_learn_with_the_same_covariance() -> None:
    people = crowd(8, 12)
    rows = embeddings(people, 0.5).astype(float)
    fold = folds(people)[0]
    known, names = rows[fold.gallery], people.person[fold.gallery]
    means = np.stack([known[names == k].mean(0) for k in range(8)])
    shrunk = LedoitWolf(assume_centered=True).fit(known - means[names]).covariance_

    class Pooled:
        """Gives the same covariance for every class: that of all of them."""

        covariance_ = shrunk

        def fit(self, rows: Any) -> Pooled:
            _ = rows
            return self

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            _ = deep
            return {}

    lda = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Pooled(), priors=np.full(8, 1 / 8))
    theirs = lda.fit(known, names).decision_function(rows[fold.probe])
    ours = discriminant(rows, people.person)(fold)
    np.testing.assert_allclose(ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=1e-8)


def test_components_span_what_those_of_scikit_learn_span() -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(60, 5))
    pictures = np.clip(128 + (factors @ rng.normal(size=(5, 8 * 8 * 3)) * 12), 0, 255).reshape(60, 8, 8, 3)
    large: Any = np.kron(pictures, np.ones((1, 2, 2, 1))).astype(np.uint8)
    ours = components(large)[0]
    small = large[:, ::2, ::2].reshape(60, -1) / 255
    mirrored = large[:, ::2, ::-2].reshape(60, -1) / 255
    theirs = PCA(5, svd_solver="full").fit(np.concatenate([small, mirrored])).transform(small)
    np.testing.assert_allclose(np.abs(ours[:, :5]), np.abs(theirs), atol=0.02)


def test_who_cannot_be_told_apart_is_named_by_chance() -> None:
    people = crowd(10, 4)
    same = np.ones((40, 8), np.float32)
    black = np.zeros((40, 16, 16, 3), np.uint8)
    made = folds(people)
    for attacker in (
        templates(same, same, people.person),
        discriminant(same, people.person),
        discriminant(components(black), people.person),
        discriminant(standardised(same), people.person),
        fusion([discriminant(same, people.person), templates(same, same, people.person)]),
    ):
        named = identify(attacker, made, people.person, 10)
        np.testing.assert_allclose(named.right.sum(0) / named.asked.sum(), np.arange(1, 11) / 10)


def test_a_pseudonym_that_is_always_the_same_names_everybody() -> None:
    people = crowd(10, 4)
    rows = np.eye(10)[people.person]  # pictures of one person do not differ at all
    named = identify(discriminant(rows, people.person), folds(people), people.person, 10)
    assert named.right[:, 0].sum() == named.asked.sum()


def test_a_column_that_never_differs_within_a_person_is_no_error() -> None:
    people = crowd(10, 6)
    rng = np.random.default_rng(0)
    rows = np.stack([people.person.astype(float), 50 * rng.choice([-1, 1], 60)], axis=1)
    named = identify(discriminant(standardised(rows), people.person), folds(people), people.person, 10)
    assert named.right[:, 0].sum() > 0.9 * named.asked.sum()
    tiles = np.zeros((60, 4))
    tiles[:, 0] = rng.choice([0.25, 0.5], 60)  # snapped to steps, the rest constant
    named = identify(discriminant(standardised(tiles), people.person), folds(people), people.person, 10)
    assert named.right[:, 0].sum() < 0.4 * named.asked.sum()


def test_what_was_not_acquired_is_counted_apart() -> None:
    people = crowd(12, 8)
    rows = embeddings(people, 3.0)
    named = identify(templates(rows, lost(rows, 0.5), people.person), folds(people), people.person, 12)
    assert named.failed.sum() == pytest.approx(0.5 * (named.failed + named.asked).sum(), rel=0.25)
    assert named.right[:, 0].sum() > 0.95 * named.asked.sum()  # of those that were acquired
    assert named.pictures < named.all_pictures == 96


def test_who_was_not_enrolled_is_not_named() -> None:
    people = crowd(6, 4)
    rows = embeddings(people, 3.0)
    known = rows.copy()
    known[people.person == 2] = np.nan
    named = identify(templates(known, rows, people.person), folds(people), people.person, 6)
    assert named.right[2, :5].sum() == 0
    assert named.right[2, 5] == named.asked[2]
    nobody = np.full_like(rows, np.nan)
    for attacker in (templates(nobody, rows, people.person), discriminant(nobody, people.person)):
        named = identify(attacker, folds(people), people.person, 6)
        assert named.right[:, 0].sum() in (0, pytest.approx(named.asked.sum() / 6))


def test_two_weak_attackers_are_stronger_together() -> None:
    people = crowd(30, 8)
    one, two = (discriminant(embeddings(people, 0.35, seed), people.person) for seed in (1, 2))
    made = folds(people)
    rates = [identify(a, made, people.person, 30).right[:, 0].sum() for a in (one, two, fusion([one, two]))]
    assert rates[2] > max(rates[:2])
