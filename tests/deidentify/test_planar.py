"""Painting in a video's own samples keeps every promise of `paint`, sample by sample."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import cells_of, clip_of, covered, picture, plan, with_samples

from faceveil import plugins
from faceveil.deidentify.paint import method, paint
from faceveil.deidentify.planar import paint_planes
from faceveil.errors import RequestError
from faceveil.planes import patch, upright
from faceveil.policy import Area
from faceveil.types import FramePlan, Planes, Regions

if TYPE_CHECKING:
    from pathlib import Path

    from faceveil.types import Matrix

NAMES = plugins.names(plugins.DEIDENTIFY)
COSMETIC = ["blur", "blur:kernel=9", "mosaic", "noise", "mask", "keep", "mosaic:cells=2,b=30"]
SAMPLINGS = [(2, 2), (2, 1), (1, 1), (1, 2), (4, 1)]
BOXES = [[20, 18, 40, 44], [44, 20, 62, 42]]

Boxes = list[list[float]]


def specs_of(sticker: Path) -> list[str]:
    return [f"image:path={sticker}" if name == "image" else name for name in NAMES] + ["solid:color=ring"]


def independent(sticker: Path) -> list[str]:
    return [spec for spec in specs_of(sticker) if method(spec).promise == "independent"]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Planes, Boxes, Area]:
    """Small frames of every layout with one to four faces that overlap, touch the border or lie outside of it."""
    matrix: Matrix = draw(st.sampled_from(["bt601", "bt709", "bt2020", "rgb", "grey"]))
    planes = clip_of(
        draw(st.integers(1, 60)),
        draw(st.integers(1, 50)),
        draw(st.integers(0, 9)),
        draw(st.sampled_from([8, 10])),
        (1, 1) if matrix == "rgb" else draw(st.sampled_from(SAMPLINGS)),
        draw(st.integers(1, 8)),
        matrix=matrix,
        full=draw(st.booleans()),
    )
    width, height = planes.size
    x, y = st.floats(-20, width + 10, width=16), st.floats(-20, height + 10, width=16)
    size = st.floats(0, 30, width=16)
    faces = draw(st.lists(st.tuples(x, y, size, size), min_size=1, max_size=4))
    area = Area.model_validate(
        {"shape": draw(st.sampled_from(["rounded", "ellipse", "box"])), "regular": draw(st.booleans())}
    )
    return planes, [[x, y, x + w, y + h] for x, y, w, h in faces], area


def same(one: Planes, two: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.planes, two.planes, strict=True))


def same_output(planes: Planes, boxes: Boxes, specs: list[str], area: Area) -> None:
    hidden = [box for box, spec in zip(boxes, specs, strict=True) if method(spec).promise == "independent"]
    other = with_samples(planes, cells_of(planes, covered(planes, hidden, area)))
    asked = plan(planes, boxes, specs, landmarks=True)
    assert same(*(paint_planes(p, asked, area, seed=7) for p in (planes, other)))


@settings(max_examples=300)
@given(scene=scenes(), data=st.data())
def test_no_output_sample_depends_on_a_covered_sample(
    sticker: Path, scene: tuple[Planes, Boxes, Area], data: st.DataObject
) -> None:
    planes, boxes, area = scene
    spec = data.draw(st.sampled_from(independent(sticker)))
    same_output(planes, boxes, [spec] * len(boxes), area)


@settings(max_examples=300)
@given(scene=scenes(), data=st.data())
def test_nothing_shows_through_methods_of_other_classes(
    sticker: Path, scene: tuple[Planes, Boxes, Area], data: st.DataObject
) -> None:
    planes, boxes, area = scene
    any_method = st.sampled_from(independent(sticker) + COSMETIC)
    same_output(planes, boxes, [data.draw(any_method) for _ in boxes], area)


@settings(max_examples=300)
@given(scene=scenes(), data=st.data())
def test_samples_outside_are_bit_identical_and_the_input_is_kept(
    sticker: Path, scene: tuple[Planes, Boxes, Area], data: st.DataObject
) -> None:
    planes, boxes, area = scene
    spec = data.draw(st.sampled_from([*specs_of(sticker), "mask:over=mouth"]))
    before = [plane.copy() for plane in planes.planes]
    out = paint_planes(planes, plan(planes, boxes, spec, landmarks=True), area, seed=1)
    reached = cells_of(planes, covered(planes, boxes, area, grown=max(method(spec).feather, 1e-5)))
    for plane, now, was, here in zip(planes.planes, out.planes, before, reached, strict=True):
        assert np.array_equal(plane, was)
        assert np.array_equal(now[~here], was[~here])
    assert (out.bits, out.subsampling, out.matrix, out.full, out.orientation, out.index, out.time, out.duration) == (
        planes.bits, planes.subsampling, planes.matrix, planes.full, planes.orientation, planes.index, planes.time,
        planes.duration,
    )  # fmt: skip


def test_patches_are_painted_as_the_whole_picture_would_be() -> None:
    frame = picture(91, 71)
    for orientation in range(1, 9):
        lying = [upright(frame.pixels[:, :, i], {6: 8, 8: 6}.get(orientation, orientation)) for i in (1, 2, 0)]
        planes = Planes(tuple(lying), 8, (1, 1), "rgb", full=True, orientation=orientation)
        assert planes.size == (91, 71)
        for specs in (["veil", "solid"], ["mosaic:b=20", "mask"], ["blur", "veil"], ["noise", "mosaic"]):
            asked = plan(frame, BOXES, specs, landmarks=True)
            out = paint_planes(planes, asked, Area(), seed=3)
            moment = replace(frame, time=planes.time)
            assert np.array_equal(patch(out, (0, 0, 91, 71)), paint(moment, asked, Area(), seed=3).pixels)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("orientation", [1, 2, 7])
def test_a_cover_is_the_cells_that_it_touches(sampling: tuple[int, int], orientation: int) -> None:
    planes = clip_of(91, 71, subsampling=sampling, orientation=orientation)
    area = Area(regular=False)
    out = paint_planes(planes, plan(planes, BOXES, "solid:color=#ff0000"), area)
    red = paint_planes(planes, plan(planes, [[-500, -500, 900, 900]], "solid:color=#ff0000"), area)
    for now, was, there, value in zip(
        out.planes, planes.planes, cells_of(planes, covered(planes, BOXES, area)), red.planes, strict=True
    ):
        assert np.array_equal(now, np.where(there, value[0, 0], was))


def test_what_changes_nothing_gives_the_planes_themselves() -> None:
    planes = clip_of()
    for boxes, spec in (([], "veil"), (BOXES, "keep"), ([[300, 300, 340, 340]], "veil")):
        assert paint_planes(planes, plan(planes, boxes, spec), Area()) is planes


def test_a_plan_is_for_the_upright_size() -> None:
    planes = clip_of(90, 70, orientation=6)
    faces = Regions(np.array([[1, 1, 5, 5]], np.float32), np.ones(1, np.float32))
    assert paint_planes(planes, FramePlan(faces, ("solid",), (70, 90)), Area()) is not planes
    with pytest.raises(RequestError, match="90x70 pixels, this one has 70x90"):
        paint_planes(planes, FramePlan(faces, ("solid",), (90, 70)), Area())
    with pytest.raises(RequestError, match="blurr"):
        paint_planes(planes, FramePlan(faces, ("blurr",), (70, 90)), Area())


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("spec", ["noise:percent=100", "solid:color=white", "veil", "solid:color=blue"])
def test_painted_samples_are_legal(spec: str, bits: int) -> None:
    planes = clip_of(90, 70, bits=bits)  # the rest is noise beyond the legal range
    box = [[30, 20, 50, 45]]
    out = paint_planes(planes, plan(planes, box, spec), Area(), seed=1)
    for i, (plane, there) in enumerate(zip(out.planes, cells_of(planes, covered(planes, box)), strict=True)):
        assert plane[there].min() >= 16 << (bits - 8)
        assert plane[there].max() <= (240 if i else 235) << (bits - 8)
    full = clip_of(90, 70, bits=bits, full=True)
    blue = paint_planes(full, plan(full, box, spec), Area(), seed=1)
    assert max(int(plane.max()) for plane in blue.planes) < 1 << bits


@given(
    at=st.tuples(st.integers(6, 15), st.integers(6, 15)),
    size=st.tuples(st.integers(3, 20), st.integers(3, 20)),
    sampling=st.sampled_from(SAMPLINGS),
    orientation=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_a_bounded_mosaic_depends_on_its_means_alone_in_samples_too(
    at: tuple[int, int], size: tuple[int, int], sampling: tuple[int, int], orientation: int, seed: int
) -> None:
    planes = clip_of(60, 48, seed, subsampling=sampling, orientation=orientation, full=True)
    rng = np.random.default_rng(seed)
    # Soft colours, which no conversion clips: the mean of the pixels is then a mean of samples.
    calm: Any = tuple(rng.integers(100, 156, plane.shape).astype(np.uint8) for plane in planes.planes)
    box = [float(at[0]), float(at[1]), float(at[0] + size[0]), float(at[1] + size[1])]
    plain = Area(width=1, height=1, up=0, shape="box", regular=False)
    turned = [plane.copy() for plane in calm]
    there = cells_of(planes, covered(planes, [box], plain))
    for plane, here in zip(turned, there, strict=True):
        plane[here] = rng.permutation(plane[here])
    asked = plan(planes, [box], "mosaic:cells=1,b=25")
    one, two = (
        paint_planes(Planes(kind, 8, sampling, "bt709", full=True, orientation=orientation), asked, plain, seed=11)
        for kind in (calm, tuple(turned))
    )
    # Pixels are rounded on their way to the mean, so it may differ by a level, but by no more than that.
    for a, b, here in zip(one.planes, two.planes, there, strict=True):
        assert len(np.unique(a[here])) == len(np.unique(b[here])) == 1
        assert np.abs(a.astype(int) - b)[here].max() <= 1


def test_rows_of_a_decoder_with_room_behind_them() -> None:
    planes = clip_of(90, 70)
    roomy = [np.pad(plane, ((0, 3), (0, 38))) for plane in planes.planes]
    views: Any = tuple(r[: p.shape[0], : p.shape[1]] for r, p in zip(roomy, planes.planes, strict=True))
    asked = plan(planes, BOXES, "veil")
    assert same(paint_planes(Planes(views), asked, Area()), paint_planes(planes, asked, Area()))
