"""The promise: with `independent` methods no output byte depends on a covered pixel; with `bounded`, on cell means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import covered, picture, plan, scrambled

from faceveil import plugins
from faceveil.deidentify.paint import method, paint
from faceveil.policy import Area
from faceveil.types import Frame

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAMES = plugins.names(plugins.DEIDENTIFY)
COSMETIC = ["blur", "blur:kernel=9", "mosaic", "noise", "mask", "keep", "mosaic:cells=2,b=30"]

Boxes = list[list[float]]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Frame, Boxes, Area]:
    """Small pictures with one to five faces that overlap, touch the border or lie outside of it."""
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 60))
    dtype = np.uint16 if draw(st.booleans()) else np.uint8
    frame = picture(width, height, dtype, draw(st.integers(0, 9)), draw(st.booleans()))
    x, y = st.floats(-20, width + 10, width=16), st.floats(-20, height + 10, width=16)
    size = st.floats(0, 40, width=16)
    faces = draw(st.lists(st.tuples(x, y, size, size), min_size=1, max_size=5))
    area = Area.model_validate(
        {"shape": draw(st.sampled_from(["rounded", "ellipse", "box"])), "regular": draw(st.booleans())}
    )
    return frame, [[x, y, x + w, y + h] for x, y, w, h in faces], area


def independent(sticker: Path) -> list[str]:
    specs = [f"image:path={sticker}" if name == "image" else name for name in NAMES] + ["solid:color=ring"]
    return [spec for spec in specs if method(spec).promise == "independent"]


def same_output(frame: Frame, boxes: Boxes, specs: list[str], area: Area) -> None:
    hidden = [box for box, spec in zip(boxes, specs, strict=True) if method(spec).promise == "independent"]
    other = scrambled(frame, covered(frame, hidden, area))
    asked = plan(frame, boxes, specs, landmarks=True)
    one, two = (paint(f, asked, area, seed=7) for f in (frame, other))
    assert one.pixels.tobytes() == two.pixels.tobytes()


def test_there_are_independent_methods(sticker: Path) -> None:
    assert {"veil", "solid"} <= {spec.partition(":")[0] for spec in independent(sticker)}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scene=scenes(), data=st.data())
def test_no_output_byte_depends_on_a_covered_pixel(
    sticker: Path, scene: tuple[Frame, Boxes, Area], data: st.DataObject
) -> None:
    frame, boxes, area = scene
    spec = data.draw(st.sampled_from(independent(sticker)))
    same_output(frame, boxes, [spec] * len(boxes), area)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scene=scenes(), data=st.data())
def test_nothing_shows_through_methods_of_other_classes(
    sticker: Path, scene: tuple[Frame, Boxes, Area], data: st.DataObject
) -> None:
    frame, boxes, area = scene
    any_method = st.sampled_from(independent(sticker) + COSMETIC)
    same_output(frame, boxes, [data.draw(any_method) for _ in boxes], area)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [1.0, 2.3, 5.0])
def test_large_faces_too(sticker: Path, scale: float, dtype: type[np.uint8]) -> None:
    frame = picture(int(160 * scale), int(120 * scale), dtype, alpha=True)
    faces = np.array([[20, 20, 50, 58], [45, 24, 76, 60], [120, 80, 170, 140], [90, 10, 96, 18]]) * scale
    for spec in independent(sticker):
        same_output(frame, faces.tolist(), [spec] * 4, Area())
    same_output(frame, faces.tolist(), ["veil", "blur", "solid:color=ring", "veil"], Area())


@pytest.mark.parametrize("neighbour", ["keep", "blur", "mosaic", "noise:percent=0", "mask", "blur:kernel=1"])
@pytest.mark.parametrize("spec", ["veil", "solid"])
def test_a_weaker_neighbour_uncovers_nothing(spec: str, neighbour: str) -> None:
    frame = picture()
    boxes: Boxes = [[30, 20, 46, 42], [44, 20, 60, 42]]
    same_output(frame, boxes, [spec, neighbour], Area())
    same_output(frame, boxes[::-1], [neighbour, spec], Area())
    alone = paint(frame, plan(frame, boxes[:1], "solid"), Area()).pixels
    both = paint(frame, plan(frame, boxes, ["solid", neighbour], landmarks=True), Area()).pixels
    inside = covered(frame, boxes[:1])
    assert np.array_equal(both[inside], alone[inside])


# --- bounded -------------------------------------------------------------------------------------------------------

CELLS = 3
PLAIN = Area(width=1, height=1, up=0, shape="box", regular=False)


def with_other_pixels_of_the_same_means(frame: Frame, box: tuple[int, int, int, int], seed: int) -> Frame:
    """Every cell's pixels in another order: the picture of the cell differs, its mean does not."""
    rng = np.random.default_rng(seed)
    pixels: Any = frame.pixels.copy()
    x1, y1, x2, y2 = box
    tall, wide = (y2 - y1) // CELLS, (x2 - x1) // CELLS
    for y in range(y1, y2, tall):
        for x in range(x1, x2, wide):
            cell: NDArray[Any] = pixels[y : y + tall, x : x + wide]
            cell[:] = rng.permutation(cell.reshape(-1, 3)).reshape(cell.shape)
    return Frame(pixels)


@settings(max_examples=60, deadline=None)
@given(
    tall=st.integers(1, 8),
    wide=st.integers(1, 8),
    seed=st.integers(0, 1000),
    neighbour=st.sampled_from(["none", "keep", "blur", "mosaic", "veil", "solid:color=ring", "noise"]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_bounded_mosaic_depends_on_its_cell_means_alone(
    tall: int, wide: int, seed: int, neighbour: str, dtype: type[np.uint8]
) -> None:
    frame = picture(50, 40, dtype, seed)
    box = (12, 9, 12 + CELLS * wide, 9 + CELLS * tall)
    boxes, specs = [list(map(float, box))], [f"mosaic:cells={CELLS},b=25"]
    if neighbour != "none":  # beside it: its own cover must not tell about this one's pixels
        boxes.append([box[2] + 1.0, 9.0, box[2] + 9.0, 19.0])
        specs.append(neighbour)
    assert method(specs[0]).promise == "bounded"
    other = with_other_pixels_of_the_same_means(frame, box, seed + 1)
    asked = plan(frame, boxes, specs, landmarks=True)
    one, two = (paint(f, asked, PLAIN, seed=11).pixels for f in (frame, other))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("neighbour", ["keep", "blur", "noise:percent=0", "mask"])
def test_a_cosmetic_neighbour_shows_nothing_of_a_bounded_cover(neighbour: str) -> None:
    frame = picture(60, 40)
    boxes: Boxes = [[12, 9, 30, 27], [24, 9, 42, 27]]
    specs = [f"mosaic:cells={CELLS},b=25", neighbour]
    other = with_other_pixels_of_the_same_means(frame, (12, 9, 30, 27), 3)
    asked = plan(frame, boxes, specs, landmarks=True)
    one, two = (paint(f, asked, PLAIN, seed=11).pixels for f in (frame, other))
    assert np.array_equal(one, two)
