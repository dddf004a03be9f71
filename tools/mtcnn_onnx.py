"""MTCNN's three networks as ONNX graphs, built from the bare arrays.

Every network takes bytes as they lie in memory and gives what the cascade needs:

    pixels     uint8 (n, H, W, 3), RGB: P-Net one picture of any size, R-Net n x 24 x 24, O-Net n x 48 x 48
    score      float32 (n, h, w) from P-Net, (n,) from the others: probability of a face
    shift      float32 (n, h, w, 4) or (n, 4): x1, y1, x2, y2 as fractions of the box
    landmarks  float32 (n, 10), O-Net only: five x, then five y, as fractions of the box

Source: Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks, 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
SIDE: dict[str, int | None] = {"p": None, "r": 24, "o": 48}
POOLS = {"p": [(2, 1)], "r": [(3, 1), (3, 0)], "o": [(3, 1), (3, 0), (2, 1)]}
"""After each convolution, as long as there are any: window of a pooling with stride 2, and whether it rounds up."""


def convert(arrays: Path, target: Path, stage: str) -> None:
    """Write the network of `stage` (p, r or o) from its joblib file. The file must be checked before (see below)."""
    import joblib  # noqa: PLC0415

    # joblib files are pickles: loading one runs whatever code it names. Only bytes out of a wheel whose SHA-256 is
    # pinned and was checked come here, at build time only; what we ship are plain ONNX graphs.
    model = build([np.asarray(a, np.float32) for a in joblib.load(arrays)], stage)
    onnx.checker.check_model(model, full_check=True)
    target.write_bytes(model.SerializeToString(deterministic=True))


@dataclass
class _Graph:
    """Nodes and weights so far, and the name of the tensor last made."""

    last: str = "pixels"
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def add(self, kind: str, *arrays: Any, source: str = "", name: str = "", **attributes: Any) -> str:
        inputs = [source or self.last]
        for array in arrays:
            inputs.append(f"w{len(self.weights)}")
            self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), inputs[-1]))
        self.last = name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [self.last], **attributes))
        return self.last


def build(arrays: list[Any], stage: str) -> Any:
    """The network from arrays in the order of its layers: kernel (h, w, in, out), bias, slopes; dense (in, out)."""
    todo = list(arrays)
    graph = _Graph()
    graph.add("Cast", to=TensorProto.FLOAT)
    graph.add("Transpose", perm=[0, 3, 1, 2])
    convolutions = {"p": 3, "r": 3, "o": 4}[stage]
    for layer in range(convolutions):
        kernel, bias, slope = todo.pop(0).transpose(3, 2, 0, 1), todo.pop(0), todo.pop(0)
        if layer == 0:
            # The network was trained on (pixel - 127.5) / 128. It pads nothing, so this goes into the first weights.
            bias = bias - kernel.sum((1, 2, 3)) * (127.5 / 128)
            kernel = kernel / 128
        graph.add("Conv", kernel.astype(np.float32), bias.astype(np.float32), kernel_shape=kernel.shape[2:])
        graph.add("PRelu", slope.reshape(-1, 1, 1))
        if layer < len(POOLS[stage]):
            window, up = POOLS[stage][layer]
            graph.add("MaxPool", kernel_shape=[window, window], strides=[2, 2], ceil_mode=up)
    outputs = _dense_heads(graph, todo, stage) if stage != "p" else _dense_map(graph, todo)
    side = SIDE[stage]
    shape = [1, "height", "width", 3] if side is None else ["n", side, side, 3]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)]
    made = helper.make_graph(graph.nodes, f"mtcnn_{stage}net", inputs, outputs, graph.weights)
    return helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="faceveil"
    )


def _face(kernel: Any, bias: Any) -> tuple[Any, Any]:
    """Softmax over (no face, face) is the logistic function of the difference: one output instead of two."""
    return kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]


def _dense_map(graph: _Graph, todo: list[Any]) -> list[Any]:
    """P-Net's heads: 1 x 1 convolutions."""
    body = graph.last
    shift, shift_bias, score, score_bias = todo
    graph.add("Conv", shift.transpose(3, 2, 0, 1), shift_bias, source=body, kernel_shape=[1, 1])
    graph.add("Transpose", perm=[0, 2, 3, 1], name="shift")
    score, score_bias = _face(score, score_bias)
    graph.add("Conv", score.transpose(3, 2, 0, 1), score_bias, source=body, kernel_shape=[1, 1])
    graph.add("Sigmoid")
    graph.add("Squeeze", np.array([1]), name="score")
    return [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, "rows", "columns"]),
        helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1, "rows", "columns", 4]),
    ]


def _dense_heads(graph: _Graph, todo: list[Any], stage: str) -> list[Any]:
    """R-Net's and O-Net's heads: a dense layer, then one dense layer for each output."""
    kernel, bias, slope = todo[:3]
    channels = {"r": 64, "o": 128}[stage]
    side = 3
    # The dense weights stand in the order x, y, channel; ONNX flattens channel, y, x.
    kernel = kernel.reshape(side, side, channels, -1).transpose(2, 1, 0, 3).reshape(len(kernel), -1)
    graph.add("Flatten")
    graph.add("Gemm", kernel, bias)
    body = graph.add("PRelu", slope)
    heads = {"shift": todo[3:5], "score": todo[-2:]}
    if stage == "o":
        heads["landmarks"] = todo[5:7]
    heads["score"] = list(_face(*heads["score"]))
    for name, (kernel, bias) in heads.items():
        graph.add("Gemm", kernel, bias, source=body, name="" if name == "score" else name)
        if name == "score":
            graph.add("Sigmoid")
            graph.add("Squeeze", np.array([1]), name="score")
    width = {"score": [], "shift": [4], "landmarks": [10]}
    order = ["score", "shift"] + (["landmarks"] if stage == "o" else [])
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *width[name]]) for name in order]
