"""Faces, plates and persons in one picture: nothing shows through, and each is covered as its label says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import areas, hidden, planned, regions
from scenes import cells_of, clip_of, picture, scrambled, with_samples

from faceveil import plugins
from faceveil.deidentify.cover import CENTRE_STEP, MARGIN, MARGINS, SIZE_STEP, covers_of, place
from faceveil.deidentify.paint import method, paint, paint_area
from faceveil.deidentify.planar import paint_planes
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Planes, Regions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SPECS = ["blur", "blur:kernel=9", "mosaic", "noise", "mask", "mask:over=glasses", "keep", "mosaic:cells=2,b=30"]
WIDE = [[20.0, 30, 64, 41], [40.0, 60, 58, 108]]


def specs_of(sticker: Path) -> list[str]:
    names = plugins.names(plugins.DEIDENTIFY)
    return [f"image:path={sticker}" if name == "image" else name for name in names] + ["solid:color=ring"]


def strict(specs: list[str]) -> list[bool]:
    return [method(spec).promise == "independent" for spec in specs]


@st.composite
def scenes(draw: st.DrawFn, moving: bool = False) -> tuple[Any, Regions, Area]:
    width, height, seed = draw(st.integers(1, 70)), draw(st.integers(1, 60)), draw(st.integers(0, 9))
    frame: Frame | Planes
    if moving:
        frame = clip_of(width, height, seed, subsampling=draw(st.sampled_from([(2, 2), (2, 1), (1, 1)])))
    else:
        frame = picture(width, height, np.uint16 if draw(st.booleans()) else np.uint8, seed)
    return frame, draw(regions((width, height))), draw(areas())


# --- the promise -----------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(scene=scenes(), data=st.data())
def test_no_output_byte_depends_on_what_is_hidden(
    sticker: Path, scene: tuple[Frame, Regions, Area], data: st.DataObject
) -> None:
    frame, found, area = scene
    specs = [data.draw(st.sampled_from(specs_of(sticker) + SPECS)) for _ in range(len(found))]
    asked = planned(frame, found, specs)
    other = scrambled(frame, hidden(frame, found, area, strict(specs)))
    one, two = (paint(f, asked, area, seed=7).pixels for f in (frame, other))
    assert one.tobytes() == two.tobytes()


@settings(max_examples=200)
@given(scene=scenes(moving=True), data=st.data())
def test_no_output_sample_depends_on_what_is_hidden(
    sticker: Path, scene: tuple[Planes, Regions, Area], data: st.DataObject
) -> None:
    planes, found, area = scene
    specs = [data.draw(st.sampled_from(specs_of(sticker) + SPECS)) for _ in range(len(found))]
    asked = planned(planes, found, specs)
    other = with_samples(planes, cells_of(planes, hidden(planes, found, area, strict(specs))))
    one, two = (paint_planes(p, asked, area, seed=7).planes for p in (planes, other))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@settings(max_examples=200)
@given(scene=scenes(), data=st.data())
def test_pixels_outside_of_all_covers_stay(
    sticker: Path, scene: tuple[Frame, Regions, Area], data: st.DataObject
) -> None:
    frame, found, area = scene
    spec = data.draw(st.sampled_from(specs_of(sticker)))
    out, where = paint_area(frame, planned(frame, found, [spec] * len(found)), area, seed=1)
    outside = ~hidden(frame, found, area, [True] * len(found), grown=max(method(spec).feather, 1e-5))
    assert np.array_equal(out.pixels[outside], frame.pixels[outside])
    assert not where[outside].any()


# --- geometry --------------------------------------------------------------------------------------------------------


def of_labels(labels: list[str], boxes: list[list[float]] = WIDE, track: bool = False) -> Regions:
    count = len(labels)
    numbers = np.arange(count) if track else None
    return Regions(np.array(boxes[:count]), np.full(count, 0.9), label=np.array(labels), track=numbers)


def test_faces_among_others_are_covered_as_faces_are() -> None:
    boxes = np.array([[10, 10, 40, 50], [60, 20, 140, 40], [100, 100, 130, 190]], np.float32)
    found = Regions(boxes, np.full(3, 0.5), label=np.array(["plate", "face", "person"]))
    for area in (Area(), Area.named("head"), Area(shape="ellipse", regular=False)):
        covers, alone = covers_of(found, area), place(boxes[1:2], area)
        assert np.array_equal(covers.rects()[1], alone.rects()[0])
        assert np.array_equal(covers.boxes[1], alone.boxes[0])
        assert covers.exponent.tolist() == [np.inf, alone.exponent[0], np.inf]


@pytest.mark.parametrize("label", [*MARGINS, "badge"])
def test_others_are_covered_as_their_box_with_a_margin(label: str) -> None:
    across, down = MARGINS.get(label, MARGIN)
    covers = covers_of(of_labels([label, label]), Area(width=9, height=9, regular=False))  # of a face: without effect
    for rect, (x1, y1, x2, y2) in zip(covers.rects(), WIDE, strict=True):
        w, h = x2 - x1, y2 - y1
        assert rect == pytest.approx([x1 - across * w, y1 - down * h, x2 + across * w, y2 + down * h])
    assert covers.boxes == pytest.approx(np.array(WIDE), abs=1e-4)


sides = st.floats(0, 900)
corners = st.floats(-300, 2000)


@settings(max_examples=200)
@given(
    boxes=st.lists(st.tuples(corners, corners, sides, sides), min_size=1, max_size=8),
    label=st.sampled_from(["plate", "person", "badge"]),
    track=st.booleans(),
)
def test_regular_boxes_hold_the_plain_ones_on_a_grid_of_few_sizes(
    boxes: list[tuple[float, float, float, float]], label: str, track: bool
) -> None:
    found = of_labels([label] * len(boxes), [[x, y, x + w, y + h] for x, y, w, h in boxes], track)
    plain, regular = (covers_of(found, Area(regular=r)) for r in (False, True))
    inner, outer = plain.rects(), regular.rects()
    assert (outer[:, :2] <= inner[:, :2] + 1e-6).all()
    assert (outer[:, 2:] >= inner[:, 2:] - 1e-6).all()
    steps = np.log(regular.half) / np.log(SIZE_STEP)
    assert steps == pytest.approx(np.rint(steps), abs=1e-6)
    assert (regular.half <= plain.half / (1 - CENTRE_STEP) * SIZE_STEP * (1 + 1e-9)).all()  # and not much larger
    across = regular.centre / (2 * regular.half / (96 if track else 24))
    assert across == pytest.approx(np.rint(across), abs=1e-4)


def test_a_plate_and_a_person_keep_their_own_proportions() -> None:
    plate, person = covers_of(of_labels(["plate", "person"]), Area()).half
    assert plate[0] / plate[1] > 2.5
    assert person[1] / person[0] > 2


# --- what each method does with what is no face ----------------------------------------------------------------------


def painted(spec: str, label: str, box: list[float], marks: bool = False) -> tuple[Frame, Any, NDArray[np.bool_]]:
    frame = picture(120, 120)
    landmarks = np.full((1, 5, 2), np.nan, np.float32) if marks else None
    found = Regions(np.array([box]), np.array([0.9]), landmarks, label=np.array([label]))
    out = paint(frame, FramePlan(found, (spec,), (120, 120)), Area(), seed=1).pixels
    return frame, out, hidden(frame, found, Area(), [True])


@pytest.mark.parametrize("label", ["plate", "person", "badge"])
@pytest.mark.parametrize("box", WIDE)
def test_every_method_hides_a_box_as_it_hides_a_face(sticker: Path, label: str, box: list[float]) -> None:
    for spec in specs_of(sticker):
        frame, out, inside = painted(spec, label, box)
        changed = (out != frame.pixels).any(axis=2)
        assert changed[inside].mean() > 0.6 if spec != "keep" else not changed.any()


@pytest.mark.parametrize("marks", [False, True])
def test_a_mask_fills_what_is_no_face(marks: bool) -> None:
    _, out, inside = painted("mask:over=lower", "plate", WIDE[0], marks)
    assert (out[inside] == 0).all()


def test_a_veil_sets_heads_on_faces_alone() -> None:
    pixels: Any = np.full((160, 240, 3), (90, 120, 60), np.uint8)
    box = [[90, 40, 140, 102]]
    made = {}
    for label in ("face", "person"):
        found = Regions(np.array(box), np.array([0.9]), label=np.array([label]))
        made[label] = paint(Frame(pixels), FramePlan(found, ("veil",), (240, 160)), Area()).pixels[60:80, 105:125]
    assert np.ptp(made["person"]) == 0
    assert made["face"].mean() > made["person"].mean() + 30


def test_a_face_on_a_person_keeps_its_head() -> None:
    """Covers of one method that touch are one area, whatever they are of."""
    pixels: Any = np.full((240, 240, 3), (90, 120, 60), np.uint8)
    boxes = np.array([[90, 40, 130, 230], [95, 45, 125, 83]], np.float32)
    found = Regions(boxes, np.full(2, 0.9), label=np.array(["person", "face"]))
    out = paint(Frame(pixels), FramePlan(found, ("veil",) * 2, (240, 240)), Area()).pixels.astype(int)
    assert out[55:70, 105:115].mean() > out[150:220, 95:125].mean() + 30
    assert np.ptp(out[150:220, 95:125]) == 0


def test_a_kept_person_uncovers_no_face() -> None:
    frame = picture(120, 120)
    boxes = np.array([[30, 10, 90, 110], [45, 14, 65, 40]], np.float32)
    found = Regions(boxes, np.full(2, 0.9), label=np.array(["person", "face"]))
    both = paint(frame, FramePlan(found, ("keep", "solid"), (120, 120)), Area()).pixels
    alone = paint(frame, FramePlan(found[1:], ("solid",), (120, 120)), Area()).pixels
    assert np.array_equal(both, alone)
