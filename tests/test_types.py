"""The nouns check themselves on construction and never touch what they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faceveil import Frame, FramePlan, Plan, Regions
from faceveil.types import Planes, padded

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
    assert bare.landmarks is not None
    assert np.isnan(bare.landmarks).all((1, 2)).tolist() == [False, False, True]
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


# --- labels and outlines ---------------------------------------------------------------------------------------------

BOXES, SCORES = np.array([[0, 0, 4, 2], [2, 2, 6, 8]], F), np.array([0.5, 0.6], F)
NONE = np.full((2, 5, 2), np.nan, F)


def test_a_region_may_have_no_landmarks_and_no_outline_and_then_has_none_at_all() -> None:
    some = NONE.copy()
    some[1] = 3
    assert Regions(BOXES, SCORES, some, outline=some[:, :3]).landmarks is not None
    some[1, 2] = np.nan
    with pytest.raises(ValueError, match="landmarks must be finite, or NaN for all of a region"):
        Regions(BOXES, SCORES, some)
    with pytest.raises(ValueError, match="outline must be finite, or NaN for all of a region"):
        Regions(BOXES, SCORES, outline=some)
    with pytest.raises(ValueError, match="xyxy must be finite$"):
        Regions(np.full((1, 4), np.nan, F), SCORES[:1])
    with pytest.raises(ValueError, match="must be finite, or NaN"):
        Regions(BOXES, SCORES, np.full((2, 5, 2), np.inf, F))


def test_regions_are_picked_and_counted_by_label() -> None:
    faces = Regions(BOXES, SCORES)
    assert (faces.counts(), len(faces.of("face")), len(faces.of("plate"))) == ({"face": 2}, 2, 0)
    both = Regions(BOXES, SCORES, label=np.array(["plate", "face"]))
    assert both.counts() == {"plate": 1, "face": 1}
    assert both.of("plate").xyxy.tolist() == [[0, 0, 4, 2]]
    assert Regions().counts() == {}
    plan = Plan("a", (FramePlan(both, ("veil", "veil"), (9, 9)), FramePlan(faces, ("veil",) * 2, (9, 9))))
    assert (plan.faces, plan.counts()) == (3, {"plate": 1, "face": 3})


def test_joined_regions_know_what_each_part_knew() -> None:
    marks = np.ones((2, 5, 2), F)
    faces = Regions(BOXES, SCORES, marks, outline=np.array([[[0, 0], [4, 0], [4, 2], [0, 2]]] * 2, F))
    plates = Regions(BOXES[:1], SCORES[:1], label=np.array(["plate"]))
    other = Regions(BOXES[1:], SCORES[1:], marks[1:], outline=np.array([[[2, 2], [6, 2], [6, 8]]], F))
    joined = Regions.concatenate([plates, faces, other])
    assert joined.labels.tolist() == ["plate", "face", "face", "face"]
    assert joined.landmarks is not None
    assert joined.outline is not None
    assert np.isnan(joined.landmarks).all((1, 2)).tolist() == [True, False, False, False]
    assert np.isnan(joined.outline).all((1, 2)).tolist() == [True, False, False, False]
    assert joined.outline[3].tolist() == [[2, 2], [6, 2], [6, 8], [6, 8]]  # the same polygon with more points
    assert padded(np.zeros((0, 3, 2), F), 5).shape == (0, 5, 2)


def test_all_of_a_region_moves_with_its_picture() -> None:
    points = np.array([[[1, 2]] * 5, [[3, 4]] * 5], F)
    both = Regions(BOXES, SCORES, points, np.array([4, 5]), np.array(["plate", "face"]), points[:, :3])
    moved = both.mapped(np.array([2, 3]), np.array([10, 20]))
    assert moved.xyxy.tolist() == [[10, 20, 18, 26], [14, 26, 22, 44]]
    assert moved.landmarks is not None
    assert moved.outline is not None
    assert moved.landmarks[:, 0].tolist() == moved.outline[:, 0].tolist() == [[12, 26], [16, 32]]
    assert (moved.labels.tolist(), moved.track is both.track or moved.track.tolist()) == (["plate", "face"], [4, 5])  # type: ignore[union-attr]
    each = both.mapped(np.array([[1, 1], [2, 2]]), np.array([[0, 0], [5, 5]]))
    assert each.xyxy.tolist() == [[0, 0, 4, 2], [9, 9, 17, 21]]
    assert len(Regions().mapped(np.ones(2), np.zeros(2))) == 0
