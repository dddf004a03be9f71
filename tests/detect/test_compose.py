"""Compositions: where the parts' boxes end up in the whole picture, and that none is lost."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from finders import Blobs, picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceveil import detect
from faceveil.detect import boxes, compose, regions
from faceveil.detect.base import Detector
from faceveil.detect.rotate import _leaning
from faceveil.detect.runtime import Runtime
from faceveil.detect.tiles import Tiles, _near
from faceveil.errors import RequestError
from faceveil.types import Frame, Regions

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from scoring import Tally, truths

ONE_THREAD = Runtime(threads=1)


def made(spec: str) -> Detector:
    return detect.make(spec).on(ONE_THREAD)


@pytest.fixture(scope="module")
def pixels(portrait: Path) -> Any:
    return np.asarray(Image.open(portrait))


def test_flip_of_the_mirror_image_is_the_mirror_image_of_flip(pixels: Any) -> None:
    flip = made("flip(centerface:size=320)")
    straight = flip(Frame(pixels))
    mirrored = regions.mirrored(flip(Frame(np.ascontiguousarray(pixels[:, ::-1]))), pixels.shape[1])
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
    tiles = Tiles(detector=made("centerface"), size=100, overlap=0.2)
    for length in (1, 99, 100, 101, 180, 181, 1234):
        starts = tiles._starts(length)
        assert starts[0] == 0
        assert starts[-1] == max(0, length - 100)
        assert all(0 < b - a <= 80 for a, b in pairwise(starts))


def test_half_a_face_at_a_tile_border_counts_only_if_it_was_not_seen_whole() -> None:
    whole = Regions(np.array([[10, 10, 50, 60]]), np.array([0.9]))
    halves = Regions(np.array([[10, 10, 30, 60], [200, 10, 220, 60]]), np.array([0.8, 0.4]))
    found = regions.added(whole, halves, 0.5, over="smaller")
    assert found.xyxy.tolist() == [[10, 10, 50, 60], [200, 10, 220, 60]]


def test_boxes_at_the_pictures_own_border_are_not_cut() -> None:
    xyxy = np.array([[0, 0, 20, 20], [81, 30, 99.5, 50], [40, 40, 60, 60]], np.float32)
    assert _near(xyxy, 100, 100, (False, False, True, False)).tolist() == [False, True, False]


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


# --- panoramas --------------------------------------------------------------------------------------------------------


def wrapped(size: int = 64) -> Tiles:
    return Tiles(detector=Blobs(), size=size, wrap=True)


@pytest.mark.parametrize("size", [64, 4096])
@pytest.mark.parametrize("left", [2, 8, 14])
def test_a_face_across_the_seam_comes_back_whole_over_both_borders(size: int, left: int) -> None:
    """16 px wide, `left` of them at the left border, which is where the picture's right border goes on."""
    pixels = picture((256, 128), (256 - 16 + left, 40, 256, 60)).pixels.copy()
    pixels[40:60, :left] = pixels[40, 255]
    seen = wrapped(size)(Frame(pixels))
    assert seen.xyxy == pytest.approx(np.array([[240 + left, 40, 256 + left, 60], [left - 16, 40, left, 60]]), abs=1e-3)


def test_without_wrap_the_seam_cuts() -> None:
    pixels = picture((256, 128), (248, 40, 256, 60)).pixels.copy()
    pixels[40:60, :8] = pixels[40, 255]
    seen = Tiles(detector=Blobs(), size=4096)(Frame(pixels))
    assert sorted(seen.xyxy.tolist()) == [[0, 40, 8, 60], [248, 40, 256, 60]]


def test_faces_that_end_at_the_border_or_lie_elsewhere_are_found_once() -> None:
    blobs = (0, 10, 16, 30), (100, 60, 116, 80), (240, 90, 256, 110)
    seen = wrapped()(picture((256, 128), *blobs))
    assert sorted(map(tuple, np.round(seen.xyxy, 3).tolist())) == sorted(blobs)


@given(st.integers(0, 255), st.integers(0, 100), st.integers(4, 24))
def test_a_panorama_may_begin_anywhere(turn: int, y: int, side: int) -> None:
    """Whatever lies where in a panorama is found at the same place when the panorama begins elsewhere."""
    frame = picture((256, 128), (100, y, 100 + side, y + side))
    seen = wrapped()(Frame(np.roll(frame.pixels, turn, 1)))
    sliver = min((-100 - turn) % 256, (100 + side + turn) % 256) <= side / 20  # less than this across counts as none
    for box in seen.xyxy if not sliver else seen.xyxy[:0]:
        there = [(box[0] - turn) % 256, box[1], box[2] - box[0], box[3]]
        assert there == pytest.approx([100, y, side, y + side], abs=0.01)
    assert len(seen) >= 1


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_real_face_across_the_seam(pixels: Any, share: float) -> None:
    scene = np.full((512, 1024, 3), 90, np.uint8)
    scene[:, 300:812] = pixels
    x1, y1, x2, y2 = made("centerface")(Frame(scene)).xyxy[0].tolist()
    turn = round(x1 + share * (x2 - x1))  # so much of the face goes over the left border
    seen = made("tiles(centerface, size=512, wrap=true)")(Frame(np.roll(scene, -turn, 1)))
    for shift in (0, 1024):
        there = np.array([[x1 - turn + shift, y1, x2 - turn + shift, y2]], np.float32)
        assert boxes.overlap(there, seen.xyxy).max() > 0.8


# --- turned -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_rotate_finds_a_turned_face_where_it_is(pixels: Any, quarters: int) -> None:
    upright = made("centerface:size=512")(Frame(pixels))
    turned = made("rotate(centerface:size=512)")(Frame(np.rot90(pixels, quarters)))
    back = regions.turned_back(turned, quarters, (pixels.shape[1], pixels.shape[0]))
    assert boxes.overlap(upright.xyxy[:1], back.xyxy[:1])[0, 0] > 0.95
    assert turned.landmarks is not None
    left, right, _, left_mouth, right_mouth = turned.landmarks[0]
    assert left[0] + left_mouth[0] < right[0] + right_mouth[0]


def test_rotate_finds_a_leaning_face_where_it_is(pixels: Any) -> None:
    leaning, back = _leaning(pixels, -40)
    found = made("rotate(centerface:size=720, angles=[40])")(Frame(leaning))
    upright = made("centerface:size=512")(Frame(pixels))
    assert boxes.overlap(upright.xyxy[:1], regions.leant_back(found[:1], back).xyxy)[0, 0] > 0.8


@pytest.mark.shared_data
@pytest.mark.parametrize("quarters", [1, 2])
def test_rotate_finds_turned_what_is_found_upright(quarters: int, shared: Path) -> None:
    """Recall within .02: of faces from 20 px up in every tenth picture."""
    upright, turned = (made(spec) for spec in ("centerface:size=640", "rotate(centerface:size=640)"))
    straight, crooked = Tally(), Tally()
    for truth in truths(shared / "detection")[::10]:
        picture = np.asarray(Image.open(truth.path).convert("RGB"))
        straight.add(truth, upright(Frame(picture)))
        found = turned(Frame(np.rot90(picture, quarters)))
        crooked.add(truth, regions.turned_back(found, quarters, (picture.shape[1], picture.shape[0])))
    assert crooked.figures()["recall_20"] >= straight.figures()["recall_20"] - 0.02
