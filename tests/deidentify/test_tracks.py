"""Over the frames of a video: a track keeps its look, so that many frames show no more than the method says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from faceveil.deidentify.cover import TRACKED_STEP, place
from faceveil.deidentify.paint import paint
from faceveil.deidentify.planar import paint_planes
from faceveil.planes import samples
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Planes, Regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

WIDTH, HEIGHT = 260, 200
FACE = (48, 60)  # width and height of the face
PATH = [(40 + 2 * t + t % 3, 50 + (t * 7) % 11) for t in range(40)]  # where its corner is; odd and even steps


def face() -> Array:
    """Something to recognise, with a ground around it as large as the cover: (h, w, 3)."""
    rng = np.random.default_rng(1)
    coarse = rng.uniform(30, 225, (14, 12, 3)).astype(np.float32)
    return cv2.resize(coarse, (3 * FACE[0], 3 * FACE[1]), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def scene(x: int, y: int) -> Array:
    """A still ground with the face at a place."""
    pixels = np.full((HEIGHT + 200, WIDTH + 200, 3), 100, np.uint8)
    pixels[100 + y - FACE[1] : 100 + y + 2 * FACE[1], 100 + x - FACE[0] : 100 + x + 2 * FACE[0]] = face()
    return pixels[100 : 100 + HEIGHT, 100 : 100 + WIDTH].copy()


def planned(boxes: Sequence[Sequence[float]], spec: str, track: Sequence[int] | None, index: int = 0) -> FramePlan:
    xyxy = np.array(boxes, np.float32)
    regions = Regions(xyxy, np.ones(len(xyxy), np.float32), track=None if track is None else np.array(track))
    return FramePlan(regions, (spec,) * len(xyxy), (WIDTH, HEIGHT), index)


def box(x: float, y: float, larger: float = 0) -> list[float]:
    return [x - larger, y - larger, x + FACE[0] + larger, y + FACE[1] + larger]


def faces_painted(spec: str, track: Sequence[int] | None, jitter: float = 0.0) -> list[Array]:
    """The part of each frame where the face is, (h, w, 3), with frames painted one by one."""
    rng, out = np.random.default_rng(5), []
    for t, (x, y) in enumerate(PATH):
        dx, dy = rng.uniform(-jitter, jitter, 2)
        pixels: Any = scene(x, y)
        painted = paint(Frame(pixels, index=t), planned([box(x + dx, y + dy)], spec, track, t), Area(), seed=9)
        out.append(painted.pixels[y : y + FACE[1], x : x + FACE[0]].astype(np.float64))
    return out


def likeness(seen: Array) -> float:
    """Correlation with the original face."""
    original = face()[FACE[1] : 2 * FACE[1], FACE[0] : 2 * FACE[0]].astype(np.float64)
    return float(np.corrcoef(seen.ravel(), original.ravel())[0, 1])


def test_averaging_a_moving_face_under_noise_shows_no_more_than_one_frame() -> None:
    frames = faces_painted("noise:percent=90", track=[3])
    one = likeness(frames[0])
    assert one < 0.25
    assert likeness(np.mean(frames, axis=0)) < one + 0.01
    # What this is for: noise that is drawn anew for every frame is averaged away.
    assert likeness(np.mean(faces_painted("noise:percent=90", track=None), axis=0)) > one + 0.3


def test_other_tracks_and_other_seeds_have_other_noise() -> None:
    pixels: Any = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    two = planned([box(30, 60), box(150, 60)], "noise:percent=100", [1, 2])
    out = paint(Frame(pixels), two, Area(), seed=9).pixels
    here, there = (out[60 : 60 + FACE[1], x : x + FACE[0]] for x in (30, 150))
    assert abs(np.corrcoef(here.ravel(), there.ravel())[0, 1]) < 0.1
    other = paint(Frame(pixels), two, Area(), seed=10).pixels
    assert not np.array_equal(out, other)
    # The order of the regions in a plan is of no account, only the track.
    turned = paint(Frame(pixels), planned([box(150, 60), box(30, 60)], "noise:percent=100", [2, 1]), Area(), seed=9)
    assert np.array_equal(turned.pixels, out)


def test_tracked_covers_are_as_large_as_those_of_stills_and_contain_what_they_must() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 500, (400, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 300, (400, 2))], axis=1).astype(np.float32)
    for shape in ("rounded", "ellipse", "box"):
        still, moving = (place(boxes, Area(shape=shape), tracked=t) for t in (False, True))
        plain = place(boxes, Area(shape=shape, regular=False))
        assert np.array_equal(still.half, moving.half)
        inner, outer = plain.rects(), moving.rects()
        assert (outer[:, :2] <= inner[:, :2]).all()
        assert (outer[:, 2:] >= inner[:, 2:]).all()
        steps = moving.centre / (2 * moving.half * TRACKED_STEP)
        assert np.allclose(steps, np.rint(steps), atol=1e-6)


@pytest.mark.parametrize("larger", [0.5, 1, 3, 20])
def test_a_field_of_noise_stays_when_the_face_moves_or_grows(larger: float) -> None:
    pixels: Any = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    one = paint(Frame(pixels), planned([box(80, 70)], "noise:percent=100", [4]), Area(), seed=9).pixels
    two = paint(Frame(pixels), planned([box(93, 61, larger)], "noise:percent=100", [4]), Area(), seed=9).pixels
    assert np.array_equal(one[70 : 70 + FACE[1], 80 : 80 + FACE[0]], two[61 : 61 + FACE[1], 93 : 93 + FACE[0]])


def test_noise_stays_at_the_border_and_in_patches_larger_than_a_tile() -> None:
    pixels: Any = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    large = [[-400.0, -400.0, 500.0, 600.0], [-410.0, -403.0, 490.0, 597.0]]
    one, two = (paint(Frame(pixels), planned([b], "noise:percent=100", [4]), Area(), seed=9).pixels for b in large)
    assert np.array_equal(one[3:, 10:], two[:-3, :-10])


@pytest.mark.parametrize("bits", [8, 10])
def test_noise_is_as_steady_in_samples(bits: int) -> None:
    seen = []
    for t, (x, y) in enumerate(PATH):
        rgb: Any = scene(x, y) if bits == 8 else scene(x, y).astype(np.uint16) * 257
        empty = [
            np.zeros(s, rgb.dtype) for s in ((HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 2, WIDTH // 2))
        ]
        planes = Planes(samples(Planes(tuple(empty), bits), (0, 0, WIDTH, HEIGHT), rgb), bits, index=t)
        out = paint_planes(planes, planned([box(x, y)], "noise:percent=90", [3], t), Area(), seed=9)
        seen.append(out.planes[0][y : y + FACE[1], x : x + FACE[0]].astype(np.float64))
    # Luma alone: a chroma sample of 4:2:0 mixes other pixels where the face moves by an odd number of them.
    original = cv2.cvtColor(face()[FACE[1] : 2 * FACE[1], FACE[0] : 2 * FACE[0]], cv2.COLOR_RGB2GRAY)
    one, all_of_them = (np.corrcoef(s.ravel(), original.ravel())[0, 1] for s in (seen[0], np.mean(seen, axis=0)))
    assert one < 0.3
    assert all_of_them < one + 0.02


# --- mosaic ---------------------------------------------------------------------------------------------------------

CELLS = 4


def colours(pixels: Array, where: list[float], cells: int) -> Array:
    """The colour in the middle of each cell of a cover, (cells, cells, 3)."""
    x1, y1, x2, y2 = place(np.array([where], np.float32), Area(), tracked=True).rects()[0]
    x = (x1 + (np.arange(cells) + 0.5) * (x2 - x1) / cells).astype(int)
    y = (y1 + (np.arange(cells) + 0.5) * (y2 - y1) / cells).astype(int)
    return np.asarray(pixels[y[:, None], x], int)


def test_a_track_keeps_the_noise_of_every_cell() -> None:
    pixels: Any = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    spec, places = f"mosaic:cells={CELLS},b=20", [box(80, 70), box(81, 70), box(97.3, 64.2), box(90, 70, 5)]
    seen = [
        colours(paint(Frame(pixels, index=t), planned([b], spec, [4], t), Area(shape="box"), seed=9).pixels, b, CELLS)
        for t, b in enumerate(places)
    ]
    assert len(np.unique(seen[0])) > 20
    assert all(np.array_equal(s, seen[0]) for s in seen)
    free = [
        colours(paint(Frame(pixels, index=t), planned([b], spec, None, t), Area(shape="box"), seed=9).pixels, b, CELLS)
        for t, b in enumerate(places[:2])
    ]
    assert not np.array_equal(free[0], free[1])


def test_cells_keep_their_place_on_a_moving_face() -> None:
    columns = []
    for t in range(60):
        x = 60 + t * 0.87
        pixels: Any = np.random.default_rng(t).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        plan = planned([box(x, 70)], f"mosaic:cells={CELLS}", [0], t)
        out = paint(Frame(pixels, index=t), plan, Area(shape="box"), seed=9).pixels
        x1, y1, x2, y2 = place(plan.regions.xyxy, Area(shape="box"), tracked=True).rects()[0]
        row = out[int((y1 + y2) / 2), int(np.ceil(x1)) : int(x2)].astype(int)
        ends = np.flatnonzero((row[1:] != row[:-1]).any(axis=1)) + 1 + int(np.ceil(x1))
        assert len(ends) == CELLS - 1
        columns.append((ends - x) / ((x2 - x1) / CELLS))
    # The grid follows the cover, and the cover the face, by steps: cells and face shift by less than one such step,
    # and the edge of a cell falls on a whole pixel.
    shift = np.ptp(np.array(columns), axis=0)
    one_pixel = CELLS / (place(np.array([box(60, 70)], np.float32), Area(shape="box")).half[0, 0] * 2)
    assert (shift <= CELLS * TRACKED_STEP + one_pixel).all()


def test_veil_paints_the_same_frame_the_same_way_at_any_time_with_one_seed() -> None:
    pixels: Any = scene(80, 70)
    first, later = (
        paint(Frame(pixels, index=t), planned([box(80, 70)], "veil", [3], t), Area(), seed=5).pixels for t in (0, 7)
    )
    assert np.array_equal(first, later)
