"""What every detector owes, held against every one that is registered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
from cloud_server import Services
from PIL import Image
from weights import expect

from faceveil import plugins
from faceveil.detect import PRESETS, build
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra
from faceveil.models import store
from faceveil.models.catalogue import CATALOGUE
from faceveil.types import FACE, Frame, Regions

ONE_THREAD = Runtime(threads=1, cloud=True)  # the services of these tests are on this machine
SPECS = {
    # Compositions need a part; small sizes keep the tests quick.
    "union": "union(centerface:size=320, mtcnn)",
    "scales": "scales(centerface, sizes=[160;320])",
    "flip": "flip(centerface:size=320)",
    "rotate": "rotate(centerface:size=320, angles=[0;90])",
    "tiles": "tiles(centerface:size=320, size=320)",
    "confirm": "confirm(centerface:size=320, mtcnn)",
    "vote": "vote(centerface:size=320, flip(centerface:size=320))",
    "only": "only(centerface:size=320)",
    "mesh": "mesh(centerface:size=320)",
}
ADDED = {"blazeface": "blazeface-back", "dlib-cnn": "dlib-mmod", "mesh": "facemesh", "ssd": "ssd-res10"}
"""Models that a user must add, by the detectors that need them."""
NAMES = plugins.names(plugins.DETECT)

pytestmark = pytest.mark.usefixtures("added_models")


@pytest.fixture(scope="module", autouse=True)
def manifest(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A manifest of a network that is always there, for the detector `onnx`."""
    path = tmp_path_factory.mktemp("manifest") / "centerface.yml"
    path.write_text(
        f"file: {store.path('centerface')}\n"
        "licence: MIT\n"
        "decoder: {family: centerface}\n"
        "outputs: {heatmap: heatmap, size: size, offset: offset, landmarks: landmarks}\n"
        "landmarks: [0, 1, 2, 3, 4]\n"
        "size: 320\n"
    )
    SPECS["onnx"] = f"onnx:manifest={path}"


@pytest.fixture(autouse=True)
def _local_services(services: Services) -> None:
    SPECS.update(services.specs)


@pytest.fixture(autouse=True)
def _added(request: pytest.FixtureRequest, stored: Callable[..., None]) -> None:
    """Tests of a detector whose model or extra is not there are skipped."""
    name = request.node.callspec.params.get("name", "") if hasattr(request.node, "callspec") else ""
    if name in ADDED:
        stored(ADDED[name])
    if name:
        try:
            plugins.load(plugins.DETECT, name)
        except MissingExtra as error:
            pytest.skip(str(error))


def detector(name: str) -> Detector:
    made = cast("Detector", plugins.make(plugins.DETECT, SPECS.get(name, name)))
    model = getattr(made, "model", None)
    if model is not None:
        expect(model)
    return made.on(ONE_THREAD)


@pytest.fixture(scope="session")
def face(portrait: Path) -> Frame:
    return Frame(np.asarray(Image.open(portrait)))


def same(one: Regions, other: Regions) -> bool:
    if one.landmarks is None or other.landmarks is None:
        marks = one.landmarks is other.landmarks
    else:
        marks = np.array_equal(one.landmarks, other.landmarks)
    return marks and np.array_equal(one.xyxy, other.xyxy) and np.array_equal(one.score, other.score)


@pytest.mark.parametrize("name", NAMES)
def test_finds_the_portrait_and_keeps_the_types(name: str, face: Frame) -> None:
    before = face.pixels.copy()
    made = detector(name)
    if FACE not in made.gives_labels:
        pytest.skip("looks for other things")
    found = made(face)
    assert np.array_equal(face.pixels, before)
    assert found.xyxy.dtype == found.score.dtype == np.float32
    x1, y1, x2, y2 = found.xyxy[0]
    assert (x1, y1, x2, y2) == pytest.approx((177, 57, 272, 178), abs=16)
    assert (np.diff(found.score) <= 0).all()
    assert (found.landmarks is not None) == made.gives_landmarks
    assert same(found, made(face))


@pytest.mark.parametrize("name", NAMES)
def test_landmarks_are_left_and_right_as_seen(name: str, face: Frame) -> None:
    made = detector(name)
    if not made.gives_landmarks:
        pytest.skip("gives no landmarks")
    found = made(face)
    assert found.landmarks is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_bits_find_what_eight_bits_find(name: str, face: Frame) -> None:
    made = detector(name)
    deep = Frame(face.pixels.astype(np.uint16) * 257)
    assert same(made(deep), made(face))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (31, 33), (7, 900)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_size_is_accepted(name: str, shape: tuple[int, int], dtype: type[np.uint8 | np.uint16]) -> None:
    pixels: Any = np.zeros((*shape, 3), dtype)
    assert len(detector(name)(Frame(pixels))) == 0


@pytest.mark.parametrize("name", NAMES)
def test_pixels_in_any_memory_order(name: str, face: Frame) -> None:
    made = detector(name)
    columns_first = Frame(cast("Any", np.asfortranarray(face.pixels)))
    reversed_channels = Frame(cast("Any", np.ascontiguousarray(face.pixels[..., ::-1])[..., ::-1]))
    assert same(made(columns_first), made(face))
    assert same(made(reversed_channels), made(face))


@pytest.mark.parametrize("name", NAMES)
def test_licence_and_weights_are_told(name: str) -> None:
    kind = cast("type[Detector]", plugins.load(plugins.DETECT, name))
    assert kind.name == name
    assert bool(kind.licence) == (bool(kind.weights) or not kind.positional)  # some have theirs in a library
    model = kind.model_fields.get("model")
    if model is None:
        assert set(kind.weights) <= {file.name for model in store.embedded() for file in model.files} | set(CATALOGUE)
    else:
        assert model.default in kind.weights
        assert set(get_args(model.annotation)) == set(kind.weights) <= set(CATALOGUE)


@pytest.mark.parametrize("name", NAMES)
def test_spec_reads_back(name: str) -> None:
    made = detector(name)
    assert plugins.make(plugins.DETECT, made.spec) == plugins.make(plugins.DETECT, SPECS.get(name, name))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_find_the_portrait(preset: str, face: Frame) -> None:
    found = build(preset, None, ONE_THREAD)(face)
    assert 150 < found.xyxy[0].mean() < 190
    assert found.score[0] > 0.85
    assert found.landmarks is not None
