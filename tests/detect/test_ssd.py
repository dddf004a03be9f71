"""OpenCV's SSD: what its sample finds, at the size of its training; more at larger ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import parity
import pytest
from PIL import Image

from faceveil.detect import ssd
from faceveil.detect.ssd import Ssd
from faceveil.errors import MissingExtra
from faceveil.models import store
from faceveil.types import Frame


@pytest.mark.shared_data
def test_faces_are_those_of_opencvs_sample(shared: Path, stored: Callable[..., None]) -> None:
    stored("ssd-res10")
    weights = store.path("ssd-res10")
    network = cv2.dnn.readNetFromCaffe(str(weights.with_suffix(".prototxt")), str(weights))

    def theirs(pixels: Any) -> Any:
        height, width = pixels.shape[:2]
        blue_first = np.ascontiguousarray(pixels[..., ::-1])
        network.setInput(cv2.dnn.blobFromImage(cv2.resize(blue_first, (300, 300)), 1.0, (300, 300), (104, 177, 123)))
        found, scores = [], []
        for _, _, score, x1, y1, x2, y2 in network.forward()[0, 0]:
            if score > 0.5:
                found.append([x1 * width, y1 * height, x2 * width, y2 * height])
                scores.append(min(score, 1))
        return ssd.FACTORS.converted(np.array(found, np.float32).reshape(-1, 4)), np.array(scores)

    # Large pictures are first halved, and more is found: 300 px are less than a third of theirs.
    parity.compare(Ssd(size=300, score_threshold=0.5), theirs, shared, pictures=slice(3, None, 22), better=True)
    small = slice(274, None, 6)  # pictures of 400 px, resized alike
    parity.compare(Ssd(size=300, score_threshold=0.5), theirs, shared, pictures=small, exact=0.05)


def test_a_larger_square_finds_smaller_faces(portrait: Path, stored: Callable[..., None]) -> None:
    stored("ssd-res10")
    scene = np.full((1600, 1600, 3), 90, np.uint8)
    scene[800:1000, 300:500] = np.asarray(Image.open(portrait).resize((200, 200)))  # a face of 45 px
    small, large = (Ssd(size=size)(Frame(scene)) for size in (300, 1200))
    assert len(small) == 0
    assert large.xyxy[0] == pytest.approx((369, 822, 406, 870), abs=8)


def test_weights_without_their_layers_name_the_cure(
    tmp_path: Path, added_models: Path, stored: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored("ssd-res10")
    (tmp_path / "ssd-res10").mkdir()
    (tmp_path / "ssd-res10" / "model.caffemodel").write_bytes(
        (added_models / "ssd-res10/model.caffemodel").read_bytes()
    )
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path))
    with pytest.raises(MissingExtra, match=r"model\.prototxt is missing.*faceveil models add ssd-res10"):
        Ssd()(Frame(np.zeros((40, 40, 3), np.uint8)))
