"""Manifests: typed, whole, and every complaint names file and field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest
import yaml
from made_networks import bright

from faceveil import plugins
from faceveil.detect import manifest
from faceveil.detect.base import Detector
from faceveil.errors import Exit, RequestError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "detectors.md"
GOOD = "file: made.onnx\nlicence: CC0-1.0\ndecoder: {family: boxes}\nsize: 64\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the field 'decoder' is missing"),
        ("- one\n", "must hold settings such as 'file: detector.onnx', got list"),
        ("file: [", "is not YAML"),
        ("[" * 5000, "(goes too deep|is not YAML)"),
        ("licence: CC0\ndecoder: {family: boxes}", "the field 'file' is missing"),
        ("file: made.onnx\ndecoder: {family: boxes}", "the field 'licence' is missing"),
        (GOOD + "colour: bgr", "there is no field 'colour'"),
        (GOOD + "threshold: 1", "there is no field 'threshold' — known: |did you mean 'score_threshold'"),
        (GOOD + "input: {colors: bgr}", "there is no field 'input.colors' — did you mean 'colours'"),
        (GOOD + "input: {colours: hsv}", "input.colours: input should be 'rgb' or 'bgr' (got 'hsv')"),
        (GOOD + "input: {mean: [1, 2]}", "input.mean"),
        (GOOD + "input: {mean: true}", "input.mean: input should be a valid tuple"),
        (GOOD + "input: {std: 0}", "input: std must not be 0"),
        (GOOD + "box: {width: -1}", "box.width: input should be greater than 0"),
        (GOOD + "size: 3", "size: input should be greater than or equal to 32"),
        (GOOD + "labels: []", "labels"),
        (GOOD + "labels: {-1: plate}", "labels"),
        (GOOD + "nms: 2", "nms: input should be less than or equal to 1"),
        (GOOD + "landmarks: [0, 1, 2, 3, 3]", "landmarks must be the numbers 0 to 4 in some order"),
        (GOOD + "landmarks: [0, 1]", "landmarks"),
        (GOOD + "outputs: {box: a}", "outputs of 'boxes' are boxes, scores, labels, table, not 'box'"),
        (GOOD.replace("boxes", "yunet") + "outputs: {cls: a}", "outputs must name 'obj', too, or nothing"),
        (GOOD.replace("boxes", "resnet"), "no family is called 'resnet' — known: yunet, scrfd, retinaface"),
        (GOOD.replace("boxes", "scrdf"), "no family is called 'scrdf' — did you mean 'scrfd'?"),
        (GOOD.replace("family: boxes", "strides: [8]"), "the field 'decoder.family' is missing"),
        (GOOD.replace("boxes}", "scrfd, stride: 8}"), "there is no field 'decoder.stride' — did you mean 'strides'"),
        (GOOD.replace("boxes}", "scrfd, strides: [8, 0]}"), "decoder.strides.1: input should be greater than or equal"),
        (
            GOOD.replace("boxes}", "retinaface, strides: [8]}"),
            "decoder: sizes must have one list for each of 1 strides",
        ),
        (GOOD.replace("made.onnx", "absent.onnx"), "file: there is no file .*absent.onnx"),
        (GOOD.replace("made.onnx", '"a\\0b"'), "file: it names no file"),
        (GOOD.replace("made.onnx", "."), "file: there is no file"),
    ],
)
def test_every_complaint_names_file_and_field(text: str, said: str, tmp_path: Path) -> None:
    bright(tmp_path / "made.onnx")
    path = tmp_path / "plate.yml"
    path.write_text(text)
    pattern = said if said.startswith("(") or "|" in said or ".*" in said else re.escape(said)
    with pytest.raises(RequestError, match=pattern) as caught:
        plugins.make(plugins.DETECT, f"onnx:manifest={path}")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is Exit.WRONG_REQUEST


def test_an_absent_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"cannot read the manifest .*none.yml: No such file"):
        plugins.make(plugins.DETECT, f"onnx:manifest={tmp_path / 'none.yml'}")
    with pytest.raises(RequestError, match="detector 'onnx': 'manifest' is missing"):
        plugins.make(plugins.DETECT, "onnx")


def test_the_file_is_relative_to_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "networks").mkdir(parents=True)
    bright(tmp_path / "deep" / "networks" / "made.onnx")
    (tmp_path / "deep" / "plate.yml").write_text(GOOD.replace("made.onnx", "networks/made.onnx"))
    monkeypatch.chdir(tmp_path)
    assert manifest.read(Path("deep/plate.yml")).file == Path("deep/networks/made.onnx")
    (tmp_path / "whole.yml").write_text(GOOD.replace("made.onnx", str(tmp_path / "deep" / "networks" / "made.onnx")))
    assert manifest.read(tmp_path / "whole.yml").file == tmp_path / "deep" / "networks" / "made.onnx"


def test_settings_of_the_spec_stand_before_those_of_the_manifest(tmp_path: Path) -> None:
    bright(tmp_path / "made.onnx")
    (tmp_path / "plate.yml").write_text(GOOD + "labels: plate\nscore_threshold: 0.7\n")
    spec = f"onnx:manifest={tmp_path / 'plate.yml'}"
    made = cast("Detector", plugins.make(plugins.DETECT, spec))
    other = cast("Detector", plugins.make(plugins.DETECT, spec + ",size=128,score_threshold=0.2"))
    assert made.spec == spec
    assert made.gives_labels == ("plate",)
    order, changed = made.order, other.order  # type: ignore[attr-defined]
    assert (order.size, order.threshold) == (64, 0.7)
    assert (changed.size, changed.threshold) == (128, 0.2)
    scaled = plugins.make(plugins.DETECT, f"scales({spec.replace('onnx:', 'onnx(')}), sizes=[64;96])")
    assert plugins.make(plugins.DETECT, scaled.spec) == scaled


def test_the_manifests_of_the_docs_are_good() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    described = [manifest.Manifest.model_validate(yaml.safe_load(block)) for block in blocks]
    assert {word for one in described for word in one.words} >= {"plate"}
