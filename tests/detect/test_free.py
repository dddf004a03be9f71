"""Networks whose declared size goes: the same numbers at that size, and any other size works, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_networks import bright, save, value
from onnx import helper

from faceveil.detect.free import freed


def run(model: bytes, picture: Any) -> Any:
    session = onnxruntime.InferenceSession(model)
    return session.run(None, {session.get_inputs()[0].name: picture})


def convolution(path: Path, *, weights_are_inputs: bool) -> bytes:
    """A convolution for pictures of 8 x 8, with the shape of its middle declared, in an older file's way or not."""
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["middle"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["middle"], ["out"]),
    ]
    kernel = np.random.default_rng(1).normal(size=(2, 3, 3, 3)).astype(np.float32)
    inputs = [value("picture", [1, 3, 8, 8])] + [value("kernel", [2, 3, 3, 3])] * weights_are_inputs
    save(path, nodes, inputs, [value("out", [1, 2, 8, 8])], {"kernel": kernel})
    model = onnx.load(path)
    model.graph.value_info.append(value("middle", [1, 2, 8, 8]))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("weights_are_inputs", [False, True])
def test_any_size_and_the_same_numbers(weights_are_inputs: bool, tmp_path: Path) -> None:
    fixed = convolution(tmp_path / "made.onnx", weights_are_inputs=weights_are_inputs)
    free = freed(fixed, (2, 3))
    onnx.checker.check_model(onnx.load_from_string(free))
    picture = np.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(np.float32)
    assert np.array_equal(run(free, picture)[0], run(fixed, picture)[0])
    wide = np.pad(picture, ((0, 0), (0, 0), (0, 6), (0, 31)))
    assert run(free, wide)[0][..., :7, :7] == pytest.approx(run(fixed, picture)[0][..., :7, :7], abs=1e-6)
    declared = [i for i in onnx.load_from_string(free).graph.input if i.name == "picture"]
    assert [d.dim_value or d.dim_param for d in declared[0].type.tensor_type.shape.dim] == [
        1,
        3,
        "picture_2",
        "picture_3",
    ]


def test_what_is_free_already_stays(tmp_path: Path) -> None:
    model = bright(tmp_path / "made.onnx").read_bytes()
    again = freed(model, (2, 3))
    picture = np.ones((1, 3, 5, 9), np.float32)
    assert all(np.array_equal(a, b) for a, b in zip(run(again, picture), run(model, picture), strict=True))
    assert freed(again, (2, 3)) == again


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    try:
        freed(data, (2, 3))
    except ValueError as error:
        assert str(error) in ("the file is no ONNX file", "the file ends too early")  # noqa: PT017


@given(st.data())
def test_damaged_files_neither(data: st.DataObject) -> None:
    whole = bytearray(helper.make_model(helper.make_graph([], "g", [value("x", [1, 3, 8, 8])], [])).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        freed(bytes(whole), (2, 3))
    except ValueError as error:
        assert str(error) in ("the file is no ONNX file", "the file ends too early")  # noqa: PT017
