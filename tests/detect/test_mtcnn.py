"""MTCNN's own ways: strips, crops, small pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceveil.detect import mtcnn
from faceveil.detect.runtime import Runtime, session
from faceveil.types import Frame


@pytest.mark.parametrize("shape", [(12, 12), (13, 40), (61, 47), (200, 133)])
@pytest.mark.parametrize("budget", [1, 999, 10_000])
def test_strips_give_what_the_whole_gives(
    shape: tuple[int, int], budget: int, portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.asarray(Image.open(portrait).resize(shape[::-1]))
    network = session("mtcnn_pnet", Runtime(threads=1))
    whole = network.run(["score", "shift"], {"pixels": picture[None]})
    monkeypatch.setattr(mtcnn, "STRIP", budget)
    for got, wanted in zip(mtcnn._windows(network, picture), whole, strict=True):
        assert got == pytest.approx(wanted[0], abs=1e-5)


def test_crops_hold_the_box_and_grey_outside() -> None:
    picture = np.full((20, 20, 3), 200, np.uint8)
    picture[:, 10:] = 50
    inside, outside = mtcnn._crops(picture, np.array([[4, 4, 16, 16], [30, 30, 60, 60]], np.float32), 24)
    assert (inside[:, :11] == 200).all()
    assert (inside[:, 13:] == 50).all()
    assert (outside == 127).all()


def test_smaller_than_the_smallest_face_is_empty(portrait: Path) -> None:
    tiny = np.asarray(Image.open(portrait).resize((39, 39)))
    assert len(mtcnn.Mtcnn(min_size=40)(Frame(tiny))) == 0


def test_thresholds_are_obeyed(portrait: Path) -> None:
    frame = Frame(np.asarray(Image.open(portrait)))
    assert len(mtcnn.Mtcnn()(frame)) == 1
    assert len(mtcnn.Mtcnn(network_thresholds=(0.6, 0.7, 1.0))(frame)) == 0
    assert len(mtcnn.Mtcnn(score_threshold=1)(frame)) == 0
