"""A network made on the spot whose embeddings are known: the mean of each quarter of a chip, and of each channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 112


def quarters(
    path: Path, *, batch: int | str = "n", layout: str = "nchw", kind: int = TensorProto.FLOAT, side: int = SIDE
) -> Path:
    """A network that gives (n, 12) means: channel by channel the quarters in rows. kind: of its input."""
    nodes, source = [], "chip"
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [source], ["cast"], to=TensorProto.FLOAT))
        source = "cast"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [source], ["turned"], perm=[0, 3, 1, 2]))
        source = "turned"
    half = side // 2
    nodes += [
        helper.make_node("AveragePool", [source], ["pooled"], kernel_shape=[half, half], strides=[half, half]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("ReduceSum", ["embedding", "axis"], ["sum"]),
    ]
    shape: list[Any] = [batch, 3, side, side] if layout == "nchw" else [batch, side, side, 3]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("chip", kind, shape)],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 12]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [batch, 1]),
        ],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def manifest(folder: Path, text: str = "", **network: Any) -> Path:
    """A manifest of such a network, with more lines."""
    quarters(folder / "made.onnx", **network)
    path = folder / "made.yml"
    path.write_text(f"file: made.onnx\nlicence: none, made by a test\n{text}")
    return path


def means(chips: Any) -> Any:
    """What the network gives, computed by numpy: (n, 12)."""
    n, side = len(chips), chips.shape[1]
    half = side // 2
    parts = chips.reshape(n, 2, half, 2, half, 3).astype(float).mean((2, 4))
    return parts.transpose(0, 3, 1, 2).reshape(n, 12)
