"""Recognisers described by manifests: each field does what it says, and what is wrong is refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_recognisers import SIDE, manifest, means
from onnx import TensorProto

from faceveil import match
from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra, RequestError
from faceveil.match.base import Recogniser

RAW = "metric: euclidean\n"


@pytest.fixture(scope="module")
def chips() -> Any:
    return np.random.default_rng(3).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def build(path: Path, settings: str = ",mirror=false", threads: int = 1) -> Recogniser:
    return match.build(f"onnx:manifest={path}{settings}", Runtime(threads=threads))


@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.UINT8, TensorProto.FLOAT16])
def test_a_network_sees_the_chips_as_they_are(
    tmp_path: Path, chips: Any, batch: int | str, layout: str, kind: int
) -> None:
    path = manifest(tmp_path, f"{RAW}layout: {layout}\n", batch=batch, layout=layout, kind=kind)
    assert build(path)(chips) == pytest.approx(means(chips), abs=0.3)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_threads_change_nothing(tmp_path: Path, chips: Any, threads: int) -> None:
    path = manifest(tmp_path, RAW, batch=1)
    assert np.array_equal(build(path, threads=threads)(chips), build(path)(chips))


def test_colours_mean_and_deviation(tmp_path: Path, chips: Any) -> None:
    path = manifest(tmp_path, f"{RAW}colours: bgr\nmean: [1, 2, 3]\nstd: [2, 4, 8]\n")
    wanted = (means(chips).reshape(-1, 3, 4)[:, ::-1] - [[1], [2], [3]]) / [[2], [4], [8]]
    assert build(path)(chips) == pytest.approx(wanted.reshape(-1, 12), abs=1e-3)


def test_each_chip_is_standardised_by_itself(tmp_path: Path, chips: Any) -> None:
    made = build(manifest(tmp_path, f"{RAW}standardise: true\n"))
    brighter = (chips // 2 + 100).astype(np.uint8)
    assert made(brighter) == pytest.approx(made(chips // 2 * 2), abs=0.02)
    assert np.isfinite(made(np.zeros_like(chips))).all()  # nothing deviates there


def test_angles_are_told_by_embeddings_of_length_one(tmp_path: Path, chips: Any) -> None:
    path = manifest(tmp_path)
    plain, mirrored = build(path)(chips), build(path)(chips[:, :, ::-1])
    assert np.linalg.norm(plain, axis=1) == pytest.approx(np.ones(5))
    both = build(path, "")(chips)
    wanted = plain + mirrored
    assert both == pytest.approx(wanted / np.linalg.norm(wanted, axis=1, keepdims=True), abs=1e-5)


def test_the_output_that_is_named_is_taken(tmp_path: Path, chips: Any) -> None:
    with pytest.raises(RequestError, match="gives .* numbers for 1 chips"):  # one number is no embedding
        build(manifest(tmp_path, f"{RAW}output: sum\n"))
    assert build(manifest(tmp_path, f"{RAW}output: embedding\n"))(chips).shape == (5, 12)


def test_alignment_as_the_manifest_says(tmp_path: Path) -> None:
    points = "align: [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]\n"
    assert build(manifest(tmp_path, points)).alignment.points == ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10))
    made = build(manifest(tmp_path, "align: {margin: 0.25}\n")).alignment
    assert (made.points, made.margin, made.side) == (None, 0.25, SIDE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("side: 64\n", r"takes \['n', 3, 112, 112\], and its recipe gives chips of \[3, 64, 64\]"),
        ("output: other\n", "has no output 'other'; its outputs are embedding, sum"),
        ("colors: bgr\n", "there is no field 'colors' — did you mean 'colours'?"),
        ("align: insight\n", "align: it is arcface, five points, or a box"),
        ("align: [[1, 2]]\n", "align: it is arcface, five points, or a box"),
        ("threshold: -1\n", "threshold: input should be greater than 0"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_starts(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        build(manifest(tmp_path, text))


def test_missing_fields_and_files(tmp_path: Path) -> None:
    path = tmp_path / "m.yml"
    path.write_text("file: nowhere.onnx\n")
    with pytest.raises(RequestError, match="the field 'licence' is missing"):
        build(path)
    path.write_text("file: nowhere.onnx\nlicence: MIT\n")
    with pytest.raises(RequestError, match="there is no file .*nowhere.onnx"):
        build(path)
    path.write_text("file: m.yml\nlicence: MIT\n")
    with pytest.raises(RequestError, match="cannot be loaded"):
        build(path)


@pytest.mark.parametrize("spec", ["onnx", "onnx:model=sface,manifest=a.yml"])
def test_one_network_is_named(spec: str) -> None:
    with pytest.raises(RequestError, match=r"name a model \(mobilefacenet, .*\) or a manifest"):
        match.build(spec, Runtime())


def test_a_model_that_is_not_installed_is_told_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path))
    with pytest.raises(MissingExtra, match="the model 'sface' is not installed — faceveil models add sface"):
        match.build("onnx:model=sface", Runtime())


def test_identity_changes_with_all_that_shapes_embeddings(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = manifest(tmp_path)
    identity = build(path, "").identity
    assert build(path, "").identity == identity
    other = {
        "settings": build(path, ",mirror=false").identity,
        "recipe": build(manifest(tmp_path, "mean: 3\n"), "").identity,
        "network": build(manifest(tmp_path, batch=1), "").identity,
    }
    assert len({identity, *other.values()}) == 4
