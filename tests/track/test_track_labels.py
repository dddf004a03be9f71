"""Tracks of unlike things are never one track; labels and outlines come through with the boxes that they belong to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from walks import box, follow, marks, regions, same, steps, within

from faceveil.track import Steady, Tracking
from faceveil.track.settle import grown
from faceveil.types import Regions

OVAL = 10 * np.stack([np.cos(np.linspace(0, 6, 12)), 1.4 * np.sin(np.linspace(0, 6, 12))], axis=1)


def labelled(boxes: list[list[float]], labels: list[str], score: float = 0.8) -> Regions:
    return replace(regions(boxes, score, marked=False), label=np.array(labels, np.str_))


def outlined(x: float, y: float, size: float = 1.0, score: float = 0.8) -> Regions:
    """One face of 20 x 28 px with an oval outline."""
    outline = (np.array([x, y]) + size * OVAL)[None].astype(np.float32)
    return Regions(
        np.concatenate([outline.min(1), outline.max(1)], axis=1), np.array([score], np.float32), outline=outline
    )


def test_a_plate_that_takes_the_place_of_a_face_is_another_track() -> None:
    there = box(200, 200, 60, 60)
    found = [labelled([there], ["face" if i < 10 else "plate"]) for i in range(20)]
    done = follow(found, settings=Tracking(extend=0.1, bridge=0.5))
    for settled in done:
        seen = dict(zip(settled.regions.track.tolist(), settled.regions.labels.tolist(), strict=True))  # type: ignore[union-attr]
        assert set(seen.items()) <= {(0, "face"), (1, "plate")}
    labels = [settled.regions.labels.tolist() for settled in done]
    assert labels[5] == ["face"]
    assert labels[-1] == ["plate"]
    assert labels[10] == ["face", "plate"]  # the face goes on for .1 s


def test_things_that_pass_each_other_keep_what_they_are() -> None:
    """Same size, same way, crossing: by distance alone each would go on with the other."""
    found = [
        labelled([box(100 + 8 * i, 200, 40, 40), box(420 - 8 * i, 200, 40, 40)], ["person", "plate"]) for i in range(40)
    ]
    for settled in follow(found):
        assert settled.regions.track is not None
        assert dict(zip(settled.regions.track.tolist(), settled.regions.labels.tolist(), strict=True)) == {
            0: "person",
            1: "plate",
        }


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 600), st.integers(0, 400), st.sampled_from(["face", "plate", "person"]), st.floats(0, 1)
            ),
            max_size=5,
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_every_detection_lies_in_a_box_of_its_own_label(frames: list[list[Any]], random: Any) -> None:
    def found(some: list[Any]) -> Regions:
        made = labelled([box(x, y, 40, 50) for x, y, _, _ in some], [label for _, _, label, _ in some])
        return replace(made, score=np.array([score for *_, score in some], np.float32))

    settings = Tracking(sure=0.5)
    done = follow([found(some) for some in frames], settings=settings)
    for some, settled in zip(frames, done, strict=True):
        given = found(some)
        for label in given.counts():
            own = given.of(label)
            sure = own.xyxy if label != "face" else own.xyxy[own.score >= settings.sure]  # scores of others: all sure
            assert within(sure, settled.regions.of(label).xyxy, 1e-3).all()
    again = follow([found(random.sample(some, len(some))) for some in frames], settings=settings)
    same(done, again)
    assert [d.regions.labels.tolist() for d in done] == [d.regions.labels.tolist() for d in again]


def test_faces_alone_have_no_labels() -> None:
    done = follow([regions([box(100, 100, 40, 50)]) for _ in range(5)])
    assert all(settled.regions.label is None for settled in done)


def test_landmarks_stay_with_those_that_have_them() -> None:
    boxes = np.array([box(100, 100, 40, 50), box(300, 100, 80, 20)])
    points = marks(boxes)
    points[1] = np.nan
    found = Regions(
        boxes.astype(np.float32), np.array([0.8, 0.8], np.float32), points, label=np.array(["face", "plate"])
    )
    for settled in follow([found] * 5 + [None] * 3 + [found] * 2):
        assert settled.regions.landmarks is not None
        known = np.isfinite(settled.regions.landmarks).all((1, 2))
        assert known.tolist() == [label == "face" for label in settled.regions.labels.tolist()]
        assert known.any()


# --- outlines --------------------------------------------------------------------------------------------------------


def holds(outer: Any, inner: Any) -> bool:
    """Whether the convex hull of one outline lies in that of another one."""
    angle = np.linspace(0, 2 * np.pi, 90)
    ways = np.stack([np.cos(angle), np.sin(angle)])
    return bool(((outer @ ways).max(0) >= (inner @ ways).max(0) - 1e-3).all())


def test_a_detected_outline_is_kept_and_a_bridged_one_goes_along() -> None:
    way = [outlined(100 + 3 * i, 200) for i in range(20)]
    gone = (8, 9, 10, 11)
    done = follow([None if i in gone else one for i, one in enumerate(way)])
    for i, (settled, true) in enumerate(zip(done, way, strict=True)):
        assert settled.regions.outline is not None
        assert true.outline is not None
        if i not in gone:
            assert np.allclose(settled.regions.outline, true.outline, atol=1e-3)
        assert holds(settled.regions.outline[0], true.outline[0])
        assert settled.regions.outline.mean(1) == pytest.approx(true.outline.mean(1), abs=1.5)


def test_an_outline_grows_as_its_box_does_and_contains_what_it_was() -> None:
    done = follow([outlined(100, 200)] * 3 + [Regions()] * 10)
    (first,), (last,) = (d.regions.outline for d in (done[0], done[12]))  # type: ignore[misc]
    assert holds(last, first)
    ratio = np.ptp(done[12].regions.xyxy.reshape(2, 2), axis=0) / np.ptp(done[0].regions.xyxy.reshape(2, 2), axis=0)
    assert np.ptp(last, axis=0) / np.ptp(first, axis=0) == pytest.approx(np.full(2, ratio.max()), rel=1e-3)


points = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=3, max_size=8)


@given(points, st.floats(0, 40), st.floats(0, 40))
def test_a_grown_outline_contains_it_whatever_its_shape(shape: list[tuple[float, float]], dx: float, dy: float) -> None:
    outline = np.array(shape)[None]
    sides = np.ptp(outline, axis=1) + 1
    assert holds(grown(outline, np.array([[dx, dy]]), sides)[0], outline[0])


def test_steadier_boxes_have_larger_outlines() -> None:
    found = [outlined(100, 200, 1.5 if i == 3 else 1) for i in range(10)]
    steady = Steady()
    for settled in follow(found, steps(10)):
        held = steady(settled)
        assert held.regions.outline is not None
        assert settled.regions.outline is not None
        assert holds(held.regions.outline[0], settled.regions.outline[0])
        if settled.index == 8:
            assert np.ptp(held.regions.outline[0], axis=0)[0] > 1.3 * np.ptp(settled.regions.outline[0], axis=0)[0]


def test_detectors_may_give_more_points_or_none() -> None:
    """A track goes on through frames whose outlines have other numbers of points, or are missing."""
    fine = outlined(100, 200)
    assert fine.outline is not None
    coarse = replace(fine, outline=fine.outline[:, ::2])
    bare = replace(fine, outline=None)
    done = follow([coarse, fine, bare, coarse])
    kinds = [None if d.regions.outline is None else d.regions.outline.shape for d in done]
    assert kinds[0] == kinds[1] == kinds[3] == (1, 12, 2)
    assert kinds[2] is None


def test_labels_survive_the_steadying() -> None:
    steady = Steady()
    for settled in follow([labelled([box(90, 90, 40, 20)], ["plate"]) for _ in range(4)]):
        assert steady(settled).regions.labels.tolist() == ["plate"]
