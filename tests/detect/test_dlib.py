"""dlib's two detectors: their own boxes and thresholds, bounds on size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import parity
import pytest
from PIL import Image

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.models import store
from faceveil.types import Frame

dlib = pytest.importorskip("dlib", reason="needs the extra dlib: pip install 'faceveil[dlib]'")
from faceveil.detect import dlib_cnn, dlib_hog  # noqa: E402
from faceveil.detect.dlib_cnn import DlibCnn  # noqa: E402
from faceveil.detect.dlib_hog import DlibHog  # noqa: E402

OWN_THRESHOLD = float(dlib_hog.CURVE.score(np.zeros(1, np.float32))[0])  # dlib keeps sums above 0


@pytest.fixture(scope="module")
def face(portrait: Path) -> Frame:
    return Frame(np.asarray(Image.open(portrait)))


def rectangle(found: Any) -> list[int]:
    return [found.left(), found.top(), found.left() + found.width(), found.top() + found.height()]


@pytest.mark.shared_data
def test_hog_finds_what_dlib_finds(shared: Path) -> None:
    detector = dlib.get_frontal_face_detector()

    def theirs(pixels: Any) -> Any:
        xyxy = np.array([rectangle(found) for found in detector(pixels, 1)], np.float32).reshape(-1, 4)
        return dlib_hog.FACTORS.converted(xyxy), np.full(len(xyxy), 0.5)

    ours = DlibHog(score_threshold=OWN_THRESHOLD)
    parity.compare(ours, theirs, shared, pictures=slice(7, None, 67), exact=0.01)


@pytest.mark.shared_data
def test_cnn_finds_what_dlib_finds(shared: Path, stored: Callable[..., None]) -> None:
    stored("dlib-mmod")
    detector = dlib.cnn_face_detection_model_v1(str(store.path("dlib-mmod")))
    pictures = sorted((shared / "recognition" / "lfw").rglob("*.jpg"))[::400]  # small ones: it is slow
    counted = 0
    for path in pictures:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        found, known = DlibCnn()(Frame(pixels)), detector(pixels, 0)
        xyxy = np.array([rectangle(face.rect) for face in known], np.float32).reshape(-1, 4)
        converted = dlib_cnn.FACTORS.converted(xyxy)
        assert parity.ordered(found.xyxy) == pytest.approx(parity.ordered(converted), abs=0.01)
        counted += len(found)
    assert counted >= len(pictures) - 1


def test_scores_are_thresholds(face: Frame) -> None:
    found = DlibHog(score_threshold=0.02)(face)
    assert len(found) > 1
    for least in (0.1, 0.5, 0.9):
        assert len(DlibHog(score_threshold=least)(face)) == (found.score >= least).sum()


def test_doubling_finds_smaller_faces(portrait: Path) -> None:
    small = Frame(np.asarray(Image.open(portrait).resize((256, 256))))  # a face of 58 px
    counts = [(DlibHog(upsample=times)(small).xyxy[:, 3] < 110).sum() for times in (0, 1)]
    assert counts == [0, 1]


def test_large_pictures_are_reduced(portrait: Path, face: Frame) -> None:
    large = Frame(np.asarray(Image.open(portrait).resize((2048, 2048))))
    assert DlibHog(size=512)(large).xyxy[0] / 4 == pytest.approx(DlibHog()(face).xyxy[0], abs=3)


@pytest.mark.parametrize("spec", ["dlib-hog:size=4096,upsample=2", "dlib-cnn:size=2048,upsample=1"])
def test_more_than_memory_holds_is_refused_before_it_starts(spec: str) -> None:
    with pytest.raises(RequestError, match=r"size \d+ doubled \d times? is more than \d+ px"):
        plugins.make(plugins.DETECT, spec)
