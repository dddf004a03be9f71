"""RetinaFace as an ONNX file, from a checkpoint of PyTorch: the reference's mobilenet0.25, or resnet50.

    python -m pip install torch==2.13.0 onnx==1.23.2
    python -m tools.retinaface_onnx mobilenet0.25_Final.pth retinaface.onnx
    faceveil models add retinaface-mobilenet --file retinaface.onnx

A checkpoint is a pickle. It is read with `weights_only=True`, which refuses everything but arrays, and nowhere else:
what faceveil runs is the graph made here, node by node, from the arrays alone.

    input      float32 (1, 3, H, W), B, G, R less the means 104, 117, 123; any H and W from 32
    loc        float32 (1, n, 4), boxes relative to their anchors
    conf       float32 (1, n, 2), probabilities of no face and of a face
    landmarks  float32 (1, n, 10), five points relative to the anchors, x before y

n counts two anchors for each cell of the maps of stride 8, 16 and 32, in this order, row by row.

Source: Deng et al., RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild, CVPR 2020; the checkpoints are
those of Pytorch_Retinaface. The mobilenet was compared with PyTorch on its real weights; of resnet50 no weights were at
hand, it was compared on random ones.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
EPSILON = 1e-5  # of PyTorch's batch norm
KNOWN = {"2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220": "mobilenet0.25_Final.pth as published"}
LEAK = 0.1  # slope below zero of every network with 64 channels or fewer in its pyramid; plain ReLU above
HEADS = {"loc": ("BboxHead", 4), "conf": ("ClassHead", 2), "landmarks": ("LandmarkHead", 10)}
ANCHORS = 2

MOBILENET = {"stage1": (2, 1, 2, 1, 2, 1), "stage2": (2, 1, 1, 1, 1, 1), "stage3": (2, 1)}
"""Strides of its blocks; the first is a plain convolution, the others are depthwise and pointwise."""
RESNET50 = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
"""Bottlenecks in each stage; the maps of the last three are used."""

Arrays = Mapping[str, np.ndarray[Any, Any]]


class ConvertError(Exception):
    """The checkpoint is not one of these networks. The message is one sentence."""


def load(checkpoint: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a checkpoint by name, without the prefix that training on several devices leaves."""
    import torch  # noqa: PLC0415  # needed for this alone

    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's and torch's own share no base
        raise ConvertError(
            f"{checkpoint} holds more than arrays, or is damaged: {str(error).splitlines()[0]}"
        ) from None
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    if not state or not all(isinstance(array, torch.Tensor) for array in state.values()):
        raise ConvertError(f"{checkpoint} is no list of arrays by name")
    return {name.removeprefix("module."): np.asarray(array, np.float64) for name, array in state.items()}


