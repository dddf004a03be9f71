"""dlib's residual network for faces as an ONNX file, made of the weights that its author publishes.

Where dlib comes as a wheel it has no fast matrix library: one face took it 95 ms and ONNX Runtime 6.3, on one core of
an EPYC under load. The numbers are the same: they differ by 3e-7 at most (tests compare the two).

The layers are those of dlib's example dnn_face_recognition_ex.cpp: 29 convolutions with an affine layer after each, in
pairs around which a residual goes. In the file each layer has its name before its parameters, the layer next to the
picture first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from faceveil.models.wire import field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faceveil.types import Floats

SIDE = 150
MEAN, SCALE = (122.782, 117.001, 104.298), 256.0  # of red, green and blue, as dlib's input layer has them
LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, residual pairs, and whether the first of them goes down to half the size."""
EMBEDDING = 128
# A layer's name, of the last one its size too (128 of 256), and the version of its parameters.
_NAMED = re.compile(rb"(con_4|affine_|fc_2)(?:\x01\x80\x02\x00\x01)?(?=\x01\x02)")
_FLOAT, _INT64 = 1, 7  # of TensorProto.DataType
_INTS, _INT = 7, 2  # of AttributeProto.AttributeType


def as_onnx(file: bytes) -> bytes:
    """The network that a file of dlib's holds: chips float32 (n, 3, 150, 150), RGB from 0 to 255, to (n, 128).

    Raises `ValueError` for a file of another network.
    """
    weights = _Weights(file)
    graph = _Graph()
    graph.number("mean", np.array(MEAN, np.float32).reshape(1, 3, 1, 1))
    graph.number("scale", np.array(SCALE, np.float32))
    at = graph.node("Div", (graph.node("Sub", ("chips", "mean")), "scale"))
    at = graph.node("Relu", (graph.convolved(at, *weights.convolution(32, 3, 7), stride=2, pad=0),))
    at = graph.node("MaxPool", (at,), kernel_shape=(3, 3), strides=(2, 2))
    before, side = 32, (_half(SIDE, 7) - 3) // 2 + 1
    for channels, pairs, down in LEVELS:
        for pair in range(pairs):
            at, side = _residual(graph, weights, at, (before, channels), side, down=down and not pair)
            before = channels
    at = graph.node("Flatten", (graph.node("GlobalAveragePool", (at,)),))
    graph.number("embedding", weights.matrix(LEVELS[-1][0], EMBEDDING))
    graph.node("MatMul", (at, "embedding"), into="embeddings")
    weights.expect_end()
    return graph.model()


def _residual(
    graph: _Graph, weights: _Weights, at: str, channels: tuple[int, int], side: int, *, down: bool
) -> tuple[str, int]:
    """Two convolutions and what goes around them; where the way around is larger, or has fewer channels, zeros."""
    before, after = channels
    small = _half(side, 3) if down else side
    stride, pad = (2, 0) if down else (1, 1)
    path = graph.node("Relu", (graph.convolved(at, *weights.convolution(after, before, 3), stride=stride, pad=pad),))
    path = graph.convolved(path, *weights.convolution(after, after, 3), stride=1, pad=1)
    if down:
        at = graph.node("AveragePool", (at,), kernel_shape=(2, 2), strides=(2, 2))
        around = side // 2
        path, at = graph.padded(path, 0, around - small), graph.padded(at, after - before, small - around)
        small = max(small, around)
    return graph.node("Relu", (graph.node("Add", (path, at)),)), small


def _half(side: int, kernel: int) -> int:
    """The side after a convolution without a border that takes every other place."""
    return (side - kernel) // 2 + 1


