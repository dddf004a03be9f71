"""Smooth methods, painted on the cells of a video's frame, keep the promises and look as if painted on its pixels."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import cells_of, clip_of, covered, plan, with_samples

from faceveil.deidentify.cells import _enlarged_share, paints_cells
from faceveil.deidentify.cover import place
from faceveil.deidentify.paint import method, scene
from faceveil.deidentify.planar import _Samples, paint_planes
from faceveil.planes import Cells, grid_of
from faceveil.policy import Area
from faceveil.types import Planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Boxes = list[list[float]]

VEIL, SOLID = "veil", "solid:color=#204060"
FACES: Boxes = [[60, 40, 90, 77], [200, 60, 320, 210], [330, 110, 380, 172], [10, 190, 50, 240]]


@st.composite
def frames(draw: st.DrawFn, smallest: int = 1) -> Planes:
    """Small noisy frames of which cells are painted: every turn, odd sizes, 8 and 10 bits."""
    size = st.integers(smallest, 75)
    size_of_cell = draw(st.sampled_from([(2, 2), (2, 2), (4, 4)]))
    bits, turn = draw(st.sampled_from([8, 10])), draw(st.integers(1, 8))
    return clip_of(draw(size), draw(size), draw(st.integers(0, 9)), bits, size_of_cell, turn)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Planes, Boxes, Area]:
    """Frames with one to four faces of any place and size."""
    planes = draw(frames())
    width, height = planes.size
    x, y = st.floats(-20, width + 10, width=16), st.floats(-20, height + 10, width=16)
    size = st.floats(0, 36, width=16)
    faces = draw(st.lists(st.tuples(x, y, size, size), min_size=1, max_size=4))
    shape, regular = draw(st.sampled_from(["rounded", "ellipse", "box"])), draw(st.booleans())
    return planes, [[x, y, x + w, y + h] for x, y, w, h in faces], Area(shape=shape, regular=regular)


def smooth_frame(width: int = 400, height: int = 300, bits: int = 8, orientation: int = 1) -> Planes:
    """Soft blots of muted colours, as of a picture out of focus; width and height as stored."""
    rng, top = np.random.default_rng(4), 1 << bits

    def plane(rows: int, columns: int, soft: float, spread: float) -> Any:
        blots = cv2.GaussianBlur(rng.random((rows, columns)).astype(np.float32), (0, 0), soft)
        level = 0.5 + spread * ((blots - blots.min()) / np.ptp(blots) - 0.5)
        return np.rint(top * level).astype(np.uint8 if bits == 8 else np.uint16)

    half = (-(-height // 2), -(-width // 2))
    return Planes(
        (plane(height, width, 8, 0.6), plane(*half, 6, 0.25), plane(*half, 6, 0.25)), bits, orientation=orientation
    )


def on_pixels(planes: Planes, boxes: Boxes, spec: str = VEIL) -> Planes:
    """The frame painted as methods with detail are."""
    canvas = _Samples(planes)
    scene(canvas, plan(planes, boxes, spec), Area(), 1).paint()
    return canvas.planes


@settings(max_examples=200)
@given(
    planes=frames(),
    at=st.tuples(st.floats(-30, 90, width=32), st.floats(-30, 90, width=32)),
    size=st.tuples(st.floats(0, 60, width=32), st.floats(0, 60, width=32)),
    shape=st.sampled_from(["rounded", "ellipse", "box"]),
)
def test_a_cover_has_the_same_cells_wherever_it_is_measured(
    planes: Planes, at: tuple[float, float], size: tuple[float, float], shape: Any
) -> None:
    pixels = grid_of(planes)
    cells = Cells.of_grid(pixels)
    covers = place(np.array([[*at, at[0] + size[0], at[1] + size[1]]], np.float32), Area(shape=shape))
    fine = covers.norm(0, (0, 0, pixels.width, pixels.height), pixels)
    coarse = covers.in_cells(cells).norm(0, (0, 0, cells.width, cells.height), cells)
    row = (np.arange(pixels.height) - pixels.top) // pixels.down + (pixels.top > 0)
    column = (np.arange(pixels.width) - pixels.left) // pixels.across + (pixels.left > 0)
    assert coarse.shape == (row[-1] + 1, column[-1] + 1)
    repeated = coarse[row[:, None], column]
    np.testing.assert_allclose(repeated, fine, rtol=1e-5)
    assert np.array_equal(repeated < 1, fine < 1)


@settings(max_examples=400)
@given(scene=scenes(), data=st.data())
def test_no_sample_depends_on_a_covered_one_and_none_outside_changes(
    scene: tuple[Planes, Boxes, Area], data: st.DataObject
) -> None:
    planes, boxes, area = scene
    specs = [data.draw(st.sampled_from([VEIL, VEIL, SOLID, "solid:color=ring", "blur", "mosaic"])) for _ in boxes]
    hidden = [box for box, spec in zip(boxes, specs, strict=True) if method(spec).promise == "independent"]
    other = with_samples(planes, cells_of(planes, covered(planes, hidden, area)))
    asked = plan(planes, boxes, specs)
    one, two = (paint_planes(p, asked, area, seed=7) for p in (planes, other))
    reached = cells_of(planes, covered(planes, boxes, area, grown=method(VEIL).feather))
    for a, b, was, here in zip(one.planes, two.planes, planes.planes, reached, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a[~here], was[~here])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_veil_looks_as_if_painted_on_pixels(bits: int, orientation: int) -> None:
    planes = smooth_frame(399, 299, bits, orientation)
    assert paints_cells(method(VEIL), planes)
    boxes = FACES if orientation < 5 else [[y, x, b, r] for x, y, r, b in FACES]
    cells, pixels = paint_planes(planes, plan(planes, boxes, VEIL), Area()), on_pixels(planes, boxes)
    reached = cells_of(planes, covered(planes, boxes, grown=method(VEIL).feather))
    level = 1 << (bits - 8)
    for one, two, here, (mean, most) in zip(
        cells.planes, pixels.planes, reached, [(1.5, 16), (0.8, 8), (0.8, 8)], strict=True
    ):
        off = np.abs(one.astype(float) - two)[here] / level
        assert off.mean() < mean
        assert off.max() < most


def test_detail_fades_in_the_soft_edge() -> None:
    planes = smooth_frame()
    checks = (np.indices((300, 400)).sum(axis=0) % 2 * 40).astype(np.uint8)
    planes = replace(planes, planes=(planes.planes[0] // 2 + checks, *planes.planes[1:]))
    boxes: Boxes = [[150, 80, 250, 205]]
    out = paint_planes(planes, plan(planes, boxes, VEIL), Area()).planes[0].astype(float)
    steps = np.abs(np.diff(out, axis=1))
    rings = [covered(planes, boxes, grown=grown) for grown in np.linspace(0, method(VEIL).feather, 4)]
    seen = [steps[(far & ~near)[:, 1:]].mean() for near, far in pairwise(rings)]
    assert seen == sorted(seen)
    assert seen[0] < 10
    assert seen[2] > 25
    assert steps[rings[0][:, 1:] & rings[0][:, :-1]].max() < 8


@given(share=st.integers(1, 12), seed=st.integers(0, 99), size=st.sampled_from([2, 4]))
def test_shares_of_pixels_respect_their_cells(share: int, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    cells: NDArray[np.uint8] = rng.choice(np.array([0, 1, 90, 254, 255], np.uint8), (share, 13 - share))
    pixels = _enlarged_share(cells, size)
    whole = cells.repeat(size, axis=0).repeat(size, axis=1)
    assert np.array_equal(pixels[whole == 255], whole[whole == 255])
    assert not pixels[whole == 0].any()


def test_cells_that_are_no_use_or_not_square_are_not_painted() -> None:
    veil = method(VEIL)
    for sampling in ((1, 1), (2, 1), (1, 2), (4, 1)):
        assert not paints_cells(veil, clip_of(subsampling=sampling))
    assert not paints_cells(veil, clip_of(matrix="grey"))
    assert not paints_cells(method("mosaic"), clip_of())
    assert paints_cells(veil, clip_of())
