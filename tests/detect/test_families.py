"""Families of networks: boxes that are written as a network would write them come back; other outputs are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.detect.families import Family, Unfit
from faceveil.detect.families.base import cells, shape
from faceveil.detect.families.boxes import Boxes
from faceveil.detect.families.centerface import CenterFace
from faceveil.detect.families.scrfd import Scrfd
from faceveil.detect.families.ssd import RetinaFace, UltraFace
from faceveil.detect.families.yolo import Yolo5, Yolo8
from faceveil.detect.families.yunet import YuNet

LOW, THRESHOLD = 0.1, 0.5


@dataclass(frozen=True)
class Scene:
    """Things in a network's input: boxes (n, 4), scores (n,) above the threshold, points (n, 5, 2), kinds (n,).

    level: for each, which stride sees it.
    """

    size: tuple[int, int]
    xyxy: Any
    score: Any
    points: Any
    kind: Any
    level: Any

    @property
    def centre(self) -> Any:
        return (self.xyxy[:, :2] + self.xyxy[:, 2:]) / 2

    @property
    def sides(self) -> Any:
        return self.xyxy[:, 2:] - self.xyxy[:, :2]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Up to six things on different cells of 64 px; sides of 24 to 60 px, which all three strides can tell."""
    width, height = draw(st.integers(2, 5)) * 64, draw(st.integers(2, 5)) * 64
    places = draw(
        st.lists(st.integers(0, width // 64 * (height // 64) - 1), min_size=0, max_size=6, unique=True), label="places"
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = len(places)
    corner = np.array([[place % (width // 64), place // (width // 64)] for place in places]).reshape(-1, 2) * 64
    centre = corner + random.uniform(20, 44, (count, 2))
    half = random.uniform(12, 30, (count, 2))
    xyxy = np.concatenate([centre - half, centre + half], 1)
    return Scene(
        (width, height),
        xyxy,
        random.uniform(0.6, 0.99, count),
        xyxy[:, None, :2] + random.uniform(0, 1, (count, 5, 2)) * half[:, None] * 2,
        random.integers(0, 3, count),
        random.integers(0, 3, count),
    )


def logit(values: Any) -> Any:
    return np.log(values / (1 - np.asarray(values)))


def read(family: Family, given: list[Any], scene: Scene) -> Any:
    """What the family reads, in the order of the scene's things."""
    found = family.read(family.sort([array.astype(np.float32) for array in given]), scene.size, THRESHOLD)
    assert len(found.score) == len(scene.score)
    if not len(found.score):
        return found
    nearest = np.abs(found.xyxy[None] - scene.xyxy[:, None]).sum(2).argmin(1)
    assert sorted(nearest) == list(range(len(nearest)))
    marks = None if found.landmarks is None else found.landmarks[nearest]
    kind = None if found.kind is None else found.kind[nearest]
    return type(found)(found.xyxy[nearest], found.score[nearest], marks, kind)


def same(found: Any, scene: Scene, *, points: bool) -> None:
    assert found.xyxy == pytest.approx(scene.xyxy, abs=0.05)
    assert found.score == pytest.approx(scene.score, abs=1e-4)
    if points:
        assert found.landmarks == pytest.approx(scene.points, abs=0.05)


def grids(scene: Scene, strides: tuple[int, ...], each: int, columns: int, rest: float = 0.0) -> list[Any]:
    """One array (cells * each, columns) for each stride, filled with `rest`."""
    return [np.full((int(np.prod(shape(scene.size, stride))) * each, columns), rest, float) for stride in strides]


def row(scene: Scene, i: int, stride: int) -> int:
    """Number of the cell that holds the centre of a thing."""
    x, y = (scene.centre[i] // stride).astype(int)
    return int(y * shape(scene.size, stride)[1] + x)


# --- what is written comes back -------------------------------------------------------------------------------------


@given(scenes())
def test_yunet(scene: Scene) -> None:
    strides = YuNet().strides
    cls, obj = grids(scene, strides, 1, 1, LOW), grids(scene, strides, 1, 1, LOW)
    shifts, marks = grids(scene, strides, 1, 4), grids(scene, strides, 1, 10)
    for i, level in enumerate(scene.level):
        stride = strides[level]
        at = row(scene, i, stride)
        cls[level][at], obj[level][at] = scene.score[i], scene.score[i]
        cell = cells(scene.size, stride)[at]
        shifts[level][at] = [*scene.centre[i] / stride - cell, *np.log(scene.sides[i] / stride)]
        marks[level][at] = (scene.points[i] / stride - cell).ravel()
    arrays = [array[None] for role in (cls, obj, shifts, marks) for array in role]
    same(read(YuNet(), arrays, scene), scene, points=True)


@given(scenes(), st.booleans(), st.booleans())
def test_scrfd(scene: Scene, points: bool, batch: bool) -> None:
    family = Scrfd()
    scores, boxes, marks = (grids(scene, family.strides, 2, columns) for columns in (1, 4, 10))
    for i, level in enumerate(scene.level):
        stride = family.strides[level]
        at = row(scene, i, stride) * 2 + i % 2
        anchor = cells(scene.size, stride, 2)[at] * stride
        scores[level][at] = scene.score[i]
        boxes[level][at] = np.concatenate([anchor - scene.xyxy[i, :2], scene.xyxy[i, 2:] - anchor]) / stride
        marks[level][at] = ((scene.points[i] - anchor) / stride).ravel()
    arrays = [*scores, *boxes, *(marks if points else [])]
    found = read(family, [array[None] if batch else array for array in arrays], scene)
    inside = np.array([_contains(scene, i, family.strides) for i in range(len(scene.score))], bool)
    assert found.xyxy[inside] == pytest.approx(scene.xyxy[inside], abs=0.05)
    assert found.score == pytest.approx(scene.score)
    assert (found.landmarks is not None) == points
    if points:
        assert found.landmarks == pytest.approx(scene.points, abs=0.05)


def _contains(scene: Scene, i: int, strides: tuple[int, ...]) -> bool:
    """Whether a box holds the anchor point of its cell: only then can distances describe it."""
    corner = scene.centre[i] // strides[scene.level[i]] * strides[scene.level[i]]
    return bool((corner >= scene.xyxy[i, :2]).all())


@given(scenes(), st.sampled_from([RetinaFace(), UltraFace(decoded=False)]), st.booleans())
def test_shifts_of_priors(scene: Scene, family: RetinaFace | UltraFace, logits: bool) -> None:
    family = family.model_copy(update={"scores": "logits" if logits else "probabilities"})
    priors = family.priors(scene.size)
    boxes, marks = np.zeros((len(priors), 4)), np.zeros((len(priors), 10))
    scores = np.tile([0.9, 0.1], (len(priors), 1))
    for i, centre in enumerate(scene.centre):
        at = np.abs(priors[:, :2] - centre).sum(1).argmin()
        (x, y), side = priors[at, :2], priors[at, 2:]
        first, second = family.variances
        boxes[at] = [*(centre - (x, y)) / side / first, *np.log(scene.sides[i] / side) / second]
        marks[at] = ((scene.points[i] - (x, y)) / side / first).ravel()
        scores[at] = [1 - scene.score[i], scene.score[i]]
    if logits:
        scores = np.log(scores) + 7
    arrays = [boxes[None], scores[None], *([marks[None]] if isinstance(family, RetinaFace) else [])]
    same(read(family, arrays, scene), scene, points=isinstance(family, RetinaFace))


@given(scenes(), st.integers(2, 3))
def test_corners_relative_to_the_input(scene: Scene, classes: int) -> None:
    family = UltraFace()
    count = len(family.priors(scene.size))
    boxes, scores = np.zeros((count, 4)), np.zeros((count, classes))
    scores[:, 0] = 1
    order = np.arange(len(scene.score)) * 7
    boxes[order] = scene.xyxy / np.tile(scene.size, 2)
    scores[order, 0], scores[order, classes - 1] = 1 - scene.score, scene.score
    same(read(family, [scores[None], boxes[None]], scene), scene, points=False)


def test_priors_are_those_of_the_two_references() -> None:
    retina = RetinaFace().priors((100, 60))  # 13 x 8, 7 x 4 and 4 x 2 cells, two priors each
    assert retina.shape == ((104 + 28 + 8) * 2, 4)
    assert retina[0].tolist() == [4, 4, 16, 16]
    assert retina[3].tolist() == [12, 4, 32, 32]
    assert retina[-1].tolist() == [112, 48, 512, 512]
    ultra = UltraFace().priors((320, 240))
    assert ultra.shape == (4420, 4)
    assert ultra[0].tolist() == [4, 4, 10, 10]
    assert ultra[-1].tolist() == [288, 210, 256, 240]  # four rows of 60 px and not of 64; cut to the input


@given(scenes(), st.booleans(), st.booleans())
def test_raw_maps_of_yolo5(scene: Scene, landmarks: bool, five: bool) -> None:
    family = Yolo5(landmarks=landmarks)
    columns = 5 + 10 * landmarks + 3
    maps = grids(scene, family.strides, 3, columns, logit(LOW))
    for i, level in enumerate(scene.level):
        stride = family.strides[level]
        anchors = np.array(family.anchors[level])
        which = int(np.abs(np.log(scene.sides[i] / anchors)).sum(1).argmin())
        at = row(scene, i, stride)
        cell, ratio = cells(scene.size, stride)[at], scene.sides[i] / anchors[which]
        ratio = ratio.clip(None, 3.9)  # what the logistic function can reach
        half = ratio * anchors[which] / 2
        scene.xyxy[i] = [*(scene.centre[i] - half), *(scene.centre[i] + half)]
        values = maps[level][at * 3 + which]
        values[:2] = logit((scene.centre[i] / stride - cell + 0.5) / 2)
        values[2:4] = logit(np.sqrt(ratio) / 2)
        values[4] = logit(np.sqrt(scene.score[i]))
        if landmarks:
            values[5:15] = ((scene.points[i] - cell * stride) / anchors[which]).ravel()
        values[-3:] = -20
        values[-3 + scene.kind[i]] = logit(np.sqrt(scene.score[i]))
    arrays = []
    for stride, array in zip(family.strides, maps, strict=True):
        planes = array.reshape(*shape(scene.size, stride), 3, columns).transpose(2, 0, 1, 3)[None]
        high, wide = shape(scene.size, stride)
        arrays.append(planes if five else planes.transpose(0, 1, 4, 2, 3).reshape(1, -1, high, wide))
    found = read(family, arrays, scene)
    same(found, scene, points=landmarks)
    assert found.kind.tolist() == scene.kind.tolist()


@given(scenes(), st.booleans())
def test_tables_of_yolo5(scene: Scene, landmarks: bool) -> None:
    family = Yolo5(landmarks=landmarks)
    table = np.concatenate(grids(scene, family.strides, 3, 5 + 10 * landmarks + 3))
    at = np.arange(len(scene.score)) * 5
    table[at, :4] = np.concatenate([scene.centre, scene.sides], 1)
    table[at, 4] = 0.999
    if landmarks:
        table[at, 5:15] = scene.points.reshape(-1, 10)
    table[at, -3 + scene.kind] = scene.score / 0.999
    found = read(family, [table[None]], scene)
    same(found, scene, points=landmarks)
    assert found.kind.tolist() == scene.kind.tolist()


@given(scenes(), st.sampled_from([0, 2, 3]))
def test_raw_maps_of_yolo8(scene: Scene, width: int) -> None:
    """Distances are distributions: here of two neighbouring values, whose mean they are."""
    family, classes = Yolo8(landmarks=bool(width)), 1 if width else 3
    maps = grids(scene, family.strides, 1, 64 + classes + 5 * width, -30)
    for i, level in enumerate(scene.level):
        stride = family.strides[level]
        at = row(scene, i, stride)
        cell = cells(scene.size, stride)[at]
        middle = (cell + 0.5) * stride
        distances = np.concatenate([middle - scene.xyxy[i, :2], scene.xyxy[i, 2:] - middle]).clip(0) / stride
        scene.xyxy[i] = np.concatenate([middle - distances[:2] * stride, middle + distances[2:] * stride])
        for side, distance in enumerate(distances):
            low = int(distance)
            maps[level][at, side * 16 + low] = np.log(max(1 - distance + low, 1e-9))
            maps[level][at, side * 16 + low + 1] = np.log(max(distance - low, 1e-9))
        maps[level][at, 64 + (scene.kind[i] if classes > 1 else 0)] = logit(scene.score[i])
        if width:
            points = maps[level][at, -5 * width :].reshape(5, width)
            points[:, :2] = (scene.points[i] / stride - cell) / 2
    arrays = [
        array.T.reshape(1, -1, *shape(scene.size, stride)) for stride, array in zip(family.strides, maps, strict=True)
    ]
    found = read(family, arrays, scene)
    same(found, scene, points=bool(width))
    assert found.kind.tolist() == (scene.kind.tolist() if classes > 1 else [0] * len(scene.kind))


@given(scenes(), st.sampled_from([0, 2, 3]), st.booleans())
def test_tables_of_yolo8(scene: Scene, width: int, rows_first: bool) -> None:
    family, classes = Yolo8(landmarks=bool(width)), 1 if width else 3
    table = np.concatenate(grids(scene, family.strides, 1, 4 + classes + 5 * width))
    at = np.arange(len(scene.score)) * 3
    table[at, :4] = np.concatenate([scene.centre, scene.sides], 1)
    table[at, 4 + (scene.kind if classes > 1 else 0)] = scene.score
    if width:
        points = np.full((len(at), 5, width), 0.7)
        points[..., :2] = scene.points
        table[at, 5:] = points.reshape(len(at), 5 * width)
    same(read(family, [table[None] if rows_first else table.T[None]], scene), scene, points=bool(width))


@given(scenes())
def test_centerface(scene: Scene) -> None:
    high, wide = shape(scene.size, 4)
    maps = [np.zeros((1, channels, high, wide)) for channels in (1, 2, 2, 10)]
    for i, centre in enumerate(scene.centre):
        x, y = (centre // 4).astype(int)
        maps[0][0, 0, y, x] = scene.score[i]
        maps[1][0, :, y, x] = np.log(scene.sides[i][::-1] / 4)
        maps[2][0, :, y, x] = (centre / 4 - (x, y) - 0.5)[::-1]
        maps[3][0, :, y, x] = ((scene.points[i] - scene.xyxy[i, :2]) / scene.sides[i])[:, ::-1].ravel()
    same(read(CenterFace(), maps, scene), scene, points=True)


@given(scenes(), st.sampled_from(["xyxy", "yxyx", "xywh", "cxcywh"]), st.booleans())
def test_boxes_in_every_form(scene: Scene, form: Any, relative: bool) -> None:
    x1, y1, x2, y2 = (scene.xyxy / np.tile(scene.size, 2) if relative else scene.xyxy).T
    four = {
        "xyxy": [x1, y1, x2, y2],
        "yxyx": [y1, x1, y2, x2],
        "xywh": [x1, y1, x2 - x1, y2 - y1],
        "cxcywh": [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
    }[form]
    family = Boxes(form=form, relative=relative)
    same(read(family, [scene.score[None], np.stack(four, 1)[None]], scene), scene, points=False)


@given(scenes(), st.sampled_from(["probabilities", "sigmoid", "softmax"]), st.sampled_from([None, 0]))
def test_scores_of_every_class(scene: Scene, scores: Any, background: int | None) -> None:
    each = np.full((len(scene.score), 5), 1e-6)
    kind = scene.kind + 1
    each[np.arange(len(kind)), kind] = scene.score
    each[:, 0] = 1 - scene.score
    written = {"probabilities": each, "sigmoid": logit(each), "softmax": np.log(each)}[scores]
    if len(kind):  # an empty array does not tell how many classes there are
        found = read(Boxes(scores=scores, background=background), [scene.xyxy, written], scene)
        assert found.kind.tolist() == kind.tolist()
        assert found.score == pytest.approx(scene.score, abs=1e-3)


@given(scenes())
def test_one_table_with_named_columns(scene: Scene) -> None:
    noise = np.zeros(len(scene.score))
    table = np.column_stack([noise, scene.xyxy, scene.kind, scene.score])
    padding = np.full((3, 7), -1.0)
    family = Boxes(columns=("skip", "x1", "y1", "x2", "y2", "label", "score"))
    found = read(family, [np.concatenate([table, padding])[None, None]], scene)
    same(found, scene, points=False)
    assert found.kind.tolist() == scene.kind.tolist()


@given(scenes())
def test_three_named_outputs_and_a_background(scene: Scene) -> None:
    outputs = {"boxes": [scene.xyxy], "scores": [scene.score], "labels": [scene.kind.astype(np.int64)]}
    found = Boxes(background=0).read(outputs, scene.size, THRESHOLD)
    stays = scene.kind != 0
    assert found.xyxy == pytest.approx(scene.xyxy[stays], abs=0.01)
    assert found.kind is not None
    assert found.kind.tolist() == scene.kind[stays].tolist()


# --- what is refused ------------------------------------------------------------------------------------------------

SIZE = (64, 64)  # 64, 16 and 4 cells


def zeros(*shapes: tuple[int, ...]) -> list[Any]:
    return [np.zeros(shape, np.float32) for shape in shapes]


@pytest.mark.parametrize(
    ("family", "given", "said"),
    [
        (
            YuNet(),
            zeros((1, 64, 1)),
            "should give 3 x 'cls', each with 1 as its last length, and gives 1 output (1 x 64 x 1)",
        ),
        (Scrfd(), zeros(*[(1, 9, 1)] * 3, *[(1, 9, 4)] * 3), "should give 'scores' as 128 x 1 numbers for this input"),
        (Scrfd(), zeros(*[(9, 1)] * 3, *[(9, 4)] * 3, (9, 7)), "gives more than its family has: 1 output (9 x 7)"),
        (RetinaFace(), zeros((1, 168, 2)), "should give 1 x 'boxes', each with 4"),
        (RetinaFace(), zeros((1, 168, 2), (1, 167, 4)), "should give 'boxes' as 168 x 4 numbers for this input"),
        (UltraFace(), zeros((1, 5, 4), (1, 5, 2)), "should give 'scores' as 235 x 2 numbers"),
        (Yolo5(), zeros((1, 251, 6)), "should give a table of 252 candidates with 6 columns or more"),
        (Yolo5(), zeros((1, 3, 8, 8, 5), (1, 3, 4, 4, 5), (1, 3, 2, 2, 5)), "should give a map of 3 x 6 channels or"),
        (Yolo5(), zeros((2, 2), (2, 2)), "should give one table or 3 maps and gives 2 outputs (2 x 2, 2 x 2): name"),
        (Yolo8(), zeros((1, 80, 8, 8), (1, 80, 4, 4), (1, 80, 2, 3)), "should give a map of 1 x 65 channels or more"),
        (Yolo8(landmarks=True), zeros((1, 84, 18)), "one class and five landmarks of 2 or 3 numbers and gives 14"),
        (
            CenterFace(),
            zeros((1, 1, 16, 16)),
            "should give 4 outputs (heatmap, size, offset, landmarks) and gives 1 output (1 x 1 x 16 x 16)",
        ),
        (CenterFace(), zeros(*[(1, 1, 16, 16)] * 4), "should give 'size' as (1, 2, 16, 16) for this input"),
        (Boxes(), zeros((1, 9, 4)), "gives 1 output (1 x 9 x 4): name its 'boxes', 'scores' and 'labels' under"),
        (Boxes(), zeros((1, 9, 4), (1, 9, 4)), "gives 2 outputs (1 x 9 x 4, 1 x 9 x 4): name"),
        (Boxes(), zeros((1, 9, 4), (1, 8)), "should give 'scores' as 9 x 1 numbers"),
        (Boxes(columns=("x1", "y1", "x2", "y2", "score")), zeros((1, 9, 6)), "the 5 columns that are named and gives"),
        (Boxes(columns=("x1", "y1", "x2", "y2", "score")), zeros((9, 5), (9, 5)), "should give one table and gives 2"),
        (Boxes(background=7), zeros((9, 4), (9, 3)), "should have a class 7 for the background and gives 3 classes"),
    ],
)
def test_other_outputs_are_refused_in_one_sentence(family: Family, given: list[Any], said: str) -> None:
    with pytest.raises(Unfit, match=re.escape(said)):
        family.read(family.sort(given), SIZE, THRESHOLD)


def test_labels_are_whole_numbers() -> None:
    outputs = {"boxes": zeros((2, 4)), "scores": zeros((2, 1)), "labels": [np.array([0.5, 1])]}
    with pytest.raises(Unfit, match="whole numbers as labels"):
        Boxes().read(outputs, SIZE, THRESHOLD)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (RetinaFace, {"strides": (8, 16)}, "sizes must have one list for each of 2 strides, got 3"),
        (Yolo5, {"anchors": (((1, 1),), ((1, 1), (2, 2)), ((1, 1),))}, "anchors must have one list, all as long"),
        (Boxes, {"columns": ("x1", "y1", "x2", "score")}, "columns must name x1, y1, x2, y2 and score once each"),
        (Boxes, {"columns": ("x1", "x1", "y1", "x2", "y2", "score")}, "columns must name"),
    ],
)
def test_settings_that_contradict_each_other(kind: type[Family], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**settings)


def test_what_is_not_a_number_is_kept_to_be_complained_about() -> None:
    maps = [np.full((1, channels, 16, 16), np.nan, np.float32) for channels in (1, 2, 2, 10)]
    assert len(CenterFace().read(CenterFace().sort(maps), SIZE, THRESHOLD).score) == 256
