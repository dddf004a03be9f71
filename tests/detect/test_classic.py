"""What the detectors of OpenCV, dlib and LiteRT share: threads, models and parts that are missing, the convention."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceveil import plugins
from faceveil.detect.base import Detector
from faceveil.detect.convention import Curve, Factors, unscaled
from faceveil.detect.person_hog import PersonHog
from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra
from faceveil.types import Frame

NEEDS = {
    "haar:min_size=40": None,
    "plate-haar": None,
    "person-hog": None,
    "dlib-hog:upsample=0": None,
    "dlib-cnn": "dlib-mmod",
    "blazeface": "blazeface-back",
    "ssd:size=300": "ssd-res10",
    "mesh(haar:min_size=40)": "facemesh",
}
"""Specs, and the models they need."""


def made(spec: str) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec)).on(Runtime(threads=1))


@pytest.mark.parametrize("spec", NEEDS)
def test_threads_do_not_disturb_each_other(spec: str, portrait: Path, stored: Callable[..., None]) -> None:
    stored(*filter(None, [NEEDS[spec]]))
    pixels = np.asarray(Image.open(portrait).resize((320, 320)))
    frames = [Frame(np.roll(pixels, 25 * i, 1)[: 320 - 10 * i]) for i in range(3)]
    detector = made(spec)
    alone = [detector(frame) for frame in frames]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(detector, frames * 2))
    for one, other in zip(alone * 2, together, strict=True):
        assert np.array_equal(one.xyxy, other.xyxy)
        assert np.array_equal(one.score, other.score)


@pytest.mark.parametrize(("spec", "model"), [(spec, model) for spec, model in NEEDS.items() if model])
def test_a_missing_or_damaged_model_is_named_with_its_cure(
    spec: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: Path
) -> None:
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path))
    frame = Frame(np.asarray(Image.open(portrait)))
    with pytest.raises(MissingExtra, match=f"the model '{model}' is not installed.*faceveil models add {model}"):
        made(spec)(frame)
    (tmp_path / model).mkdir()
    for suffix in ("caffemodel", "prototxt") if model == "ssd-res10" else ("bin",):
        (tmp_path / model / f"model.{suffix}").write_bytes(b"nothing of the kind" * 9)
    with pytest.raises(MissingExtra, match=f"the model '{model}' cannot be loaded.*faceveil models verify"):
        made(spec)(frame)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("dlib-hog", "dlib", "dlib"),
        ("dlib-cnn", "dlib", "dlib"),
        ("blazeface", "ai_edge_litert", "litert"),
        ("mesh", "ai_edge_litert", "litert"),
    ],
)
def test_a_missing_part_is_named_with_the_extra_that_brings_it(name: str, module: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys(['{module}', '{module}.interpreter'])); "
        "from faceveil import errors, plugins\n"
        f"try: plugins.load(plugins.DETECT, '{name}')\n"
        "except errors.MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"detector '{name}' needs {module}")
    assert done.stdout.endswith(f" — pip install 'faceveil[{extra}]'\n")


@pytest.mark.shared_data
def test_a_person_who_fills_the_picture_is_found(shared: Path) -> None:
    """The only person of this clip stands in its middle, from head to feet, from frame 110 to 140."""
    with av.open(str(shared / "video" / "intel_one_by_one_person.mp4")) as clip:
        frames = [frame.to_ndarray(format="rgb24") for i, frame in zip(range(131), clip.decode(video=0), strict=False)]
    for pixels in (frames[120], frames[130]):
        found = PersonHog()(Frame(cast("Any", pixels)))
        x1, y1, x2, y2 = found.xyxy[0]
        assert found.labels[0] == "person"
        assert x1 < 390
        assert x2 > 520
        assert y1 < 20
        assert y2 > 400
    assert len(PersonHog()(Frame(cast("Any", frames[0])))) == 0


finite = st.floats(-1e4, 1e4, width=32)
box = st.tuples(finite, finite, st.floats(0.5, 500, width=32), st.floats(0.5, 500, width=32))


@given(box, st.floats(0.5, 2), st.floats(0.5, 2), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_converted_boxes_have_the_measured_factors(
    drawn: Any, wider: float, taller: float, right: float, down: float
) -> None:
    x, y, width, height = drawn
    xyxy = np.array([[x, y, x + width, y + height]])
    x1, y1, x2, y2 = (
        Factors(width=wider, height=taller, right=right, down=down).converted(xyxy.astype(np.float32))[0].tolist()
    )
    assert (x2 - x1, y2 - y1) == pytest.approx((width * wider, height * taller), abs=0.01)
    middle = (x + width * (0.5 + right), y + height * (0.5 + down))
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx(middle, abs=0.01)


@given(st.floats(0.01, 0.99), st.floats(-50, 50), st.floats(0.5, 9))
def test_a_score_and_its_sum_are_one(score: float, even: float, slope: float) -> None:
    curve = Curve(even, slope)
    assert float(curve.score(np.array([curve.sum(score)], np.float32))[0]) == pytest.approx(score, abs=1e-3)
    assert float(curve.score(np.array([even], np.float32))[0]) == pytest.approx(0.5, abs=1e-3)
    with np.errstate(over="raise"):
        assert float(curve.score(np.array([1e6], np.float32))[0]) == 1


def test_boxes_of_a_resized_picture_go_back() -> None:
    back = unscaled(np.array([[5, 6, 10, 12]], np.float32), np.array([0.5, 2], np.float32))
    assert back.tolist() == [[10, 3, 20, 6]]
