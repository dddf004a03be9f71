"""Covers contain what they must, and say little else about the face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.deidentify.cover import EXPONENT, SIZE_STEP, clip, clusters, place
from faceveil.policy import Area

SHAPES = ["rounded", "ellipse", "box"]

boxes = st.tuples(
    st.floats(-500, 3000, width=32), st.floats(-500, 3000, width=32), st.floats(0, 2000), st.floats(0, 2000)
).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@settings(max_examples=300, deadline=None)
@given(box=boxes, shape=st.sampled_from(SHAPES), width=st.floats(0.5, 3), up=st.floats(-0.3, 0.3))
def test_the_regular_cover_contains_the_plain_one(box: list[float], shape: str, width: float, up: float) -> None:
    face = np.array([box], np.float32)
    setting = {"shape": shape, "width": width, "up": up}
    plain = place(face, Area.model_validate(setting | {"regular": False}))
    regular = place(face, Area.model_validate(setting | {"regular": True}))
    inner, outer = plain.rects()[0], regular.rects()[0]
    assert (outer[:2] <= inner[:2] + 1e-6).all()
    assert (outer[2:] >= inner[2:] - 1e-6).all()
    # Not only the rectangle: every point of the plain outline lies in the snapped shape.
    p = min(EXPONENT[shape], 60.0)
    angle = np.linspace(0, 2 * np.pi, 200)
    c, s = np.cos(angle), np.sin(angle)
    reach = (np.abs(c) ** p + np.abs(s) ** p) ** (-1 / p)
    outline = plain.centre[0] + plain.half[0] * np.stack([c * reach, s * reach], axis=1)
    u = np.abs(outline - regular.centre[0]) / regular.half[0]
    assert ((u**p).sum(axis=1) <= 1 + 1e-6).all() if p < 60 else (u <= 1 + 1e-6).all()


def test_the_required_rectangle_is_what_the_policy_says() -> None:
    covers = place(np.array([[100, 200, 180, 300]], np.float32), Area(regular=False))
    # 1.8 x 80 wide, 1.5 x 100 high, centre 6 % of the height above the face's.
    assert covers.rects()[0] == pytest.approx([140 - 72, 244 - 75, 140 + 72, 244 + 75])
    assert covers.boxes[0] == pytest.approx([100, 200, 180, 300])


@settings(max_examples=30, deadline=None)
@given(faces=st.lists(boxes, min_size=1, max_size=40), shape=st.sampled_from(SHAPES))
def test_regular_covers_have_one_aspect_few_sizes_and_a_grid(faces: list[list[float]], shape: str) -> None:
    covers = place(np.array(faces, np.float32), Area.model_validate({"shape": shape}))
    aspect = covers.half[:, 0] / covers.half[:, 1]
    assert aspect == pytest.approx(np.full(len(faces), aspect[0]))
    steps = np.log(covers.half[:, 1]) / np.log(SIZE_STEP)
    assert steps == pytest.approx(np.rint(steps), abs=1e-6)
    cells = covers.centre / covers.half
    assert cells * 12 == pytest.approx(np.rint(cells * 12), abs=1e-3)
    # The face that methods may know of is the cover's, not the detector's.
    derived = (covers.boxes[:, 2] - covers.boxes[:, 0]) / (covers.boxes[:, 3] - covers.boxes[:, 1])
    assert derived == pytest.approx(np.full(len(faces), derived[0]), rel=1e-2)


def test_faces_that_differ_a_little_get_the_same_cover() -> None:
    rng = np.random.default_rng(1)
    faces = np.array([300, 300, 380, 400]) + rng.normal(0, 1.5, (200, 4))
    covers = place(faces.astype(np.float32), Area())
    seen = {tuple(row) for row in np.concatenate([covers.centre, covers.half], axis=1).round(3).tolist()}
    assert len(seen) <= 8  # two each of size, x and y at the most; plain covers would be 200


def test_growth_is_bounded() -> None:
    rng = np.random.default_rng(2)
    height = rng.uniform(10, 500, 500)
    faces = np.stack([0 * height, 0 * height, 0.8 * height, height], axis=1).astype(np.float32)
    plain, regular = (place(faces, Area(regular=r)).half for r in (False, True))
    growth = (regular / plain).max(axis=1)
    assert growth.max() < 1.22
    assert growth.mean() < 1.14


def test_faces_without_area_get_a_cover() -> None:
    covers = place(np.array([[10, 10, 10, 10], [10, 10, 10, 40]], np.float32), Area(regular=False))
    assert (covers.half * 2 >= 4).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pixel_is_covered_if_any_part_of_it_lies_in_the_shape(shape: str) -> None:
    area = Area.model_validate({"shape": shape, "width": 1, "height": 1, "up": 0, "regular": False})
    rng = np.random.default_rng(3)
    for _ in range(20):
        x, y = rng.uniform(5, 9, 2)
        w, h = rng.uniform(3, 20, 2)
        covers = place(np.array([[x, y, x + w, y + h]], np.float32), area)
        inside = covers.norm(0, (0, 0, 40, 40)) < 1
        fine = 16  # samples across a pixel
        at = (np.arange(40 * fine) + 0.5) / fine
        u = np.abs(at - covers.centre[0, 0]) / covers.half[0, 0]
        v = np.abs(at - covers.centre[0, 1]) / covers.half[0, 1]
        p = EXPONENT[shape]
        norm = np.maximum(u[None], v[:, None]) if np.isinf(p) else (u[None] ** p + v[:, None] ** p) ** (1 / p)
        touched = (norm < 1).reshape(40, fine, 40, fine).any(axis=(1, 3))
        assert (inside | ~touched).all()  # nothing that was sampled inside is left out
        nearly = (norm < 1 + 1 / fine / covers.half.min()).reshape(40, fine, 40, fine).any(axis=(1, 3))
        assert (nearly | ~inside).all()  # and nothing more: but for slivers narrower than the samples


def test_a_box_on_whole_pixels_covers_exactly_these() -> None:
    area = Area(width=1, height=1, up=0, shape="box", regular=False)
    inside = place(np.array([[4, 5, 9, 12]], np.float32), area).norm(0, (0, 0, 20, 20)) < 1
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 11, 4, 8)
    assert inside.sum() == 35


def test_rectangles_are_clipped_outward() -> None:
    assert clip(np.array([1.2, -3.0, 8.1, 4.9]), 8, 10) == (1, 0, 8, 5)
    assert clip(np.array([-9.0, 1.0, -2.0, 3.0]), 8, 10)[2] == 0


def test_clusters_join_what_touches_through_others() -> None:
    rects = np.array([[0, 0, 10, 10], [40, 0, 50, 10], [8, 8, 20, 20], [18, 0, 42, 12], [90, 90, 99, 99]], float)
    assert [c.tolist() for c in clusters(rects)] == [[0, 1, 2, 3], [4]]
