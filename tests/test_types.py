"""The nouns check themselves on construction and never touch what they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faceveil import Frame, FramePlan, Plan, Regions
from faceveil.types import Planes

F = np.float32


def test_wrong_shapes_say_what_was_expected_and_what_came() -> None:
    with pytest.raises(ValueError, match=r"xyxy must have shape \(n, 4\), got \(3, 5\)"):
        Regions(np.zeros((3, 5), F), np.zeros(3, F))
    with pytest.raises(ValueError, match="score must have one value for each of 2 boxes, got 3"):
        Regions(np.zeros((2, 4), F), np.zeros(3, F))
    with pytest.raises(ValueError, match=r"landmarks must have shape \(n, 5, 2\), got \(1, 6, 2\)"):
        Regions(np.zeros((1, 4), F), np.zeros(1, F), np.zeros((1, 6, 2), F))
    with pytest.raises(ValueError, match=r"pixels must have shape \(H, W, 3\), got \(4, 4\)"):
        Frame(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("xyxy", "score", "complaint"),
    [
        ([[5, 5, 4, 9]], [0.5], "x1 <= x2"),
        ([[0, 0, np.nan, 9]], [0.5], "xyxy must be finite"),
        ([[0, 0, 4, 9]], [1.5], r"score must be in \[0, 1\]"),
    ],
)
def test_impossible_regions_are_refused(xyxy: list[list[float]], score: list[float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Regions(np.array(xyxy, F), np.array(score, F))


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)])
def test_frames_refuse_other_types_and_empty_pictures(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels must"):
        Frame(pixels)


def test_arrays_of_the_caller_stay_writable_and_those_of_the_nouns_do_not() -> None:
    pixels, boxes = np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4), np.float32)
    frame, regions = Frame(pixels), Regions(boxes, np.zeros(1, F))
    pixels[0, 0] = 1
    boxes[0, 0] = -7
    assert regions.xyxy[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 2
    with pytest.raises(ValueError, match="read-only"):
        regions.xyxy[0, 0] = 2


def test_regions_are_picked_and_joined() -> None:
    marks = np.arange(20, dtype=np.float32).reshape(2, 5, 2)
    both = Regions(np.array([[0, 0, 1, 1], [2, 2, 3, 3]], F), np.array([0.9, 0.3], F), marks)
    strong = both[both.score > 0.5]
    assert len(strong) == 1
    assert strong.landmarks is not None
    assert strong.landmarks.shape == (1, 5, 2)
    joined = Regions.concatenate([strong, Regions(), both])
    assert len(joined) == 3
    assert joined.landmarks is not None
    bare = Regions.concatenate([both, Regions(np.zeros((1, 4), F), np.zeros(1, F))])
    assert bare.landmarks is None
    assert len(Regions.concatenate([])) == 0


def test_a_plan_needs_a_method_for_each_region() -> None:
    with pytest.raises(ValueError, match="methods must have one entry for each of 0 regions, got 1"):
        FramePlan(Regions(), ("veil",), (4, 4))
    regions = Regions(np.zeros((2, 4), F), np.zeros(2, F))
    assert Plan("a", (FramePlan(regions, ("veil", "keep"), (4, 4)),)).faces == 2


def _planes(**changed: Any) -> Planes:
    luma, chroma = np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8)
    return Planes(**{"planes": (luma, chroma, chroma), **changed})


def test_planes_of_odd_sizes_have_their_chroma_rounded_up() -> None:
    assert _planes().size == (7, 5)
    assert _planes(orientation=6).size == (5, 7)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bits": 10}, "uint16"),
        ({"matrix": "grey"}, "must be 1"),
        ({"orientation": 9}, "1 to 8"),
        ({"subsampling": (1, 1)}, "plane must have shape"),
        ({"planes": (np.zeros((0, 7), np.uint8),) * 3}, "empty"),
    ],
)
def test_planes_that_do_not_fit_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _planes(**changed)


def test_planes_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _planes().planes[0][0, 0] = 1


def test_tracks_go_with_their_regions() -> None:
    boxes, score = np.array([[0, 0, 1, 1], [2, 2, 3, 3]], F), np.array([0.5, 0.6], F)
    regions = Regions(boxes, score, track=np.array([7, 9]))
    assert regions[np.array([False, True])].track == [9]
    joined = Regions.concatenate([regions, regions])
    assert joined.track is not None
    assert joined.track.tolist() == [7, 9, 7, 9]
    assert Regions.concatenate([regions, Regions(regions.xyxy, regions.score)]).track is None
    with pytest.raises(ValueError, match="track must have shape"):
        Regions(regions.xyxy, regions.score, track=np.array([1]))
