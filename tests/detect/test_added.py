"""Detectors of networks that a user adds: each finds what its reference finds, and an absent one is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from made_networks import constant
from PIL import Image
from weights import expect

from faceveil import plugins
from faceveil.apps.cli import main
from faceveil.detect import boxes, build
from faceveil.detect.base import Detector
from faceveil.detect.network import StoredDetector
from faceveil.detect.runtime import Runtime, session
from faceveil.errors import Exit, MissingExtra, RequestError
from faceveil.models import store
from faceveil.types import Frame, Regions

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from scoring import Tally, Truth, truths

ONE_THREAD = Runtime(threads=1)
STORED = [
    name
    for name in plugins.names(plugins.DETECT)
    if issubclass(cast("type[Detector]", plugins.load(plugins.DETECT, name)), StoredDetector)
]


def detector(spec: str) -> Any:
    return cast("Detector", plugins.make(plugins.DETECT, spec)).on(ONE_THREAD)


def picture(path: Path, longest: int) -> Any:
    """RGB (H, W, 3) of a picture, its longest side `longest`."""
    with Image.open(path) as opened:
        scale = longest / max(opened.size)
        size = round(opened.width * scale), round(opened.height * scale)
        return np.asarray(opened.convert("RGB").resize(size, Image.Resampling.BILINEAR))


def raw(spec: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Regions]:
    """A detector without what is ours: boxes as the network draws them, none averaged."""
    made = detector(spec)
    plain = {"voting": None, "box": type(made.order.recipe.box)()}
    recipes = {model: recipe.model_copy(update=plain) for model, recipe in type(made).recipes.items()}
    monkeypatch.setattr(type(made), "recipes", recipes)
    return lambda pixels: made(Frame(pixels))


def suppressed(xyxy: Any, score: Any, marks: Any) -> Regions:
    """One region for each face."""
    xyxy, score = np.array(xyxy, np.float32).reshape(-1, 4), np.array(score, np.float32)
    kept = boxes.best(xyxy, score, 0.4)
    return Regions(
        xyxy[kept], score[kept], None if marks is None else np.array(marks, np.float32).reshape(-1, 5, 2)[kept]
    )


def alike(found: Regions, wanted: Regions, pixels: float) -> None:
    assert found.score == pytest.approx(wanted.score, abs=1e-3)
    assert found.xyxy == pytest.approx(wanted.xyxy, abs=pixels)
    assert (found.landmarks is None) == (wanted.landmarks is None)
    if found.landmarks is not None:
        assert found.landmarks == pytest.approx(wanted.landmarks, abs=pixels)


def sample(shared: Path, every: int) -> list[Truth]:
    return truths(shared / "detection")[::every]


# --- against the references -----------------------------------------------------------------------------------------


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("model", "file"), [("yunet", "face_detection_yunet_2023mar.onnx"), ("yunet-n", "yunet_n_640_640.onnx")]
)
def test_yunet_is_opencvs(
    model: str, file: str, shared: Path, added_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the same size of input: the same boxes, and recall within .01."""
    expect(model)
    theirs = cv2.FaceDetectorYN.create(str(shared / "weights" / "yunet" / file), "", (640, 640), 0.5, 0.4, 5000)
    ours = detector(f"yunet:model={model},size=640,score_threshold=0.5,enlarge=1")
    plain = raw(f"yunet:model={model},size=640,score_threshold=0.5,enlarge=1", monkeypatch)
    tallies = {"ours": Tally(), "theirs": Tally()}
    agreed = total = 0
    for truth in sample(shared, 12):
        pixels = picture(truth.path, 640)
        height, width = pixels.shape[:2]
        theirs.setInputSize((width, height))
        seen: Any = theirs.detect(np.ascontiguousarray(pixels[..., ::-1]))[1]
        seen = np.zeros((0, 15), np.float32) if seen is None else seen
        wanted = Regions(
            np.concatenate([seen[:, :2], seen[:, :2] + seen[:, 2:4]], 1),
            seen[:, 14].clip(0, 1),
            seen[:, 4:14].reshape(-1, 5, 2),
        )
        found = plain(pixels)
        near = np.abs(found.xyxy[:, None] - wanted.xyxy[None]).max(2) < 1
        agreed += int(near.any(1).sum() + near.any(0).sum())
        total += len(found) + len(wanted)
        for i, j in zip(*np.nonzero(near), strict=True):
            assert found.score[i] == pytest.approx(wanted.score[j], abs=0.01)
            assert found.landmarks is not None
            assert found.landmarks[i] == pytest.approx(wanted.landmarks[j], abs=1)  # type: ignore[index]
        with Image.open(truth.path) as opened:
            scale = np.tile(np.array([width, height]) / opened.size, 2)
        scaled = Truth(truth.path, (truth.xyxy * scale).astype(np.float32), truth.ignored, truth.complete)
        tallies["theirs"].add(scaled, wanted)
        tallies["ours"].add(scaled, ours(Frame(pixels)))
    assert total > 200
    assert agreed / total > 0.99  # they suppress boxes of whole pixels
    figures = {name: tally.figures() for name, tally in tallies.items()}
    print(figures)
    for height in (12, 20, 40):
        assert figures["ours"][f"recall_{height}"] >= figures["theirs"][f"recall_{height}"] - 0.01


