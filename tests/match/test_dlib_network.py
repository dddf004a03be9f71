"""dlib's recogniser without dlib: the same numbers, and no other file is taken for it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from faceveil import match
from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra
from faceveil.match.dlib_network import EMBEDDING, SIDE, as_onnx
from faceveil.models import store

MODEL = "dlib-resnet"


@pytest.fixture
def file(stored: Callable[..., None]) -> bytes:
    stored(MODEL)
    return store.path(MODEL).read_bytes()


def chips(count: int) -> np.ndarray:
    """Smooth chips, black, white and flat ones among them."""
    rng = np.random.default_rng(3)
    made = [rng.integers(0, 256, (n + 2, n + 2, 3), np.uint8) for n in range(count - 3)]
    rows = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in made]
    return np.stack([*rows, *(np.full((SIDE, SIDE, 3), grey, np.uint8) for grey in (0, 120, 255))])


def test_it_gives_what_dlib_gives(file: bytes) -> None:
    dlib = pytest.importorskip("dlib", reason="needs the extra dlib: pip install 'faceveil[dlib]'")
    seen = chips(12)
    theirs = np.array(dlib.face_recognition_model_v1(str(store.path(MODEL))).compute_face_descriptor(list(seen)))
    ours = match.build("dlib", Runtime(threads=1))(seen)
    assert ours.shape == (12, EMBEDDING)
    assert np.abs(theirs).max() > 0.2
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_file_is_valid_onnx(file: bytes) -> None:
    model = onnx.load_from_string(as_onnx(file))
    onnx.checker.check_model(model, full_check=True)
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 29


@pytest.mark.parametrize("damage", ["cut", "missing layer", "other sizes", "one more", "no layer"])
def test_another_network_is_refused(file: bytes, damage: str) -> None:
    layers = [found.start() for found in re.finditer(rb"con_4", file)]
    bad = {
        "cut": file[: len(file) // 2],
        "missing layer": file[: layers[3]] + file[layers[4] :],
        "other sizes": file.replace(b"con_4\x01\x02\x02\x80\x12", b"con_4\x01\x02\x02\x81\x12", 1),
        "one more": file + file[layers[-1] : layers[-1] + 9_500_000],
        "no layer": b"\x01\x02" * 500,
    }[damage]
    with pytest.raises(ValueError, match=r"the file (holds another network|is damaged)"):
        as_onnx(bad)


def test_a_damaged_file_is_told_in_one_sentence(file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.path(MODEL)
    shutil.copytree(path.parent, tmp_path / MODEL)
    (tmp_path / MODEL / path.name).write_bytes(file[:9_000_000])
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path))
    with pytest.raises(MissingExtra, match="the model 'dlib-resnet' cannot be loaded: the file") as caught:
        match.build("dlib", Runtime(threads=1))
    assert "faceveil models verify" in str(caught.value)
