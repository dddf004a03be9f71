"""Networks in files: how a picture lies in their input, and what comes back in the picture's own pixels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import Side, bright, constant, save, value
from onnx import TensorProto, helper

from faceveil import plugins
from faceveil.detect import network, runtime
from faceveil.detect.base import Detector
from faceveil.detect.convention import Factors
from faceveil.detect.onnx import Onnx
from faceveil.detect.recipe import Input
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.types import Frame

ONE_THREAD = Runtime(threads=1)


def detector(folder: Path, *, on: Runtime = ONE_THREAD, **said: Any) -> Detector:
    """The detector `onnx` with a manifest that says this."""
    fields = {"file": "made.onnx", "licence": "CC0-1.0", "decoder": {"family": "boxes"}, "labels": ["plate"], **said}
    path = folder / "made.yml"
    path.write_text(yaml.safe_dump(fields))
    return cast("Detector", plugins.make(plugins.DETECT, f"onnx:manifest={path}")).on(on)


def picture(size: tuple[int, int], box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> Frame:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    x1, y1, x2, y2 = box
    pixels[y1:y2, x1:x2] = colour
    return Frame(pixels)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """A size from 20 to 500 px, and a box in it of a quarter of either side and more."""
    width, height = draw(st.integers(20, 500)), draw(st.integers(20, 500))
    wide, high = draw(st.integers(width // 4, width)), draw(st.integers(height // 4, height))
    x, y = draw(st.integers(0, width - wide)), draw(st.integers(0, height - high))
    return (width, height), (x, y, x + wide, y + high)


SHAPES: list[tuple[tuple[Side, Side], dict[str, Any]]] = [
    (("width", "height"), {"size": 128, "input": {"std": 255, "step": 32}}),
    (("width", "height"), {"size": 300, "enlarge": 4.0, "input": {"std": 255, "step": 7}}),
    (("width", "height"), {"size": 200, "input": {"std": 255, "fit": "stretch"}}),
    ((160, 96), {"input": {"std": 255}}),
    ((96, 160), {"input": {"std": 255, "fit": "stretch"}}),
    ((128, 64), {"size": 100, "input": {"std": 255, "free": True}}),
]


@pytest.mark.parametrize(("size", "said"), SHAPES)
def test_boxes_come_back_in_the_pictures_own_pixels(
    size: tuple[Side, Side], said: dict[str, Any], tmp_path: Path
) -> None:
    bright(tmp_path / "made.onnx", size=size)
    made = detector(tmp_path, **said)

    @settings(max_examples=40)
    @given(pictures())
    def check(case: tuple[tuple[int, int], tuple[int, int, int, int]]) -> None:
        sides, box = case
        found = made(picture(sides, box, (255, 255, 255)))
        # A border may be blurred over two pixels of the input: one of them is above half.
        reach = [float(side) if isinstance(side, int) and "size" not in said else said["size"] for side in size]
        least = min(reach[0] / sides[0], reach[1] / sides[1]) if "size" not in said else said["size"] / max(sides)
        assert found.xyxy[0] == pytest.approx(box, abs=1 + 1.5 / min(least, 1))
        assert found.labels.tolist() == ["plate"]
        assert found.score[0] == pytest.approx(1, abs=0.01)

    check()


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
@pytest.mark.parametrize(("colours", "channels"), [("rgb", (1, 0, 0)), ("bgr", (0, 0, 1))])
def test_channels_types_and_layouts(
    layout: str, kind: int, colours: str, channels: tuple[float, float, float], tmp_path: Path
) -> None:
    bright(tmp_path / "made.onnx", channels=channels, layout=layout, kind=kind)
    wanted = {"colours": colours, "layout": layout, "std": 1 if kind == TensorProto.UINT8 else 255}
    made = detector(tmp_path, size=96, enlarge=1.0, input=wanted)
    found = made(picture((96, 64), (10, 20, 50, 40), (204, 0, 0)))
    assert found.xyxy.tolist() == [[10, 20, 50, 40]]
    assert found.score == pytest.approx([0.8], abs=1e-3)
    assert len(made(picture((96, 64), (10, 20, 50, 40), (0, 255, 255)))) == 0


def test_samples_are_shifted_and_scaled_channel_by_channel() -> None:
    wanted = Input(colours="bgr", mean=(104, 117, 123), std=(2, 4, 8), fill=9)
    frame = Frame(np.full((2, 3, 3), (10, 20, 30), np.uint8))
    view = network.View((3, 2), 4, 3, np.ones(2, np.float32))
    planes = network._planes(frame, view, wanted, np.float32)
    assert planes.shape == (1, 3, 3, 4)
    assert planes[0, :, 0, 0].tolist() == [(30 - 104) / 2, (20 - 117) / 4, (10 - 123) / 8]
    assert planes[0, :, 2, 3].tolist() == [(9 - 104) / 2, (9 - 117) / 4, (9 - 123) / 8]


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(32, 2000), st.floats(1, 8), st.integers(1, 64))
def test_a_picture_fits_into_its_input(width: int, height: int, size: int, enlarge: float, step: int) -> None:
    frame = Frame(np.broadcast_to(np.uint8(0), (height, width, 3)))
    order = network.Order("", cast("Any", None), 0.5, enlarge, size)
    view = network._view(frame, Input(step=step), None, order)
    assert view.width % step == view.height % step == 0
    assert 0 <= view.width - view.inner[0] < step
    assert 0 <= view.height - view.inner[1] < step
    assert max(view.inner) <= size
    assert view.scale.max() <= enlarge * 1.5
    assert max(view.inner) >= min(size, int(max(width, height) * enlarge)) - 1


def test_the_boxes_of_faces_are_converted_and_others_are_not(tmp_path: Path) -> None:
    boxes = np.array([[[10, 10, 30, 30], [40, 40, 60, 60]]], np.float32)
    constant(tmp_path / "made.onnx", boxes=boxes, scores=np.array([[[0.9, 0], [0, 0.8]]], np.float32))
    made = detector(tmp_path, labels=["face", "plate"], box={"width": 1.5, "height": 2, "right": 0.1, "down": -0.5})
    found = made(Frame(np.zeros((64, 64, 3), np.uint8)))
    assert found.xyxy == pytest.approx(np.array([[7, -10, 37, 30], [40, 40, 60, 60]]))
    assert found.labels.tolist() == ["face", "plate"]
    assert made.gives_labels == ("face", "plate")


def test_one_thing_is_one_region_and_things_of_other_kinds_stay(tmp_path: Path) -> None:
    boxes = np.array([[[10, 10, 30, 30], [11, 10, 31, 30], [10, 10, 30, 30]]], np.float32)
    scores = np.array([[[0.9, 0, 0], [0.6, 0, 0], [0, 0, 0.95]]], np.float32)
    constant(tmp_path / "made.onnx", boxes=boxes, scores=scores)
    frame = Frame(np.zeros((64, 64, 3), np.uint8))
    found = detector(tmp_path, labels=["plate", None, "screen"])(frame)
    assert found.labels.tolist() == ["screen", "plate"]
    assert found.score == pytest.approx([0.95, 0.9])
    assert detector(tmp_path, labels={0: "plate"}, voting=0.5)(frame).xyxy == pytest.approx(
        np.array([[10.4, 10, 30.4, 30]])
    )
    assert detector(tmp_path, labels={2: "screen"})(frame).labels.tolist() == ["screen"]
    assert len(detector(tmp_path, labels={0: "plate"}, nms=None)(frame)) == 2
    assert detector(tmp_path, labels=["plate", None, "plate"])(frame).score == pytest.approx([0.95])


def test_labels_of_their_own_output(tmp_path: Path) -> None:
    bright(tmp_path / "made.onnx", labels=True)
    outputs = {"boxes": "boxes", "scores": "scores", "labels": "labels"}
    frame = picture((64, 64), (8, 8, 40, 40), (255, 255, 255))
    said: dict[str, Any] = {"outputs": outputs, "size": 64, "input": {"std": 255}}
    assert detector(tmp_path, labels={7: "screen"}, **said)(frame).labels.tolist() == ["screen"]
    assert len(detector(tmp_path, labels={6: "screen"}, **said)(frame)) == 0
    with pytest.raises(RequestError, match=r"gives a class 7, and 'labels' are 0 to 1"):
        detector(tmp_path, labels=["plate", "face"], **said)(frame)


def test_landmarks_in_our_order(tmp_path: Path) -> None:
    """A network that names the right eye first, as seen from behind the face."""
    points = np.arange(10, dtype=np.float32)
    table = np.zeros((1, 20, 84), np.float32)
    table[0, :, 0] = [32, 32, 20, 20, 0.9, *np.insert(points, [2, 4, 6, 8, 10], 0.5)]
    constant(tmp_path / "made.onnx", table=table)
    said: dict[str, Any] = {"decoder": {"family": "yolo8", "landmarks": True}, "labels": ["face"]}
    made = detector(tmp_path, landmarks=[1, 0, 2, 4, 3], **said)
    found = made(Frame(np.zeros((64, 64, 3), np.uint8)))
    assert made.gives_landmarks
    assert found.landmarks is not None
    assert found.landmarks[0].tolist() == [[2, 3], [0, 1], [4, 5], [8, 9], [6, 7]]
    assert not detector(tmp_path, **said).gives_landmarks


def test_factors_of_one_change_nothing() -> None:
    boxes = np.array([[1, 2, 4, 8]], np.float32)
    assert Factors().converted(boxes).tolist() == boxes.tolist()


@pytest.mark.skipif("openvino" not in runtime.providers(), reason="needs the extra 'openvino'")
@pytest.mark.parametrize(("size", "said"), SHAPES)
def test_openvino_finds_what_the_default_finds(size: tuple[Side, Side], said: dict[str, Any], tmp_path: Path) -> None:
    bright(tmp_path / "made.onnx", size=size)
    frame = picture((200, 150), (20, 30, 90, 100), (255, 255, 255))
    ours, theirs = (detector(tmp_path, on=Runtime(provider, 1), **said)(frame) for provider in ("cpu", "openvino"))
    assert theirs.xyxy == pytest.approx(ours.xyxy)
    assert len(theirs) == 1


def test_a_file_that_is_replaced_is_loaded_anew(tmp_path: Path) -> None:
    frame = picture((64, 64), (8, 8, 40, 40), (255, 0, 0))
    bright(tmp_path / "made.onnx", channels=(1, 0, 0))
    said: dict[str, Any] = {"size": 64, "input": {"std": 255}}
    made = detector(tmp_path, **said)
    assert len(made(frame)) == 1
    bright(tmp_path / "made.onnx", channels=(0, 1, 0.000001))
    assert len(made(frame)) == 0


# --- networks that do not fit ---------------------------------------------------------------------------------------

GOOD = {"boxes": np.array([[[1, 1, 9, 9]]], np.float32), "scores": np.array([[0.9]], np.float32)}


def two_inputs(path: Path) -> Path:
    add = helper.make_node("Add", ["one", "two"], ["sum"])
    return save(
        path, [add], [value("one", [1, 3, 64, 64]), value("two", [1, 3, 64, 64])], [value("sum", [1, 3, 64, 64])]
    )


def one_sized(path: Path) -> Path:
    """A network whose graph holds a constant of the size that its file declares."""
    reshape = helper.make_node("Reshape", ["picture", "shape"], ["boxes"])
    shape = {"shape": np.array([1, 3 * 32 * 32 // 4, 4], np.int64)}
    return save(path, [reshape], [value("picture", [1, 3, 32, 32])], [value("boxes", [1, 768, 4])], shape)


def scaled(path: Path, **changes: Any) -> Path:
    return constant(path, **{**GOOD, **changes})


@pytest.mark.parametrize(
    ("make", "said", "complaint"),
    [
        (two_inputs, {}, "it should take one input and takes 2"),
        (
            lambda path: constant(path, picture=[1, 1, 64, 64], **GOOD),
            {},
            "it should take one picture of three channels",
        ),
        (
            lambda path: constant(path, picture=[4, 3, 64, 64], **GOOD),
            {},
            "it should take one picture of three channels",
        ),
        (lambda path: constant(path, picture=[3, 64, 64], **GOOD), {}, "inputs of four axes (nchw) and takes 3"),
        (lambda path: constant(path, picture=[1, 3, 64, "width"], **GOOD), {}, "it should take one size or any"),
        (
            lambda path: constant(path, picture=[1, 64, 64, 3], **GOOD),
            {},
            "three channels (nchw) and takes [1, 64, 64, 3]",
        ),
        (lambda path: bright(path, kind=TensorProto.DOUBLE), {}, "and takes tensor(double)"),
        (lambda path: bright(path, kind=TensorProto.UINT8), {"size": 64, "input": {"std": 255}}, "takes bytes"),
        (bright, {}, "takes pictures of any size, so a 'size' is needed"),
        (lambda path: bright(path, size=(64, 64)), {"size": 64}, "takes pictures of 64 x 64 alone, so no 'size' can"),
        (scaled, {"decoder": {"family": "scrfd"}}, "should give 3 x 'scores', each with 1"),
        (
            scaled,
            {"outputs": {"boxes": "boxes", "scores": "conf"}},
            "has no output 'conf'; its outputs are boxes, scores",
        ),
        (scaled, {"outputs": {"scores": "scores"}}, "needs 'boxes' and 'scores' under 'outputs'"),
        (lambda path: scaled(path, scores=np.array([[np.nan]], np.float32)), {}, "gives numbers that are not finite"),
        (lambda path: scaled(path, boxes=np.full((1, 1, 4), np.inf, np.float32)), {}, "numbers that are not finite"),
        (
            lambda path: scaled(path, scores=np.array([[7]], np.float32)),
            {},
            "scores of up to 7, which are no probabilities",
        ),
        (lambda path: scaled(path, boxes=GOOD["boxes"][..., ::-1].copy()), {}, "whose right or lower side comes first"),
        (lambda path: scaled(path, scores=np.ones((1, 1, 3), np.float32)), {}, "has 3 classes, and 'labels' are 1"),
        (scaled, {"landmarks": [0, 1, 2, 3, 4]}, "gives no landmarks, though 'landmarks' says in which order"),
        (one_sized, {"size": 96, "input": {"free": True}}, "it fails on a picture of 96 x 96"),
    ],
)
def test_a_network_that_does_not_fit_ends_in_one_sentence(
    make: Any, said: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    make(tmp_path / "made.onnx")
    with pytest.raises(RequestError, match=re.escape(complaint)) as caught:
        detector(tmp_path, **said)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "made.onnx") in str(caught.value)


NUMBERS = st.floats(-60, 60, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38])
DESCRIBED: dict[str, list[tuple[int, ...]]] = {
    "yunet": [(1, n, columns) for columns in (1, 1, 4, 10) for n in (16, 4, 1)],
    "scrfd": [(2 * n, columns) for columns in (1, 4, 10) for n in (16, 4, 1)],
    "retinaface": [(1, 42, columns) for columns in (4, 2, 10)],
    "ultraface": [(1, 61, columns) for columns in (4, 3)],
    "yolo5": [(1, 63, 16)],
    "yolo8": [(1, 80, 4, 4), (1, 80, 2, 2), (1, 80, 1, 1)],
    "centerface": [(1, channels, 8, 8) for channels in (1, 2, 2, 10)],
    "boxes": [(1, 9, 4), (1, 9)],
}


@pytest.mark.parametrize("family", DESCRIBED)
def test_no_numbers_make_it_fail_otherwise(family: str, tmp_path: Path) -> None:
    """Whatever a network says, there are regions or one sentence."""
    said: dict[str, Any] = {"decoder": {"family": family}, "labels": ["face"]}
    if family in ("yolo5", "yolo8"):
        said |= {"decoder": {"family": family, "landmarks": True}, "landmarks": [0, 1, 2, 3, 4]}
    outcomes = set()

    @settings(max_examples=25)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
        given = [random.uniform(0, 1, shape).astype(np.float32) for shape in DESCRIBED[family]]
        for array in given:
            for _ in range(data.draw(st.integers(0, 2))):
                array.flat[data.draw(st.integers(0, array.size - 1))] = data.draw(NUMBERS)
        constant(tmp_path / "made.onnx", picture=[1, 3, 32, 32], **{f"out_{i}": array for i, array in enumerate(given)})
        try:
            detector(tmp_path, score_threshold=0.3, **said)
            outcomes.add("regions")
        except RequestError as error:
            assert "\n" not in str(error)  # noqa: PT017
            outcomes.add(str(error).partition("': it ")[2].split()[0])

    check()
    assert outcomes <= {"regions", "gives"}
    assert "regions" in outcomes or family in ("boxes", "ultraface")  # corners drawn by lot are seldom in order


def outside(path: Path) -> None:
    """A network whose weights lie in a file outside of its folder."""
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [1], bytes(4), raw=True)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    add = helper.make_node("Add", ["picture", "weight"], ["boxes"])
    shape: list[Side] = [1, 3, 64, 64]
    graph = helper.make_graph([add], "outside", [value("picture", shape)], [value("boxes", shape)], [weight])
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())


def unknown(path: Path) -> None:
    node = helper.make_node("Teleport", ["picture"], ["boxes"], domain="elsewhere")
    graph = helper.make_graph([node], "unknown", [value("picture", [1, 3, 64, 64])], [value("boxes", [1, 1, 4])])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("elsewhere", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())


def cut(path: Path) -> None:
    whole = bright(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        outside,
        unknown,
        cut,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x08\x07"),
        lambda path: path.write_bytes(bytes(range(256)) * 40),
        lambda path: path.write_bytes(b"PK\x03\x04" + b"\0" * 300),
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\nsize 12"),
    ],
)
def test_a_file_that_is_no_network_ends_in_one_sentence(make: Any, free: bool, tmp_path: Path) -> None:
    make(tmp_path / "made.onnx")
    with pytest.raises(RequestError, match=f"the network {tmp_path / 'made.onnx'} (cannot be loaded|is not)") as caught:
        detector(tmp_path, size=64, input={"free": free})
    assert "\n" not in str(caught.value)


def test_a_network_that_goes_away_is_told(tmp_path: Path) -> None:
    bright(tmp_path / "made.onnx")
    made = Onnx(manifest=_manifest(tmp_path))
    (tmp_path / "made.onnx").unlink()
    with pytest.raises(RequestError, match=r"made.onnx cannot be loaded: No such file"):
        made.on(ONE_THREAD)


def _manifest(folder: Path) -> Path:
    path = folder / "made.yml"
    path.write_text("{file: made.onnx, licence: CC0, decoder: {family: boxes}, labels: plate, size: 64}")
    return path
