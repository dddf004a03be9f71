"""What a file is, by its bytes: pickles never pass, damage is named, nothing else is raised."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import PICKLE, TFLITE, onnx_bytes
from onnx import TensorProto, helper

from faceveil.errors import InputError
from faceveil.models import kinds

DLIB = b"\x01\x01\x01\x0aloss_mmod_" + bytes(40)
PROTOTXT = b'input: "data"\nlayer {\n  name: "a"\n}\n'
CAFFE = b"\x0a\x00\xa2\x06\x04\x0a\x02ab"
"""A name, and one layer."""


def kind(folder: Path, name: str, data: bytes) -> str:
    (folder / "given0").write_bytes(data)
    return kinds.of(folder / "given0", name)


@pytest.mark.parametrize(
    ("name", "data", "suffix"),
    [
        ("a.onnx", onnx_bytes(), "onnx"),
        ("download", onnx_bytes(), "onnx"),
        ("a.tflite", TFLITE, "tflite"),
        ("face", TFLITE, "tflite"),
        ("A.DAT", DLIB, "dat"),
        ("a.caffemodel", CAFFE, "caffemodel"),
        ("deploy.prototxt", PROTOTXT, "prototxt"),
    ],
)
def test_kinds_are_told_from_the_bytes(tmp_path: Path, name: str, data: bytes, suffix: str) -> None:
    assert kind(tmp_path, name, data) == suffix


class _Harm:
    """Leaves a file behind where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


def _torch_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(_Harm()))
    return made.getvalue()


@pytest.mark.parametrize("name", ["a.pth", "a.onnx", "a.tflite", "a.dat", "a.caffemodel", "a"])
@pytest.mark.parametrize("data", [PICKLE, pickle.dumps(_Harm()), pickle.dumps(_Harm(), 2), _torch_zip()])
def test_pickles_are_refused_under_any_name_and_never_opened(
    tmp_path: Path, name: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"pickled checkpoint.*refused — python -m tools\.retinaface_onnx"):
        kind(tmp_path, name, data)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("suffix", kinds.PICKLES)
def test_suffixes_of_pickles_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="pickled checkpoint"):
        kind(tmp_path, f"a.{suffix}", pickle.dumps(_Harm(), 0))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.onnx", b"", "is empty"),
        ("a.onnx", b"<!DOCTYPE html><html>", "is a web page"),
        ("a.onnx", b"\n <html>", "is a web page"),
        ("a.onnx", b"version 1\noid sha256:00 git-lfs\n", "pointer of Git LFS"),
        ("a.onnx", b"PK\x03\x04" + bytes(30), "is an archive"),
        ("a.onnx", onnx_bytes()[:-1], "damaged one: it ends too early"),
        ("a.onnx", TFLITE, "not what its name says"),
        ("a.tflite", onnx_bytes(), "not what its name says"),
        ("a.tflite", (9999).to_bytes(4, "little") + TFLITE[4:], "damaged TensorFlow Lite"),
        ("a.dat", b"\x07" + DLIB, "not what its name says"),
        ("a.caffemodel", b"\x0a\x00", "no layers"),
        ("a.caffemodel", CAFFE[:-1], "ends too early"),
        ("a.prototxt", b"hello", "no description of a Caffe network"),
        ("a.prototxt", b"layer \xff", "no description of a Caffe network"),
        ("LICENSE", b"Permission is hereby granted", "no model that faceveil knows"),
        ("a.onnx", b"\x0a\x7f", "ends too early"),
        ("a.onnx", b"\x08\x01" * 200_000, "more than 100000 fields"),
        ("a.onnx", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "ends too early"),
    ],
)
def test_others_are_refused_in_words(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        kind(tmp_path, name, data)


@given(data=st.binary(max_size=200), suffix=st.sampled_from([*kinds.SUFFIXES, "bin", ""]))
def test_any_bytes_are_a_kind_or_refused(tmp_path: Path, data: bytes, suffix: str) -> None:
    try:
        assert kind(tmp_path, f"a.{suffix}", data) in kinds.SUFFIXES
    except InputError as error:
        assert error.message  # noqa: PT017  # nothing else may be raised


@given(cut=st.integers(0, len(onnx_bytes()) - 1))
def test_no_cut_model_passes(tmp_path: Path, cut: int) -> None:
    with pytest.raises(InputError):
        kind(tmp_path, "a.onnx", onnx_bytes()[:cut])


def test_a_model_that_does_not_load_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(onnx_bytes())
    kinds.expect_loads(tmp_path / "good", "a.onnx")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Nonsense", ["x"], ["y"])], "g", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "bad").write_bytes(made.SerializeToString())
    assert kinds.of(tmp_path / "bad", "a.onnx") == "onnx"
    with pytest.raises(InputError, match=r"a.onnx cannot be loaded by ONNX Runtime: .*Nonsense"):
        kinds.expect_loads(tmp_path / "bad", "a.onnx")


def test_a_model_whose_weights_lie_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(np.ones(4, np.float32).tobytes())
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", values[:1], values[1:], [tensor])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "a").write_bytes(made.SerializeToString())
    with pytest.raises(InputError, match="cannot be loaded"):
        kinds.expect_loads(tmp_path / "a", "a.onnx")


@pytest.mark.shared_data
def test_the_files_that_people_have(shared: Path) -> None:
    for path in sorted((shared / "weights").rglob("*")):
        if path.suffix in (".onnx", ".tflite"):
            assert kinds.of(path) == path.suffix[1:]
            if path.suffix == ".onnx":
                kinds.expect_loads(path, path.name)
        elif path.suffix in (".pt", ".pth"):
            with pytest.raises(InputError, match="pickled checkpoint"):
                kinds.of(path, "model.onnx")
