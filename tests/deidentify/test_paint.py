"""How covers of several faces and methods meet, and what paint refuses."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cv2
import numpy as np
import pytest
from scenes import covered, picture, plan

from faceveil.deidentify.base import Deidentifier, Patch
from faceveil.deidentify.paint import method, paint
from faceveil.errors import RequestError
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Regions

PAIR = [[24, 20, 42, 44], [44, 20, 62, 44]]
PLAIN = Area(width=1, height=1, up=0, shape="box", regular=False)


def flat(value: Any, width: int = 200, height: int = 160) -> Frame:
    pixels: Any = np.full((height, width, 3), value, np.uint8)
    return Frame(pixels)


def test_a_plan_for_another_size_is_refused() -> None:
    frame = picture()
    other = FramePlan(
        Regions(np.array([[1, 1, 5, 5]], np.float32), np.array([0.5], np.float32)),
        ("veil",),
        (frame.height, frame.width),
    )
    with pytest.raises(RequestError, match="70x90"):
        paint(frame, other, Area())


@pytest.mark.parametrize("spec", ["blurr", "mosaic:cells=0", "solid:color=nocolour", "image:path=/no/such.png"])
def test_methods_that_do_not_exist_or_cannot_work_are_refused(spec: str) -> None:
    frame = picture()
    with pytest.raises(RequestError):
        paint(frame, plan(frame, PAIR[:1], spec), Area())


def test_covers_that_overlap_are_one_area() -> None:
    frame = flat((200, 90, 30))
    one = paint(frame, plan(frame, [[60, 50, 90, 90], [84, 50, 114, 90]], "solid:color=ring"), Area())
    assert np.array_equal(one.pixels, frame.pixels)  # neither ring saw the other's paint, or the sums would differ


def test_equal_methods_written_differently_are_one_area() -> None:
    frame = picture(200, 160)
    boxes = [[60, 50, 90, 90], [84, 50, 114, 90]]
    same = paint(frame, plan(frame, boxes, ["veil", "veil"]), Area()).pixels
    spaced = paint(frame, plan(frame, boxes, ["veil", " veil "]), Area()).pixels
    assert np.array_equal(same, spaced)


def test_between_equals_the_nearer_centre_wins() -> None:
    frame = picture()
    out = paint(frame, plan(frame, PAIR, ["solid:color=red", "solid:color=blue"]), Area()).pixels
    red, blue = (out == [255, 0, 0]).all(2), (out == [0, 0, 255]).all(2)
    both = covered(frame, PAIR[:1]) & covered(frame, PAIR[1:])
    assert both.any()
    assert np.array_equal(red | blue, covered(frame, PAIR))
    assert red[32, 33]
    assert blue[32, 53]
    columns = np.nonzero(both.any(axis=0))[0]
    assert red[32, columns[0]]
    assert blue[32, columns[-1]]


def test_the_order_of_faces_is_of_no_account() -> None:
    frame = picture()
    specs = ["blur", "mosaic", "veil", "solid"]
    boxes = [*PAIR, [30, 5, 44, 22], [60, 40, 80, 60]]
    one = paint(frame, plan(frame, boxes, specs), Area()).pixels
    two = paint(frame, plan(frame, boxes[::-1], specs[::-1]), Area()).pixels
    assert np.array_equal(one, two)


def test_keep_and_bars_leave_a_neighbours_cover_whole() -> None:
    frame = picture()
    inside = covered(frame, PAIR[:1])
    for weak in ("keep", "mask"):
        out = paint(frame, plan(frame, PAIR, ["blur:sigma_px=3", weak], landmarks=True), Area()).pixels
        alone = paint(frame, plan(frame, PAIR[:1], "blur:sigma_px=3"), Area()).pixels
        bar = (out == 0).all(2)
        assert np.array_equal(out[inside & ~bar], alone[inside & ~bar])


def test_cosmetic_methods_read_the_original_not_each_other() -> None:
    frame = picture()
    out = paint(frame, plan(frame, PAIR, ["blur:sigma_px=2", "mosaic"]), Area()).pixels
    blurred: Any = cv2.GaussianBlur(frame.pixels.astype(np.float32), (0, 0), 2, borderType=cv2.BORDER_REPLICATE)
    mine = covered(frame, PAIR[:1]) & ~covered(frame, PAIR[1:])
    assert np.abs(out[mine].astype(float) - blurred[mine]).max() <= 2


def test_the_soft_edge_lies_outside_and_fades() -> None:
    frame = flat((10, 200, 10))
    pixels = frame.pixels.copy()
    box = [[80, 60, 110, 100]]
    hidden = covered(frame, box)
    reached = covered(frame, box, grown=method("veil").feather)
    near = reached & ~hidden
    pixels[~reached] = (200, 10, 10)
    out = paint(Frame(pixels), plan(frame, box, "veil"), Area()).pixels.astype(int)
    changed = (out != pixels).any(axis=2)
    assert changed[hidden].all()
    assert changed[near].mean() > 0.5
    assert not changed[~hidden & ~near].any()
    row = 80
    edge = np.nonzero(near[row, :95])[0]
    difference = np.abs(out[row, edge] - pixels[row, edge]).max(axis=1)
    assert difference[0] < difference[-1]  # from the left: nothing at first, then more and more


@pytest.mark.parametrize("turned", [False, True])
def test_the_soft_edge_ends_at_other_covers(turned: bool) -> None:
    plain = Area(regular=False)
    frame = flat((10, 200, 10))
    boxes, specs = [[60, 60, 90, 100], [116, 60, 146, 100]], ["veil", "solid"]
    assert not (covered(frame, boxes[:1], plain) & covered(frame, boxes[1:], plain)).any()
    assert (covered(frame, boxes[:1], plain, grown=method("veil").feather) & covered(frame, boxes[1:], plain)).any()
    if turned:
        boxes, specs = boxes[::-1], specs[::-1]
    out = paint(frame, plan(frame, boxes, specs), plain).pixels
    assert (out[covered(frame, [[116, 60, 146, 100]], plain)] == 0).all()


def test_colour_below_transparent_pixels_is_painted_too() -> None:
    frame = picture(alpha=True)
    clear: Any = np.zeros((frame.height, frame.width), np.uint8)
    out = paint(Frame(frame.pixels, clear), plan(frame, PAIR, "solid"), Area())
    assert (out.pixels[covered(frame, PAIR)] == 0).all()


def test_independent_methods_get_erased_pixels_and_geometry_of_the_cover_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Patch] = []
    original = type(method("solid")).__call__

    def spy(self: Any, patch: Patch, rng: np.random.Generator) -> Any:
        seen.append(patch)
        return original(self, patch, rng)

    monkeypatch.setattr(type(method("solid")), "__call__", spy)
    frame = picture(200, 160)
    boxes = [[60.0, 50.0, 91.0, 88.0]]
    moved = [[60.1, 50.1, 90.9, 88.0]]  # not enough to leave its step
    for face in (boxes, moved):
        paint(frame, plan(frame, face, "solid", landmarks=True), Area())
    for patch in seen:
        assert patch.faces.landmarks is None
        assert not patch.pixels[patch.cover].any()
        assert np.array_equal(patch.known, ~patch.cover)
        assert patch.known.any()
        assert not patch.pixels.flags.writeable
    assert np.array_equal(seen[0].faces.boxes, seen[1].faces.boxes)
    assert np.array_equal(seen[0].faces.covers, seen[1].faces.covers)


def test_a_method_that_returns_another_shape_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Deidentifier, patch: Patch, rng: np.random.Generator) -> Any:
        return patch.pixels[1:]

    monkeypatch.setattr(type(method("blur")), "__call__", wrong)
    frame = picture()
    with pytest.raises(TypeError, match="method 'blur' must return uint8"):
        paint(frame, plan(frame, PAIR, "blur"), Area())


def test_memory_of_a_large_picture_is_one_copy_and_small_patches() -> None:
    pixels = np.zeros((4000, 5000, 3), np.uint8)
    frame = Frame(pixels)
    asked = plan(frame, [[1000, 1000, 1400, 1500], [3000, 2000, 3040, 2050], [4900, 3900, 5100, 4100]], "veil")
    tracemalloc.start()
    paint(frame, asked, Area())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * pixels.nbytes


def test_boxes_of_detectors_reach_only_cosmetic_methods() -> None:
    # A face's own box sets the blur, so two sizes under one snapped cover differ; a veil must not.
    frame = picture(200, 160)
    boxes = [[[60.0, 50.0, 90.0, 88.0]], [[60.5, 50.0, 89.5, 88.0]]]
    blurred = [paint(frame, plan(frame, b, "blur:sigma=0.2"), Area()).pixels for b in boxes]
    veiled = [paint(frame, plan(frame, b, "veil"), Area()).pixels for b in boxes]
    assert np.array_equal(veiled[0], veiled[1])
    assert not np.array_equal(blurred[0], blurred[1])
