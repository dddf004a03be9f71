"""CenterFace as three small ONNX files: fp32, fp16 storage, int8.

The original is exported for 10 pictures of 32 x 32 with its initialisers listed as inputs. Ours take one picture of any
size that is a multiple of 32:

    pixels     uint8 (1, 3, H, W), RGB, 0 to 255 (the network's own mean is 0, its deviation 1)
    heatmap    float32 (1, 1, H/4, W/4), in [0, 1]: is a face's centre here?
    size       float32 (1, 2, H/4, W/4): log of height and width, in cells of 4 px
    offset     float32 (1, 2, H/4, W/4): of the centre from the cell, y then x, in cells
    landmarks  float32 (1, 10, H/4, W/4): five points, y then x, relative to box's corner, in box sizes

Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANGES = Path(__file__).with_name("centerface_ranges.json")
OPSET = 17  # Conv, ConvTranspose, Relu, Add and Sigmoid mean the same in 9 and 17; per-channel QDQ needs 13
IR_VERSION = 8  # what opset 17 came with: read by ONNX Runtime since 1.12
OUTPUTS = {"537": "heatmap", "538": "size", "539": "offset", "540": "landmarks"}
QUANTISED = ["Conv", "Add", "Relu", "Clip", "ConvTranspose"]


def convert(original: Path, folder: Path) -> None:
    """Write centerface.onnx, centerface_fp16.onnx and centerface_int8.onnx into `folder`."""
    floats = dynamic(onnx.load(original))
    ranges = json.loads(RANGES.read_text(encoding="utf-8"))["ranges"]
    for name, model in (
        ("centerface.onnx", with_pixels(floats)),
        ("centerface_fp16.onnx", half_stored(with_pixels(floats))),
        ("centerface_int8.onnx", quantised(floats, ranges)),
    ):
        onnx.checker.check_model(model, full_check=True)
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))


def dynamic(model: Any) -> Any:
    """The same network for one picture of any size, float input, batch norm folded, initialisers no longer inputs."""
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    nodes = _fold_batch_norm(list(model.graph.node), weights)
    pixels = model.graph.input[0].name
    rename = {pixels: "floats", **OUTPUTS}
    for node in nodes:
        node.input[:] = [rename.get(name, name) for name in node.input]
        node.output[:] = [rename.get(name, name) for name in node.output]
        node.name = node.output[0]
    used = {name for node in nodes for name in node.input}
    channels = {"heatmap": 1, "size": 2, "offset": 2, "landmarks": 10}
    graph = helper.make_graph(
        nodes,
        "centerface",
        [helper.make_tensor_value_info("floats", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, "rows", "columns"])
            for name, count in channels.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items() if name in used],
    )
    return _model(graph)


def _model(graph: Any) -> Any:
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="faceveil"
    )


def _fold_batch_norm(nodes: list[Any], weights: dict[str, Any]) -> list[Any]:
    """Scale the weights of each transposed convolution by the batch norm behind it, which then goes."""
    makers = {node.output[0]: node for node in nodes}
    kept = []
    for node in nodes:
        if node.op_type != "BatchNormalization":
            kept.append(copy.deepcopy(node))
            continue
        before = makers[node.input[0]]
        if before.op_type != "ConvTranspose" or len(before.input) != 2:
            raise ValueError(f"expected a transposed convolution without bias before {node.name}")
        gamma, beta, mean, variance = (weights[name].astype(np.float64) for name in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        name = before.input[1]
        weights[name] = (weights[name] * factor[None, :, None, None]).astype(np.float32)  # (in, out, h, w)
        weights[f"{name}.bias"] = (beta - mean * factor).astype(np.float32)
        folded = next(n for n in kept if n.output[0] == node.input[0])
        folded.input.append(f"{name}.bias")
        folded.output[0] = node.output[0]
    return kept


def with_pixels(model: Any) -> Any:
    """Take bytes instead of floats: a quarter of the memory to fill for every picture."""
    model = copy.deepcopy(model)
    cast = helper.make_node("Cast", ["pixels"], ["floats"], "pixels_to_floats", to=TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    _bytes_in(model)
    return model


def _bytes_in(model: Any) -> None:
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, 3, "height", "width"]))


def half_stored(model: Any) -> Any:
    """Store weights as fp16 and cast them to fp32 in the graph, so that it is half the bytes and runs everywhere."""
    model = copy.deepcopy(model)
    stored, casts = [], []
    for weight in model.graph.initializer:
        half = numpy_helper.to_array(weight).astype(np.float16)
        stored.append(numpy_helper.from_array(half, f"{weight.name}.half"))
        casts.append(helper.make_node("Cast", [f"{weight.name}.half"], [weight.name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(stored)
    model.graph.node.extend(casts + nodes)
    return model


def quantised(model: Any, ranges: dict[str, list[float]]) -> Any:
    """int8 weights for each channel, uint8 activations, from ranges measured once (`tools/calibrate.py`).

    ranges: for each tensor of the float graph, its smallest and largest value. Bytes in: a pixel is its own quantum
    (scale 1, zero point 0), so the network starts without any conversion.
    """
    from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType  # noqa: PLC0415
    from onnxruntime.quantization.calibrate import TensorsData  # noqa: PLC0415

    limits = {name: tuple(np.array([x], np.float32) for x in pair) for name, pair in ranges.items()}
    limits["floats"] = (np.array([0], np.float32), np.array([255], np.float32))
    quantizer = QDQQuantizer(
        copy.deepcopy(model),
        per_channel=True,
        reduce_range=True,  # 7-bit weights: 8 bits saturate on x64 without VNNI; recall is no worse (docs/detectors.md)
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, limits),
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=QUANTISED,
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result = quantizer.model.model
    start = next(n for n in result.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == "floats")
    scale, zero = (_initialiser(result, name) for name in start.input[1:3])
    if scale != 1 or zero != 0:
        raise ValueError(f"pixels must be quantised with scale 1 and zero point 0, got {scale} and {zero}")
    result.graph.node.remove(start)
    for node in result.graph.node:
        node.input[:] = ["pixels" if name == start.output[0] else name for name in node.input]
    _bytes_in(result)
    return _model(result.graph)


def _initialiser(model: Any, name: str) -> float:
    return float(numpy_helper.to_array(next(w for w in model.graph.initializer if w.name == name)).item())
