"""Covers that follow an outline: exactly its convex hull, grown by the area, whatever the outline is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import crossed, larger
from scenes import clip_of, picture

from faceveil.deidentify.contour import Contour
from faceveil.deidentify.cover import covers_of, place
from faceveil.deidentify.paint import paint
from faceveil.deidentify.planar import paint_planes
from faceveil.planes import Cells, grid_of
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Regions

WIDTH, HEIGHT = 70, 60
FOLLOWED = Area(shape="contour")

points = st.lists(st.tuples(st.floats(-15, 80, width=16), st.floats(-15, 70, width=16)), min_size=3, max_size=12).map(
    lambda some: np.array(some, np.float32)
)
areas = st.tuples(st.floats(0.5, 3), st.floats(0.5, 3), st.floats(-0.3, 0.3)).map(
    lambda f: Area(width=f[0], height=f[1], up=f[2], shape="contour")
)


def around(outline: Any, label: str | None = None) -> Regions:
    """One region whose box is that of its outline."""
    box = np.concatenate([outline.min(0), outline.max(0)])[None]
    return Regions(
        box, np.ones(1, np.float32), label=None if label is None else np.array([label]), outline=outline[None]
    )


def face(centre: tuple[float, float] = (35, 30), size: tuple[float, float] = (9, 12), count: int = 36) -> Any:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.array(centre) + np.array(size) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@settings(max_examples=300)
@given(outline=points, area=areas)
def test_a_pixel_is_covered_if_any_part_of_it_lies_in_the_grown_hull(outline: Any, area: Area) -> None:
    covers = covers_of(around(outline), area)
    inside = covers.norm(0, (0, 0, WIDTH, HEIGHT)) < 1
    surely, perhaps = (crossed(larger(outline, area, by), (WIDTH, HEIGHT)) for by in (-1e-5, 1e-5))
    assert inside[surely].all()
    assert not inside[~perhaps].any()


@settings(max_examples=100)
@given(outline=points, area=areas, grown=st.floats(0.05, 0.5))
def test_the_norm_tells_how_far_it_must_grow(outline: Any, area: Area, grown: float) -> None:
    """What the soft edge goes by."""
    norm = covers_of(around(outline), area).norm(0, (0, 0, WIDTH, HEIGHT))
    surely, perhaps = (crossed(larger(outline, area, by), (WIDTH, HEIGHT)) for by in (grown - 1e-5, grown + 1e-5))
    assert (norm[surely] <= 1 + grown + 1e-4).all()
    assert (norm[~perhaps] >= 1 + grown - 1e-4).all()


@settings(max_examples=100)
@given(outline=points, area=areas)
def test_the_outline_lies_in_its_cover(outline: Any, area: Area) -> None:
    """With factors from 1 on, a cover holds all that it follows, and lies in its own rectangle."""
    area = area.model_copy(update={"width": max(1, area.width), "height": max(1, area.height)})
    covers = covers_of(around(outline), area)
    (contour,) = covers.contours.values()
    assert (contour.slopes @ (outline.astype(np.float64) - covers.centre[0]).T <= 1 + 1e-6).all()
    corners = np.array(larger(outline, area, 0))
    x1, y1, x2, y2 = covers.rects()[0]
    assert ([x1, y1] <= corners.min(0) + 1e-6).all()
    assert ([x2, y2] >= corners.max(0) - 1e-6).all()


@given(
    outline=points,
    area=areas,
    corner=st.tuples(st.floats(-20, 60, width=16), st.floats(-20, 60, width=16)),
    size=st.tuples(st.floats(0, 40, width=16), st.floats(0, 40, width=16)),
)
def test_a_wrong_outline_leaves_no_face_uncovered(
    outline: Any, area: Area, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Wherever an outline lies, the ellipse of the face's box is covered by an area that shrinks nothing."""
    area = area.model_copy(update={"width": max(1, area.width), "height": max(1, area.height)})
    (x, y), (w, h) = corner, size
    covers = covers_of(Regions(np.array([[x, y, x + w, y + h]]), np.ones(1, np.float32), outline=outline[None]), area)
    oval = face((x + w / 2, y + h / 2), (w / 2, h / 2), count=23)
    assert (covers.contours[0].slopes @ (oval - covers.centre[0]).T <= 1 + 1e-5).all()


def test_the_box_that_methods_may_know_follows_from_the_cover() -> None:
    outline = face((35, 30), (9, 12))
    covers = covers_of(around(outline), FOLLOWED)
    assert covers.boxes[0] == pytest.approx([26, 18, 44, 42], abs=1e-4)


@settings(max_examples=150)
@given(
    outline=points,
    area=areas,
    seed=st.integers(0, 5),
    size=st.tuples(st.integers(1, 70), st.integers(1, 60)),
    cell=st.sampled_from([(2, 2), (4, 4), (2, 1)]),
    turn=st.integers(1, 8),
)
def test_a_contour_has_the_same_cells_wherever_it_is_measured(
    outline: Any, area: Area, seed: int, size: tuple[int, int], cell: tuple[int, int], turn: int
) -> None:
    pixels = grid_of(clip_of(*size, seed, 8, cell, turn))
    cells = Cells.of_grid(pixels)
    covers = covers_of(around(outline), area)
    fine = covers.norm(0, (0, 0, pixels.width, pixels.height), pixels)
    coarse = covers.in_cells(cells).norm(0, (0, 0, cells.width, cells.height), cells)
    row = (np.arange(pixels.height) - pixels.top) // pixels.down + (pixels.top > 0)
    column = (np.arange(pixels.width) - pixels.left) // pixels.across + (pixels.left > 0)
    np.testing.assert_allclose(coarse[row[:, None], column], fine, rtol=1e-5)


