"""Weights among the test data, put where models lie that a user has added."""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import sys
import tempfile
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pytest

from faceveil.models import store

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

WEIGHTS = {
    "yunet": "yunet/face_detection_yunet_2023mar.onnx",
    "yunet-n": "yunet/yunet_n_dynamic.onnx",
    "yunet-s": "yunet/yunet_s_dynamic.onnx",
    "scrfd-500m": "scrfd/scrfd_500m_kps.onnx",
    "scrfd-2.5g": "scrfd/scrfd_2.5g_kps.onnx",
    "ultraface-rfb-320": "ultraface/version-RFB-320.onnx",
    "ultraface-rfb-640": "ultraface/version-RFB-640.onnx",
    "ultraface-slim-320": "ultraface/version-slim-320.onnx",
    "ultraface-masked-640": "ultraface/RFB-640-masked_face-v2.onnx",
    "retinaface-mobilenet": "retinaface/mobilenet0.25_Final.pth",
    "blazeface-short": "blazeface/face_detection_short_range.tflite",
    "blazeface-front": "blazeface/face_detection_front.tflite",
    "blazeface-back": "blazeface/face_detection_back.tflite",
    "blazeface-full": "blazeface/face_detection_full_range.tflite",
    "blazeface-full-sparse": "blazeface/face_detection_full_range_sparse.tflite",
    "facemesh": "blazeface/face_landmark.tflite",
    "mobilefacenet": "recognisers/MobileFaceNet.onnx",
}
"""Models that a user would add, by their names in the catalogue, and their files among the weights of the test data."""

FETCHED = ("dlib-5-points", "dlib-mmod", "dlib-resnet", "ssd-res10")
"""Models out of packages, which tests take from a folder of added models, if it is there: FACEVEIL_TEST_MODELS."""


def fetched() -> Path:
    """The folder of models that were fetched for tests."""
    named = os.environ.get("FACEVEIL_TEST_MODELS")
    return Path(named) if named else Path(tempfile.gettempdir()) / "faceveil-models"


def without(reason: str) -> NoReturn:
    """Skip a test that lacks its data, or fail it where FACEVEIL_REQUIRE_SHARED is 1."""
    if os.environ.get("FACEVEIL_REQUIRE_SHARED") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def expect(name: str) -> None:
    """Skip or fail a test that needs this model, unless the fixture `added_models` has it.

    Of some models the test data has no weights: such a skip is never a failure.
    """
    if name in FETCHED:
        if not list((store.folder() / name).glob("model.*")):
            pytest.skip(f"needs the model {name}: FACEVEIL_MODELS={fetched()} faceveil models add {name}")
        return
    if name not in WEIGHTS:
        pytest.skip(f"no weights of {name} are among the test data")
    if not list((store.folder() / name).glob("model.*")):
        without(f"needs the model {name}, made of {WEIGHTS[name]} among the weights of the test data")


def add(name: str, folder: Path) -> None:
    """Put a model into a folder of added models, if its file is there, and the tool that it takes."""
    if name in FETCHED:
        if (fetched() / name).is_dir():
            shutil.copytree(fetched() / name, folder / name)
        return
    source = SHARED / "weights" / WEIGHTS[name]
    if not source.is_file():
        return
    made = source.read_bytes() if source.suffix != ".pth" else _converted(source)
    if made:
        (folder / name).mkdir()
        (folder / name / f"model{'.onnx' if source.suffix == '.pth' else source.suffix}").write_bytes(made)


def _converted(checkpoint: Path) -> bytes:
    """RetinaFace as the package's own tool makes an ONNX file of it."""
    sys.path.insert(0, str(ROOT))  # tools/ is not part of the installed package
    if find_spec("tools.retinaface_onnx") is None:
        return b""
    made: bytes = importlib.import_module("tools.retinaface_onnx").build(arrays(checkpoint)).SerializeToString()
    return made


# --- checkpoints ----------------------------------------------------------------------------------------------------


KINDS = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Arrays(pickle.Unpickler):
    """Reads the parts of a checkpoint; of all code that a pickle may name it knows three harmless words."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *parts: parts[:4]
        if module == "torch" and name in KINDS:
            return KINDS[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"{module}.{name} is no array")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def arrays(checkpoint: Path) -> dict[str, Any]:
    """The arrays in a checkpoint of PyTorch's first format, without PyTorch: float64, by name."""
    with checkpoint.open("rb") as file:
        for _ in range(3):  # a number, a version, the machine's ways
            _Arrays(file).load()
        tensors = _Arrays(file).load()
        kinds = {storage[2]: np.dtype(storage[1]) for storage, *_ in tensors.values()}
        data = {key: _storage(file, kinds[key]) for key in _Arrays(file).load()}
    found = {}
    for name, (storage, offset, shape, strides) in tensors.items():
        flat = data[storage[2]][offset:]
        view = np.lib.stride_tricks.as_strided(flat, shape, [step * flat.itemsize for step in strides])
        found[name.removeprefix("module.")] = view.astype(np.float64)
    return found


def _storage(file: BinaryIO, kind: np.dtype[Any]) -> Any:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * kind.itemsize), kind)
