"""What a file is, told from its bytes: the kinds of models that can be stored, and those that are refused.

Nothing is run and nothing is unpickled. A pickle is a program: opening one runs whatever it names, so checkpoints are
refused under any name. What is stored is looked at as far as its format allows without its runtime; ONNX files are
also loaded once (`expect_loads`), because that is what will be done with them.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from faceveil.errors import InputError

SUFFIXES = ("onnx", "tflite", "dat", "caffemodel", "prototxt")
"""What models are stored as: ONNX, TensorFlow Lite, dlib's own, and Caffe's two files."""

PICKLES = ("pth", "pt", "ckpt", "pkl", "pickle", "joblib", "npy", "npz")
"""Suffixes of files that are pickles or may hold them."""

_HEAD = 4096  # bytes: more than any signature here
_PROTOTXT = 4 << 20  # bytes; the largest published ones have .2 MB
_MOST_FIELDS = 100_000  # of one message, without those of its parts; a Caffe network has one for each layer
_CURE = (
    "python -m tools.retinaface_onnx, in a checkout of faceveil, converts RetinaFace's checkpoints; "
    "export others to ONNX with the program they come from"
)

# Fields of onnx.proto's ModelProto and caffe.proto's NetParameter.
_IR_VERSION, _GRAPH, _OPSETS = 1, 7, 8
_OLD_LAYERS, _LAYERS = 2, 100


def of(path: Path, name: str = "") -> str:
    """The suffix that the file is stored under, one of `SUFFIXES`.

    name: what the file is called where it came from, if not as here. Raises `InputError` for pickles, for files of
    no known kind, and for damaged ones as far as that shows.
    """
    name = name or path.name
    with path.open("rb") as file:
        head = file.read(_HEAD)
        _refuse(head, path, name)
        suffix = _told(head, name)
        if suffix in ("onnx", "caffemodel"):
            _expect_message(file, suffix, name)
    if suffix == "tflite":
        _expect_flatbuffer(head, path, name)
    if suffix == "prototxt":
        _expect_text(path, name)
    return suffix


def _refuse(head: bytes, path: Path, name: str) -> None:
    if not head:
        raise InputError(f"{name} is empty")
    if name.lower().rpartition(".")[2] in PICKLES or (head[0] == 0x80 and head[1:2] <= b"\x05"):
        raise _pickle(name)
    if head.startswith(b"PK\x03\x04"):
        if _holds_pickle(path):
            raise _pickle(name)
        raise InputError(f"{name} is an archive, not a model", hint="unpack it and give the file inside")
    if head.lstrip()[:1] == b"<":
        raise InputError(f"{name} is a web page, not a model", hint="take the address of the file itself")
    if head.startswith(b"version ") and b"git-lfs" in head:
        raise InputError(f"{name} is a pointer of Git LFS, not the model", hint="git lfs pull")


def _pickle(name: str) -> InputError:
    return InputError(f"{name} is a pickled checkpoint, which can run code when it is opened: refused", hint=_CURE)


def _holds_pickle(path: Path) -> bool:
    """Whether a zip archive is one of torch's: every one holds data.pkl or constants.pkl. Only names are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(member.endswith(".pkl") for member in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _told(head: bytes, name: str) -> str:
    given = name.lower().rpartition(".")[2]
    if head[4:8] == b"TFL3":
        found = "tflite"
    elif given == "dat" and head[0] == 1 and 1 <= head[1] <= 9:
        found = "dat"  # dlib writes an integer as its length and its bytes; every file begins with a small version
    elif given in ("caffemodel", "prototxt"):
        found = given
    else:
        found = "onnx"  # no signature of its own; what it must hold is looked at next
    if given in SUFFIXES and given != found:
        raise InputError(f"{name} is not what its name says: no {given} file begins like this")
    return found


def _expect_message(file: IO[bytes], suffix: str, name: str) -> None:
    """The file is one whole protobuf message with the fields that every such model has."""
    try:
        fields = set(_fields(file))
    except (ValueError, EOFError) as error:
        if name.lower().endswith(f".{suffix}"):
            raise InputError(f"{name} is no {suffix} file, or a damaged one: {error}") from None
        fields = set()
    if suffix == "onnx" and not fields >= {_IR_VERSION, _GRAPH, _OPSETS}:
        raise InputError(f"{name} is no model that faceveil knows: neither ONNX nor TensorFlow Lite, dlib or Caffe")
    if suffix == "caffemodel" and not fields & {_OLD_LAYERS, _LAYERS}:
        raise InputError(f"{name} is no Caffe model: it has no layers")


def _fields(file: IO[bytes]) -> Iterator[int]:
    """The numbers of a message's fields in order, skipping over their contents. Raises where they do not add up."""
    end = os.fstat(file.fileno()).st_size
    file.seek(0)
    for _ in range(_MOST_FIELDS):
        if file.tell() == end:
            return
        key = _varint(file)
        wire = key & 7
        if wire == 0:
            _varint(file)
        elif wire in (1, 2, 5):
            length = {1: 8, 5: 4}.get(wire) or _varint(file)
            if length > end - file.tell():
                raise EOFError("it ends too early")
            file.seek(length, os.SEEK_CUR)
        else:
            raise ValueError("it is not a protobuf message")
        yield key >> 3
    raise ValueError(f"it has more than {_MOST_FIELDS} fields")


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("it is not a protobuf message")


def _expect_flatbuffer(head: bytes, path: Path, name: str) -> None:
    if not 8 <= int.from_bytes(head[:4], "little") <= path.stat().st_size - 4:
        raise InputError(f"{name} is a damaged TensorFlow Lite file: its root lies outside of it")


def _expect_text(path: Path, name: str) -> None:
    try:
        text = path.read_text("utf-8") if path.stat().st_size <= _PROTOTXT else ""
    except UnicodeDecodeError:
        text = ""
    if "layer" not in text:
        raise InputError(f"{name} is no description of a Caffe network: a text with layers")


def expect_loads(path: Path, name: str) -> None:
    """Raise `InputError` unless ONNX Runtime makes a session of the bytes alone: no other file is needed.

    Only for bytes that are what the user means, as far as a sum tells: a runtime reads them.
    """
    import onnxruntime  # noqa: PLC0415  # 0.1 s: only where a model is added

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4  # what is wrong is said below
    try:
        onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes share no base but Exception
        said = " ".join(str(error).split())[-300:]  # it begins with places in its own source
        raise InputError(f"{name} cannot be loaded by ONNX Runtime: {said}") from None
