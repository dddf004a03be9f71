"""What every recogniser owes, held against every one that is registered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from made_recognisers import manifest

from faceveil import match, plugins
from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra
from faceveil.match.base import Recogniser
from faceveil.models.catalogue import CATALOGUE

NAMES = plugins.names(plugins.MATCH)
ADDED = {"dlib": "dlib-resnet"}
"""Models that a user must add, by the recognisers that need them."""

pytestmark = pytest.mark.usefixtures("added_models")


@pytest.fixture
def build(tmp_path: Path, stored: Callable[..., None]) -> Callable[[str], Recogniser]:
    """A recogniser by its name; a test whose model or package is not there is skipped."""

    def build(name: str) -> Recogniser:
        if name in ADDED:
            stored(ADDED[name])
        spec = f"onnx:manifest={manifest(tmp_path)}" if name == "onnx" else name
        try:
            return match.build(spec, Runtime(threads=1))
        except MissingExtra as error:
            pytest.skip(str(error))

    return build


def chips(one: Recogniser, count: int = 3) -> Any:
    side = one.alignment.side
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_those_of_the_docs_are_there() -> None:
    assert NAMES == ["deepface", "dlib", "onnx"]


@pytest.mark.parametrize("name", NAMES)
def test_chips_become_embeddings(name: str, build: Callable[[str], Recogniser]) -> None:
    one = build(name)
    given = chips(one)
    before = given.copy()
    found = one(given)
    assert found.dtype == np.float32
    assert found.shape[0] == 3
    assert found.shape[1] >= 2
    assert np.array_equal(given, before)
    assert np.array_equal(found, one(given))
    if one.metric == "cosine":
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_chip_is_judged_by_itself(name: str, build: Callable[[str], Recogniser]) -> None:
    one = build(name)
    given = chips(one)
    assert one(given[1:2])[0] == pytest.approx(one(given)[1], abs=1e-4)
    assert len(one(given[:0])) == 0
    assert np.array_equal(one(np.asfortranarray(given)), one(given))


@pytest.mark.parametrize("name", NAMES)
def test_other_shapes_are_refused(name: str, build: Callable[[str], Recogniser]) -> None:
    one = build(name)
    given = chips(one)
    for wrong in (given[0], given[:, :-1], given.astype(np.float32), given[..., :1]):
        with pytest.raises(ValueError, match=r"chips must be uint8 \(n, "):
            one(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_black_chips_are_no_failure(name: str, build: Callable[[str], Recogniser]) -> None:
    one = build(name)
    assert np.isfinite(one(np.zeros_like(chips(one)))).all()


@pytest.mark.parametrize("name", NAMES)
def test_spec_identity_and_terms(name: str, build: Callable[[str], Recogniser]) -> None:
    one = build(name)
    again = match.build(one.spec, Runtime(threads=1))
    assert again == one
    assert again.identity == one.identity
    assert len(one.terms) > 3
    assert one.threshold is None or one.threshold > 0


@pytest.mark.parametrize("name", NAMES)
def test_licence_and_weights_are_told(name: str) -> None:
    kind = cast("type[Recogniser]", plugins.load(plugins.MATCH, name))
    assert kind.name == name
    assert kind.licence
    assert set(kind.weights) <= set(CATALOGUE)


def test_what_is_not_installed_is_told_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path))
    for spec in ("dlib", "onnx:model=mobilefacenet"):
        with pytest.raises(MissingExtra, match="is not installed — faceveil models add"):
            match.build(spec, Runtime())


def test_deepface_never_fetches_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    with pytest.raises(
        MissingExtra, match=r"needs the package deepface|the weights of deepface's Facenet512 are not in"
    ):
        match.build("deepface", Runtime())