class _Weights:
    """The parameters of a file's layers, one after the other."""

    def __init__(self, file: bytes) -> None:
        self._layers = self._read(file)

    @staticmethod
    def _read(file: bytes) -> Iterator[tuple[bytes, Floats]]:
        for found in _NAMED.finditer(file):
            at, sides = found.end() + 2, []
            for _ in range(4):  # each as the count of its bytes and those
                count = file[at]
                sides.append(int.from_bytes(file[at + 1 : at + 1 + count], "little"))
                at += 1 + count
            length = int(np.prod(sides, dtype=np.int64))
            if not 0 < length * 4 <= len(file) - at:
                raise ValueError("the file is damaged, or none of dlib's face recogniser")
            yield found.group(1), np.frombuffer(file, "<f4", length, at)

    def _next(self, name: bytes, length: int) -> Floats:
        layer, numbers = next(self._layers, (b"", np.zeros(0, np.float32)))
        if layer != name or len(numbers) != length:
            raise ValueError("the file holds another network than dlib's face recogniser")
        return numbers

    def convolution(self, filters: int, channels: int, side: int) -> tuple[Floats, Floats]:
        """A convolution and the affine layer after it as one: weights (filters, channels, side, side), biases."""
        numbers = self._next(b"con_4", filters * (channels * side * side + 1))
        gamma, beta = self._next(b"affine_", 2 * filters).reshape(2, filters)
        weights, biases = numbers[:-filters].reshape(filters, channels, side, side), numbers[-filters:]
        return weights * gamma[:, None, None, None], biases * gamma + beta

    def matrix(self, rows: int, columns: int) -> Floats:
        """The weights of a layer that is fully connected, (rows, columns)."""
        return self._next(b"fc_2", rows * columns).reshape(rows, columns)

    def expect_end(self) -> None:
        """Raise `ValueError` if there are more layers."""
        if next(self._layers, None) is not None:
            raise ValueError("the file holds another network than dlib's face recogniser")


class _Graph:
    """Nodes and constants of an ONNX file (field numbers from onnx.proto), each node with one output."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._numbers: list[bytes] = []

    def number(self, name: str, value: Floats | np.ndarray) -> str:
        """A constant; its name."""
        kind = _INT64 if value.dtype == np.int64 else _FLOAT
        sides = b"".join(field(1, side) for side in value.shape)
        self._numbers.append(sides + field(2, kind) + field(8, name) + field(9, np.ascontiguousarray(value).tobytes()))
        return name

    def node(self, kind: str, inputs: tuple[str, ...], into: str = "", **settings: tuple[int, ...]) -> str:
        """An operation; the name of its output."""
        into = into or f"{kind}{len(self._nodes)}"
        made = b"".join(field(1, name) for name in inputs) + field(2, into) + field(4, kind)
        for name, values in settings.items():
            made += field(5, field(1, name) + b"".join(field(8, value) for value in values) + field(20, _INTS))
        self._nodes.append(made)
        return into

    def convolved(self, at: str, weights: Floats, biases: Floats, *, stride: int, pad: int) -> str:
        """A convolution with a bias."""
        name = f"w{len(self._nodes)}"
        inputs = (at, self.number(name, weights), self.number(f"{name}b", biases))
        return self.node("Conv", inputs, strides=(stride, stride), pads=(pad,) * 4)

    def padded(self, at: str, channels: int, side: int) -> str:
        """Zeros after the channels, and after rows and columns."""
        if channels <= 0 and side <= 0:
            return at
        ends = np.array([0, 0, 0, 0, 0, max(channels, 0), max(side, 0), max(side, 0)], np.int64)
        return self.node("Pad", (at, self.number(f"p{len(self._nodes)}", ends)))

    def model(self) -> bytes:
        """The whole file."""
        graph = b"".join(field(1, node) for node in self._nodes) + field(2, "dlib")
        graph += b"".join(field(5, number) for number in self._numbers)
        graph += field(11, _port("chips", (3, SIDE, SIDE))) + field(12, _port("embeddings", (EMBEDDING,)))
        return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)


def _port(name: str, sides: tuple[int, ...]) -> bytes:
    """An input or output of any number of rows."""
    shape = field(1, field(2, "n")) + b"".join(field(1, field(1, side)) for side in sides)
    return field(1, name) + field(2, field(1, field(1, _FLOAT) + field(2, shape)))
