"""Small networks made on the spot: one that finds the bright rectangle of a picture, and ones that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Side = int | str
FLOAT = TensorProto.FLOAT
BRIGHT = 0.5


def save(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any] | None = None
) -> Path:
    """A network as a file."""
    made = [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "made", inputs, outputs, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def value(name: str, shape: list[Side], kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def bright(
    path: Path,
    *,
    channels: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3),
    size: tuple[Side, Side] = ("width", "height"),
    layout: str = "nchw",
    kind: int = FLOAT,
    labels: bool = False,
) -> Path:
    """A network that finds the one bright rectangle of a picture: its box in pixels, its brightness as the score.

    channels: weights of the channels that make brightness. kind: of its input; bytes count as 0 to 255.
    """
    nodes, source = [], "picture"
    if kind != FLOAT:
        nodes.append(helper.make_node("Cast", [source], ["as_float"], to=FLOAT))
        source = "as_float"
    if kind == TensorProto.UINT8:
        nodes.append(helper.make_node("Mul", [source, "byte"], ["part"]))
        source = "part"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [source], ["turned"], perm=[0, 3, 1, 2]))
        source = "turned"
    nodes += [
        helper.make_node("Mul", [source, "channels"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "first"], ["grey"], keepdims=0),
    ]
    for axis, name in ((2, "y"), (1, "x")):
        nodes += [
            helper.make_node("ReduceMax", ["grey"], [f"{name}_most"], axes=[axis], keepdims=0),
            helper.make_node("Greater", [f"{name}_most", "bright"], [f"{name}_is"]),
            helper.make_node("Cast", [f"{name}_is"], [f"{name}_mask"], to=FLOAT),
            helper.make_node("ArgMax", [f"{name}_mask"], [f"{name}1"], axis=1),
            helper.make_node("ArgMax", [f"{name}_mask"], [f"{name}_last"], axis=1, select_last_index=1),
            helper.make_node("Add", [f"{name}_last", "one"], [f"{name}2"]),
        ]
    nodes += [
        helper.make_node("Concat", ["x1", "y1", "x2", "y2"], ["four"], axis=1),
        helper.make_node("Cast", ["four"], ["flat"], to=FLOAT),
        helper.make_node("Unsqueeze", ["flat", "first"], ["boxes"]),
        helper.make_node("ReduceMax", ["grey"], ["most"], axes=[0, 1, 2], keepdims=0),
        helper.make_node("Reshape", ["most", "row"], ["scores"]),
    ]
    outputs = [value("boxes", [1, 1, 4]), value("scores", [1, 1])]
    if labels:
        nodes.append(helper.make_node("Identity", ["seven"], ["labels"]))
        outputs.append(value("labels", [1, 1], TensorProto.INT64))
    weights = {
        "channels": np.array(channels, np.float32).reshape(1, 3, 1, 1),
        "first": np.array([1], np.int64),
        "bright": np.float32(BRIGHT),
        "one": np.int64(1),
        "row": np.array([1, 1], np.int64),
        "byte": np.float32(1 / 255),
        "seven": np.array([[7]], np.int64),
    }
    used = {name for node in nodes for name in node.input}
    wide, high = size
    shape = [1, 3, high, wide] if layout == "nchw" else [1, high, wide, 3]
    return save(
        path, nodes, [value("picture", shape, kind)], outputs, {name: weights[name] for name in weights.keys() & used}
    )


def constant(path: Path, *, picture: list[Side] | None = None, **outputs: Any) -> Path:
    """A network that takes a picture and gives these arrays, whatever it shows."""
    nodes, given = [], []
    for name, array in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)
        nodes.append(helper.make_node("Identity", [f"{name}_value"], [name]))
        given.append(value(name, list(np.shape(array)), kind))
    weights = {f"{name}_value": array for name, array in outputs.items()}
    return save(path, nodes, [value("picture", picture or [1, 3, 64, 64])], given, weights)
