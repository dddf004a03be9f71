"""Compositions: where the parts' boxes end up in the whole picture, and that none is lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from faceveil import plugins
from faceveil.detect import boxes, compose
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.types import Frame, Regions

ONE_THREAD = Runtime(threads=1)


def made(spec: str) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec)).on(ONE_THREAD)


@pytest.fixture(scope="module")
def pixels(portrait: Path) -> Any:
    return np.asarray(Image.open(portrait))


def test_mirroring_exchanges_left_and_right_and_keeps_boxes_half_open() -> None:
    marks = np.array([[[1, 5], [3, 5], [2, 6], [1, 8], [3, 8]]], np.float32)
    found = Regions(np.array([[0, 4, 4, 9]]), np.array([0.5]), marks)
    back = compose._unmirrored(found, 100)
    assert back.xyxy.tolist() == [[96, 4, 100, 9]]
    assert back.landmarks is not None
    assert back.landmarks[0].tolist() == [[97, 5], [99, 5], [98, 6], [97, 8], [99, 8]]
    again = compose._unmirrored(back, 100)
    assert np.array_equal(again.xyxy, found.xyxy)
    assert again.landmarks is not None
    assert np.array_equal(again.landmarks, marks)


def test_flip_of_the_mirror_image_is_the_mirror_image_of_flip(pixels: Any) -> None:
    flip = made("flip(centerface:size=320)")
    straight = flip(Frame(pixels))
    mirrored = compose._unmirrored(flip(Frame(np.ascontiguousarray(pixels[:, ::-1]))), pixels.shape[1])
    assert straight.xyxy == pytest.approx(mirrored.xyxy, abs=0.01)
    assert straight.score == pytest.approx(mirrored.score)


def test_flip_agrees_with_its_part(pixels: Any) -> None:
    alone, flipped = made("centerface:size=320")(Frame(pixels)), made("flip(centerface:size=320)")(Frame(pixels))
    assert boxes.overlap(alone.xyxy[:1], flipped.xyxy[:1])[0, 0] > 0.9


def test_scales_finds_what_each_size_finds(pixels: Any) -> None:
    both = made("scales(centerface, sizes=[96;512])")(Frame(pixels))
    for size in (96, 512):
        for box in made(f"centerface:size={size}")(Frame(pixels)).xyxy:
            assert boxes.overlap(box[None], both.xyxy).max() > compose.SAME_FACE


@pytest.mark.parametrize(("x", "y"), [(0, 0), (700, 300), (1400, 900), (377, 611)])
def test_tiles_put_boxes_where_the_face_is(pixels: Any, x: int, y: int) -> None:
    small = np.asarray(Image.fromarray(pixels[20:220, 130:330]).resize((100, 100)))
    scene = np.full((1000, 1500, 3), 90, np.uint8)
    scene[y : y + 100, x : x + 100] = small
    centre = np.array([x + (225 - 130) / 2, y + (117 - 20) / 2])
    found = made("tiles(centerface:size=480, size=480)")(Frame(scene))
    assert len(found) == 1
    box = found.xyxy[0]
    assert (box[:2] + box[2:]) / 2 == pytest.approx(centre, abs=4)
    assert found.landmarks is not None
    assert (found.landmarks[0].min(0) > box[:2]).all()
    assert (found.landmarks[0].max(0) < box[2:]).all()


def test_tiles_cover_every_pixel_and_overlap() -> None:
    tiles = compose.Tiles(detector=made("centerface"), size=100, overlap=0.2)
    for length in (1, 99, 100, 101, 180, 181, 1234):
        starts = tiles._starts(length)
        assert starts[0] == 0
        assert starts[-1] == max(0, length - 100)
        assert all(0 < b - a <= 80 for a, b in pairwise(starts))


def test_half_a_face_at_a_tile_border_counts_only_if_it_was_not_seen_whole() -> None:
    whole = Regions(np.array([[10, 10, 50, 60]]), np.array([0.9]))
    halves = Regions(np.array([[10, 10, 30, 60], [200, 10, 220, 60]]), np.array([0.8, 0.4]))
    found = compose._added(whole, halves, 0.5, over="smaller")
    assert found.xyxy.tolist() == [[10, 10, 50, 60], [200, 10, 220, 60]]


def test_boxes_at_the_pictures_own_border_are_not_cut() -> None:
    xyxy = np.array([[0, 0, 20, 20], [81, 30, 99.5, 50], [40, 40, 60, 60]], np.float32)
    assert compose._at_cut(xyxy, (0, 0, 100, 100), (300, 100)).tolist() == [False, True, False]


def test_union_keeps_the_first_detectors_box_and_the_higher_score(pixels: Any) -> None:
    frame = Frame(pixels)
    first, second = made("centerface:size=320")(frame), made("mtcnn")(frame)
    both = made("union(centerface:size=320, mtcnn)")(frame)
    assert np.array_equal(both.xyxy[0], first.xyxy[0])
    assert both.score[0] == max(first.score[0], second.score[0])


def test_union_loses_nothing(pixels: Any) -> None:
    frame = Frame(pixels)
    both = made("union(centerface:size=640, mtcnn:min_size=20)")(frame)
    for spec in ("centerface:size=640", "mtcnn:min_size=20"):
        for box in made(spec)(frame).xyxy:
            assert boxes.overlap(box[None], both.xyxy).max() > compose.SAME_FACE


def test_parts_run_where_the_whole_runs() -> None:
    runtime = Runtime(threads=1)
    whole = cast("compose.Union", made("union(flip(centerface), mtcnn)").on(runtime))
    flip = cast("compose.Flip", whole.detectors[0])
    assert {part._runtime for part in (whole, *whole.detectors, flip.detector)} == {runtime}


@pytest.mark.parametrize(
    "spec", ["scales(mtcnn)", "union()", "flip", "flip(centerface, mtcnn)", "tiles(mtcnn, size=3)"]
)
def test_compositions_without_sense_are_refused(spec: str) -> None:
    with pytest.raises(RequestError):
        made(spec)