def test_a_round_outline_is_an_ellipse_almost() -> None:
    plain = Area(shape="ellipse", regular=False)
    ellipse = place(around(face()).xyxy, plain)
    contour = covers_of(around(face(count=200)), FOLLOWED)
    assert contour.rects()[0] == pytest.approx(ellipse.rects()[0], abs=0.1)
    one, two = (c.norm(0, (0, 0, WIDTH, HEIGHT)) < 1 for c in (ellipse, contour))
    assert (one != two).mean() < 0.01


@pytest.mark.parametrize(
    "outline",
    [
        np.full((5, 2), 30.0),  # one point
        np.array([[10.0, 20], [30, 20], [50, 20]]),  # a line
        np.array([[10.0, 10], [40, 40], [25, 25]]),  # one that leans
        np.array([[10.0, 10], [40, 10], [10, 40]]),  # its middle lies on an edge
        np.array([[-1e30, 0.0], [1e30, 0], [0, 1e30]]),
        np.array([[300.0, 300], [320, 300], [310, 330]]),  # outside
    ],
)
def test_outlines_without_sense_have_covers(outline: Any) -> None:
    frame = picture(WIDTH, HEIGHT)
    plan = FramePlan(around(outline.astype(np.float32)), ("solid",), (WIDTH, HEIGHT))
    out = paint(frame, plan, FOLLOWED).pixels
    covers = covers_of(plan.regions, FOLLOWED)
    assert np.isfinite(covers.contours[0].slopes).all()
    assert np.array_equal((out == 0).all(axis=2), covers.norm(0, (0, 0, WIDTH, HEIGHT)) < 1)


def test_faces_without_an_outline_get_the_rounded_shape() -> None:
    boxes = np.array([[10, 10, 30, 35], [40, 10, 60, 35]], np.float32)
    outline = np.full((2, 36, 2), np.nan, np.float32)
    outline[1] = face((50, 22), (8, 11))
    covers = covers_of(Regions(boxes, np.ones(2, np.float32), outline=outline), FOLLOWED)
    assert np.array_equal(covers.rects()[0], place(boxes, Area()).rects()[0])
    assert list(covers.contours) == [1]
    bare = covers_of(Regions(boxes, np.ones(2, np.float32)), FOLLOWED)
    assert np.array_equal(bare.rects(), place(boxes, Area()).rects())


def test_other_shapes_take_no_notice_of_outlines_and_other_labels_have_none() -> None:
    found = around(face())
    assert np.array_equal(covers_of(found, Area()).rects(), place(found.xyxy, Area()).rects())
    assert covers_of(around(face(), "plate"), FOLLOWED).contours == {}


@pytest.mark.parametrize("spec", ["veil", "solid", "blur", "mosaic", "noise"])
def test_every_method_paints_a_contour(spec: str) -> None:
    frame = picture(WIDTH, HEIGHT)
    plan = FramePlan(around(face()), (spec,), (WIDTH, HEIGHT))
    out = paint(frame, plan, FOLLOWED, seed=1).pixels
    inside = covers_of(plan.regions, FOLLOWED).norm(0, (0, 0, WIDTH, HEIGHT)) < 1
    changed = (out != frame.pixels).any(axis=2)
    assert changed[inside].mean() > 0.6
    rounded = paint(frame, plan, Area(), seed=1).pixels
    assert (rounded != frame.pixels).any(axis=2).sum() > changed.sum() * 1.15  # its corners are left


def test_chroma_cells_that_a_contour_touches_are_covered_whole() -> None:
    planes = clip_of(WIDTH, HEIGHT)
    plan = FramePlan(around(face()), ("solid:color=#ff0000",), (WIDTH, HEIGHT))
    out = paint_planes(planes, plan, FOLLOWED).planes
    chroma = (out[1] != planes.planes[1]) | (out[2] != planes.planes[2])
    luma = (out[0] != planes.planes[0]).reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any((1, 3))
    assert np.array_equal(chroma, luma)
    touched = covers_of(plan.regions, FOLLOWED).norm(0, (0, 0, WIDTH, HEIGHT), grid_of(planes)) < 1
    assert np.array_equal(chroma, touched[::2, ::2])


def test_a_contour_is_few_half_planes() -> None:
    round_ = face((0, 0), (50, 70), count=468)
    many = Contour.around(round_)
    assert len(many.slopes) == 68
    reach = (many.slopes @ round_.T).max(axis=0)
    assert 0.997 < reach.min() <= reach.max() <= 1 + 1e-6
    assert len(Contour.around(np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [0, 0]])).slopes) == 8


def test_a_frame_of_sixteen_bits_too() -> None:
    frame = picture(WIDTH, HEIGHT, np.uint16)
    out = paint(frame, FramePlan(around(face()), ("veil",), (WIDTH, HEIGHT)), FOLLOWED)
    assert isinstance(out, Frame)
    assert out.pixels.dtype == np.uint16
