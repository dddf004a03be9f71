"""Networks whose file declares one size of picture, though their graph takes any: the declaration goes.

Exporters write the size that they traced into the file. A graph of convolutions does not depend on it; one that holds
constants of that size, such as prior boxes, fails when it runs. Only the declared shapes of inputs and outputs are
touched, in the bytes of the file (`models.wire`, field numbers from onnx.proto).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from faceveil.models.wire import field, fields

GRAPH = 7  # of ModelProto
INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 5, 11, 12, 13  # of GraphProto
TENSOR_NAME = 8  # of TensorProto
NAME, TYPE = 1, 2  # of ValueInfoProto
TENSOR, SHAPE, DIMENSION = 1, 2, 1  # of TypeProto, TypeProto.Tensor and TensorShapeProto
DIM_PARAM = 2  # of TensorShapeProto.Dimension: a size by name

Axes = tuple[int, int]
"""Of pictures in a network's input: that of the height and that of the width."""
Edit = Callable[[bytes], bytes | None]
"""The new value of a field from its old one; None: it goes."""


def freed(model: bytes, axes: Axes) -> bytes:
    """The same network with `axes` of its inputs free, and all axes of its outputs; what lies between is not declared.

    Raises `ValueError` for bytes that are no ONNX file.
    """
    return _edited(model, {GRAPH: lambda graph: _graph(graph, axes)})


def _graph(graph: bytes, axes: Axes) -> bytes:
    weights = {_text(tensor, TENSOR_NAME) for number, tensor in _counted(graph) if number == INITIALIZER}

    def free(value: bytes) -> bytes:
        # Older files list their weights as inputs, too.
        return value if _text(value, NAME) in weights else _shaped(value, axes)

    return _edited(graph, {INPUT: free, OUTPUT: lambda value: _shaped(value, None), VALUE_INFO: lambda _: None})


def _shaped(value: bytes, axes: Axes | None) -> bytes:
    """A declared input or output with some of its axes free, or all."""
    name, numbers = _text(value, NAME), count()

    def free(dimension: bytes) -> bytes:
        number = next(numbers)
        return field(DIM_PARAM, name + b"_%d" % number) if axes is None or number in axes else dimension

    def shape(tensor: bytes) -> bytes:
        return _edited(tensor, {SHAPE: lambda dimensions: _edited(dimensions, {DIMENSION: free})})

    return _edited(value, {TYPE: lambda kind: _edited(kind, {TENSOR: shape})})


def _edited(message: bytes, edits: Mapping[int, Edit]) -> bytes:
    """A message with some of its fields changed, the others as they are."""
    made = []
    for number, start, begin, end in fields(message):
        if number in edits:
            value = edits[number](message[begin:end])
            made.append(b"" if value is None else field(number, value))
        else:
            made.append(message[start:end])
    return b"".join(made)


def _counted(message: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, message[begin:end]) for number, _, begin, end in fields(message))


def _text(message: bytes, wanted: int) -> bytes:
    return next((value for number, value in _counted(message) if number == wanted), b"")