@dataclass
class _Graph:
    """Nodes and weights so far. Every convolution has its batch norm folded in, in double precision."""

    arrays: Arrays
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """An array of the checkpoint."""
        if name not in self.arrays:
            raise ConvertError(f"the checkpoint has no {name}: it is neither mobilenet0.25 nor resnet50")
        self.used.add(name)
        return self.arrays[name]

    def constant(self, value: Any, kind: Any = np.int64) -> str:
        """The name of a tensor that holds `value`."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """The name of the one output of a new node."""
        output = name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def conv(self, source: str, kernel: str, norm: str = "", *, stride: int = 1, leak: float | None = None) -> str:
        """Convolution of the array `kernel`, with the batch norm or the bias of its own, and a ReLU unless None."""
        weight = self.array(f"{kernel}.weight")
        if norm:
            scale = self.array(f"{norm}.weight") / np.sqrt(self.array(f"{norm}.running_var") + EPSILON)
            bias = self.array(f"{norm}.bias") - self.array(f"{norm}.running_mean") * scale
            weight = weight * scale[:, None, None, None]
        else:
            bias = self.array(f"{kernel}.bias")
        side = weight.shape[2]
        made = self.add(
            "Conv",
            source,
            self.constant(weight, np.float32),
            self.constant(bias, np.float32),
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
            group=len(weight) if weight.shape[1] == 1 and side > 1 else 1,
        )
        return made if leak is None else self.relu(made, leak)

    def relu(self, source: str, leak: float) -> str:
        """Zero, or a slope of `leak`, below zero."""
        return self.add("LeakyRelu", source, alpha=leak) if leak else self.add("Relu", source)


def build(arrays: Arrays) -> Any:
    """The network whose arrays these are."""
    graph = _Graph(arrays)
    maps = _mobilenet(graph) if "body.stage1.0.0.weight" in arrays else _resnet50(graph)
    levels = [_context(graph, level, f"ssh{i + 1}") for i, level in enumerate(_pyramid(graph, maps))]
    for output, (head, width) in HEADS.items():
        parts = []
        for i, level in enumerate(levels):
            rows = graph.add("Transpose", graph.conv(level, f"{head}.{i}.conv1x1"), perm=[0, 2, 3, 1])
            parts.append(graph.add("Reshape", rows, graph.constant([1, -1, width])))
        if output == "conf":
            graph.add("Softmax", graph.add("Concat", *parts, axis=1), axis=2, name=output)
        else:
            graph.add("Concat", *parts, axis=1, name=output)
    left = {name for name in arrays if not name.endswith("num_batches_tracked")} - graph.used
    if left := {name for name in left if not name.startswith("body.fc.")}:
        raise ConvertError(f"the checkpoint holds more than the network: {min(left)}")
    return _model(graph)


def _model(graph: _Graph) -> Any:
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        graph.nodes,
        "retinaface",
        [value("input", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [value(name, TensorProto.FLOAT, [1, "anchors", width]) for name, (_, width) in HEADS.items()],
        graph.weights,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="faceveil"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _mobilenet(graph: _Graph) -> list[str]:
    """The maps of stride 8, 16 and 32 of a MobileNet of a quarter of the channels."""
    maps, last = [], "input"
    for stage, strides in MOBILENET.items():
        for i, stride in enumerate(strides):
            block = f"body.{stage}.{i}"
            last = graph.conv(last, f"{block}.0", f"{block}.1", stride=stride, leak=LEAK)
            if f"{block}.3.weight" in graph.arrays:  # the pointwise half
                last = graph.conv(last, f"{block}.3", f"{block}.4", leak=LEAK)
        maps.append(last)
    return maps


def _resnet50(graph: _Graph) -> list[str]:
    """The maps of stride 8, 16 and 32 of a ResNet of 50 layers, the stride in each bottleneck's second convolution."""
    last = graph.conv("input", "body.conv1", "body.bn1", stride=2, leak=0.0)
    last = graph.add("MaxPool", last, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    maps = []
    for stage, blocks in RESNET50.items():
        for i in range(blocks):
            block = f"body.{stage}.{i}"
            stride = 2 if i == 0 and stage != "layer1" else 1
            beside = last
            if i == 0:
                beside = graph.conv(last, f"{block}.downsample.0", f"{block}.downsample.1", stride=stride)
            last = graph.conv(last, f"{block}.conv1", f"{block}.bn1", leak=0.0)
            last = graph.conv(last, f"{block}.conv2", f"{block}.bn2", stride=stride, leak=0.0)
            last = graph.conv(last, f"{block}.conv3", f"{block}.bn3")
            last = graph.relu(graph.add("Add", last, beside), 0.0)
        maps.append(last)
    return maps[1:]


def _pyramid(graph: _Graph, maps: list[str]) -> list[str]:
    """Every map with what the coarser ones know, all of the same number of channels."""
    leak = _leak(graph)
    levels = [graph.conv(each, f"fpn.output{i}.0", f"fpn.output{i}.1", leak=leak) for i, each in enumerate(maps, 1)]
    for i in (1, 0):
        # Maps of odd sizes are not half as large as the finer ones: enlarged to these very sizes.
        size = graph.add("Slice", graph.add("Shape", levels[i]), *(graph.constant([n]) for n in (2, 4)))
        shape = graph.add("Concat", graph.constant([1, len(graph.array("fpn.merge1.0.weight"))]), size, axis=0)
        enlarged = graph.add(
            "Resize",
            levels[i + 1],
            "",
            "",
            shape,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        merge = f"fpn.merge{i + 1}"
        levels[i] = graph.conv(graph.add("Add", levels[i], enlarged), f"{merge}.0", f"{merge}.1", leak=leak)
    return levels


def _leak(graph: _Graph) -> float:
    return LEAK if len(graph.array("fpn.merge1.0.weight")) <= 64 else 0.0


def _context(graph: _Graph, level: str, name: str) -> str:
    """Three fields of view of 3, 5 and 7 pixels, side by side: the paper's context module."""

    def conv(source: str, part: str, leak: float | None) -> str:
        return graph.conv(source, f"{name}.{part}.0", f"{name}.{part}.1", leak=leak)

    leak = _leak(graph)
    three = conv(level, "conv3X3", None)
    half = conv(level, "conv5X5_1", leak)
    five = conv(half, "conv5X5_2", None)
    seven = conv(conv(half, "conv7X7_2", leak), "conv7x7_3", None)
    return graph.relu(graph.add("Concat", three, five, seven, axis=1), 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.retinaface_onnx", description="RetinaFace as an ONNX file.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    try:
        digest = hashlib.sha256(given.checkpoint.read_bytes()).hexdigest()
        model = build(load(given.checkpoint))
    except (ConvertError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    given.target.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{given.checkpoint.name}: {KNOWN.get(digest, f'SHA-256 {digest}, not one that was tried')}")
    print(f"{given.target}: SHA-256 {hashlib.sha256(given.target.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
