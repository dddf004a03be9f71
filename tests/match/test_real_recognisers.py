"""Recognisers do as well as their publishers say, on real faces: fed as they were trained."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from faceveil import detect, match
from faceveil.detect.runtime import Runtime
from faceveil.evaluate.privacy.run import LOOKER
from faceveil.models import store
from faceveil.types import Frame

ONE_THREAD = Runtime(threads=1)
PAIRS = slice(0, None, 11)  # 151 of the 1,651 pairs: all of them take five minutes with dlib


@pytest.fixture(scope="module")
def faces(shared: Path) -> tuple[list[tuple[str, str, bool]], dict[str, tuple[Any, Any, Any]]]:
    """Pairs of LFW, and pixels, box and landmarks of each picture's face."""
    folder = shared / "recognition"
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        rows = [(row["a"], row["b"], row["same"] == "1") for row in csv.DictReader(file)][PAIRS]
    looker = detect.build("balanced", LOOKER, ONE_THREAD)
    found = {}
    for name in sorted({name for a, b, _ in rows for name in (a, b)}):
        frame = Frame(np.asarray(Image.open(folder / "lfw" / name).convert("RGB")))
        seen = looker(frame)
        middle = (seen.xyxy[:, :2] + seen.xyxy[:, 2:]) / 2 - [frame.width / 2, frame.height / 2]
        at = int(np.hypot(*middle.T).argmin())
        assert seen.landmarks is not None
        found[name] = (frame.pixels, seen.xyxy[at], seen.landmarks[at])
    return rows, found


def errors(distances: Any, mated: Any) -> float:
    """EER: where the two kinds of errors are equally frequent."""
    limits = np.unique(distances)
    fmr = np.array([(distances[~mated] <= limit).mean() for limit in limits])
    fnmr = np.array([(distances[mated] > limit).mean() for limit in limits])
    best = int(np.abs(fmr - fnmr).argmin())
    return float(fmr[best] + fnmr[best]) / 2


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("spec", "model", "most"), [("onnx:model=mobilefacenet", "mobilefacenet", 0.02), ("dlib", "dlib-resnet", 0.03)]
)
def test_few_errors_on_pairs_of_lfw(
    faces: Any, stored: Callable[..., None], spec: str, model: str, most: float
) -> None:
    """On all pairs the EER is 1.0 and 1.2 %; a part of them allows for two errors more."""
    stored(model)
    one = match.build(spec, ONE_THREAD)
    rows, found = faces
    cut = {
        name: one.alignment.cut(p, one.alignment.transform(box, marks))[0] for name, (p, box, marks) in found.items()
    }
    known = dict(zip(cut, one(np.stack(list(cut.values()))), strict=True))
    distances = np.array([np.linalg.norm(known[a] - known[b]) for a, b, _ in rows])
    mated = np.array([same for *_, same in rows])
    assert errors(distances, mated) <= most
    if one.threshold is not None:
        assert (distances[~mated] <= one.threshold).mean() <= 0.02
        assert (distances[mated] > one.threshold).mean() <= 0.08


@pytest.mark.shared_data
def test_mobilefacenet_is_fed_as_onnx_runtime_is_by_hand(faces: Any, stored: Callable[..., None]) -> None:
    """The reference of the network's format: RGB in [-1, 1], one chip by OpenCV's own warp, ONNX Runtime plain."""
    import onnxruntime  # noqa: PLC0415

    stored("mobilefacenet")
    one = match.build("onnx:model=mobilefacenet,mirror=false", ONE_THREAD)
    session = onnxruntime.InferenceSession(store.path("mobilefacenet"), providers=["CPUExecutionProvider"])
    for pixels, box, marks in list(faces[1].values())[:5]:
        moved = one.alignment.transform(box, marks)
        ours = one(one.alignment.cut(pixels, moved)[0][None])[0]
        chip = cv2.warpAffine(np.array(pixels), moved, (112, 112))
        planes = cv2.dnn.blobFromImage(chip, 1 / 127.5, (112, 112), (127.5, 127.5, 127.5))
        theirs = session.run(None, {session.get_inputs()[0].name: planes})[0][0]
        assert ours @ (theirs / np.linalg.norm(theirs)) > 0.999


@pytest.mark.shared_data
def test_dlib_sees_what_dlib_cuts_out_itself(faces: Any, stored: Callable[..., None]) -> None:
    """Embeddings of our chips lie where those lie that dlib makes with its own alignment: far below its threshold."""
    dlib = pytest.importorskip("dlib", reason="needs the extra dlib: pip install 'faceveil[dlib]'")
    stored("dlib-resnet")
    points = store.folder() / "dlib-5-points" / "model.dat"
    if not points.is_file():
        pytest.skip("needs the model dlib-5-points: faceveil models add dlib-5-points")
    one = match.build("dlib", ONE_THREAD)
    predictor, network = (
        dlib.shape_predictor(str(points)),
        dlib.face_recognition_model_v1(str(store.path("dlib-resnet"))),
    )
    apart = []
    for pixels, box, marks in list(faces[1].values())[:10]:
        ours = one(one.alignment.cut(pixels, one.alignment.transform(box, marks))[0][None])[0]
        shape = predictor(np.array(pixels), dlib.rectangle(*(int(v) for v in box)))
        theirs = np.array(network.compute_face_descriptor(np.array(pixels), shape))
        apart.append(np.linalg.norm(ours - theirs))
    assert np.median(apart) < 0.35
    assert max(apart) < 0.6