def filled(path: Path, width: int, height: int) -> Any:
    """A picture in the upper left of an input of that size, RGB (H, W, 3): the network sees what the frame shows."""
    pixels = picture(path, min(width, height))
    whole = np.zeros((height, width, 3), np.uint8)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole


def run(model: str, planes: Any) -> list[Any]:
    """What the network gives for an input, in its own order."""
    network = session(model, ONE_THREAD)
    given = network.run([port.name for port in network.get_outputs()], {network.get_inputs()[0].name: planes[None]})
    return [array[0] for array in given]


@pytest.mark.shared_data
@pytest.mark.parametrize("model", ["scrfd-500m", "scrfd-2.5g"])
def test_scrfd_is_the_papers(model: str, shared: Path, added_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded cell by cell: distances from the corner of each cell, in strides; two candidates in a cell."""
    expect(model)
    ours, seen = raw(f"scrfd:model={model},size=640,score_threshold=0.3", monkeypatch), 0
    for truth in sample(shared, 60):
        pixels = filled(truth.path, 640, 640)
        maps = run(model, ((pixels.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1))
        four, score, marks = [], [], []
        for level, stride in enumerate((8, 16, 32)):
            side = 640 // stride
            for at in np.flatnonzero(maps[level][:, 0] > 0.3):
                x, y = at // 2 % side * stride, at // 2 // side * stride
                left, top, right, bottom = maps[3 + level][at] * stride
                four.append([x - left, y - top, x + right, y + bottom])
                score.append(maps[level][at, 0])
                marks.append(maps[6 + level][at].reshape(5, 2) * stride + (x, y))
        alike(ours(pixels), suppressed(four, score, marks), 0.01)
        seen += len(four)
    assert seen > 50


@pytest.mark.shared_data
def test_retinaface_is_the_papers(shared: Path, added_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded prior by prior, relative to the input as the reference does it."""
    expect("retinaface-mobilenet")
    ours, seen = raw("retinaface:size=640,score_threshold=0.3", monkeypatch), 0
    priors = [
        (x + 0.5, y + 0.5, stride, side)
        for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
        for y in range(640 // stride)
        for x in range(640 // stride)
        for side in sides
    ]
    for truth in sample(shared, 60):
        pixels = filled(truth.path, 640, 640)
        planes = pixels[..., ::-1].astype(np.float32) - (104, 117, 123)
        by_width = {
            array.shape[1]: array for array in run("retinaface-mobilenet", planes.transpose(2, 0, 1).astype(np.float32))
        }
        four, score, marks = [], [], []
        for at in np.flatnonzero(by_width[2][:, 1] > 0.3):
            x, y, stride, side = priors[at]
            dx, dy, dw, dh = by_width[4][at]
            centre = np.array([x * stride + dx * 0.1 * side, y * stride + dy * 0.1 * side])
            half = side * np.exp(np.array([dw, dh]) * 0.2) / 2
            four.append([*(centre - half), *(centre + half)])
            score.append(by_width[2][at, 1])
            marks.append(np.array([x, y]) * stride + by_width[10][at].reshape(5, 2) * 0.1 * side)
        alike(ours(pixels), suppressed(four, score, marks), 0.02)
        seen += len(four)
    assert seen > 50


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "model", ["ultraface-rfb-320", "ultraface-slim-320", "ultraface-rfb-640", "ultraface-masked-640"]
)
def test_ultraface_is_its_references(
    model: str, shared: Path, added_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network decodes; corners are relative to the input."""
    expect(model)
    width, height = (640, 480) if "640" in model else (320, 240)
    ours, seen = raw(f"ultraface:model={model},score_threshold=0.5", monkeypatch), 0
    for truth in sample(shared, 30):
        pixels = filled(truth.path, width, height)
        scores, corners = run(model, ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1))
        face = 1 - scores[:, 0]
        sure = face > 0.5
        wanted = suppressed(corners[sure] * (width, height, width, height), face[sure], None)
        alike(ours(pixels), wanted, 0.01)
        seen += len(wanted)
    assert seen > 10


@pytest.mark.shared_data
@pytest.mark.parametrize("name", [name for name in STORED if name != "yolo-face"])
def test_a_frames_size_does_not_move_its_boxes(name: str, shared: Path, added_models: Path, portrait: Path) -> None:
    """The same picture at half the size, and with a border: the same boxes, in its own pixels."""
    expect(cast("type[Detector]", plugins.load(plugins.DETECT, name)).model_fields["model"].default)
    made = detector(name)
    whole = made(Frame(np.asarray(Image.open(portrait))))
    half = made(Frame(np.asarray(Image.open(portrait).resize((256, 256), Image.Resampling.BOX))))
    side = float(whole.xyxy[0, 2] - whole.xyxy[0, 0])
    assert half.xyxy[0] * 2 == pytest.approx(whole.xyxy[0], abs=0.1 * side)
    framed = np.zeros((640, 700, 3), np.uint8)
    framed[100:612, 37:549] = np.asarray(Image.open(portrait))
    moved = made(Frame(framed)).xyxy[0] - (37, 100, 37, 100)
    assert moved == pytest.approx(whole.xyxy[0], abs=0.1 * side)


# --- exports of YOLO ------------------------------------------------------------------------------------------------


def test_yolo_face_reads_both_kinds_of_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that say what YOLOv8-face and YOLOv5-face would say of one face, in an input of 64 x 64."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    points = [20, 24, 44, 24, 32, 32, 22, 44, 42, 44]
    table = np.zeros((1, 20, 84), np.float32)
    table[0, :, 3] = [32, 34, 40, 50, 0.8, *np.insert(np.array(points, float), [2, 4, 6, 8, 10], 0.9)]
    (tmp_path / "yolo8-face").mkdir()
    constant(tmp_path / "yolo8-face" / "model.onnx", output0=table)
    maps: dict[str, Any] = {
        f"stride_{64 // side}": np.full((1, 3, side, side, 16), -9, np.float32) for side in (8, 4, 2)
    }
    raw_ = maps["stride_16"][0, 1, 2, 2]  # the cell from 32, 32; its anchor is 43 x 55
    sides = np.sqrt(np.array([40, 50]) / (43, 55)) / 2
    raw_[:4] = np.log([0.25 / 0.75, 0.3125 / 0.6875, *(sides / (1 - sides))])
    raw_[4] = raw_[15] = 5
    raw_[5:15] = ((np.array(points).reshape(5, 2) - 32) / (43, 55)).ravel()
    (tmp_path / "yolo5-face").mkdir()
    constant(tmp_path / "yolo5-face" / "model.onnx", **maps)
    for spec, score in (("yolo-face", 0.8), ("yolo-face:model=yolo5-face", (1 / (1 + np.exp(-5))) ** 2)):
        found = detector(spec)(Frame(np.zeros((128, 128, 3), np.uint8)))
        assert found.xyxy == pytest.approx(np.array([[24, 18, 104, 118]]), abs=0.01)
        assert found.score == pytest.approx([score])
        assert found.landmarks is not None
        assert found.landmarks[0].ravel() == pytest.approx(np.array(points) * 2, abs=0.01)
    with pytest.raises(RequestError, match="takes pictures of 64 x 64 alone, so no 'size' can be set"):
        detector("yolo-face:size=640")(Frame(np.zeros((128, 128, 3), np.uint8)))


# --- what is absent, and what is damaged ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", STORED)
def test_an_absent_model_is_told_with_its_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "empty"))
    model = cast("type[Detector]", plugins.load(plugins.DETECT, name)).model_fields["model"].default
    with pytest.raises(MissingExtra, match=f"faceveil models add {model}"):
        build("balanced", name, ONE_THREAD)
    with pytest.raises(MissingExtra, match=f"faceveil models add {model}"):
        build("balanced", f"union(centerface, flip({name}))", ONE_THREAD)
    output = tmp_path / "out.jpg"
    with pytest.raises(SystemExit) as ended:
        main([str(portrait), "-d", name, "-o", str(output)])
    said = capsys.readouterr().err
    assert ended.value.code == Exit.MISSING_PART
    assert said.count("\n") == 1
    assert f"the model '{model}' is not installed — faceveil models add {model}" in said
    assert not output.exists()


def test_a_damaged_model_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    (tmp_path / "yunet").mkdir()
    (tmp_path / "yunet" / "model.onnx").write_bytes(b"<html>404</html>")
    with pytest.raises(MissingExtra, match="the model 'yunet' cannot be loaded: the file .* — faceveil models verify"):
        detector("yunet")(Frame(np.zeros((8, 8, 3), np.uint8)))
    constant(tmp_path / "yunet" / "model.onnx", boxes=np.zeros((1, 3, 4), np.float32))
    with pytest.raises(RequestError, match="the network yunet is not of the family 'yunet': it should give 3 x 'cls'"):
        detector("yunet")(Frame(np.zeros((8, 8, 3), np.uint8)))
