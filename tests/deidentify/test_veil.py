"""What the veil shows and what it looks like, as far as numbers can say it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import cells_of, clip_of, covered, picture, plan

from faceveil.deidentify.base import Faces, Patch
from faceveil.deidentify.cover import place
from faceveil.deidentify.paint import method, paint
from faceveil.deidentify.planar import paint_planes
from faceveil.deidentify.veil import BOUNDS, HEAD, MOVED, RAMP, SCALED, STEPS, TONES, _greys, _heads
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACE = [[100, 80, 140, 130]]
PAIR = [[70, 70, 110, 120], [112, 74, 152, 124]]
NOW = Fraction(0)  # of a frame of an animation
LEVELS = range(2 * STEPS + 1)

Boxes = list[list[float]]


def frame_of(pixels: Any, time: Fraction | None = None) -> Frame:
    return Frame(np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8)), time=time)


def veiled(frame: Frame, boxes: Any = FACE) -> Any:
    return paint(frame, plan(frame, boxes, "veil"), Area()).pixels.astype(int)


def flat(color: tuple[int, int, int], width: int = 240, height: int = 200, time: Fraction | None = None) -> Frame:
    return frame_of(np.full((height, width, 3), color), time)


@st.composite
def faces(draw: st.DrawFn) -> tuple[int, int, Boxes, Area]:
    """The size of a picture and one to four faces in it, beside each other, at the border or outside."""
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 80))
    x, y = st.floats(-20, width + 10, width=16), st.floats(-20, height + 10, width=16)
    size = st.floats(0, 50, width=16)
    found = draw(st.lists(st.tuples(x, y, size, size), min_size=1, max_size=4))
    shape, regular = draw(st.sampled_from(["rounded", "ellipse", "box"])), draw(st.booleans())
    return width, height, [[x, y, x + w, y + h] for x, y, w, h in found], Area(shape=shape, regular=regular)


def toned(level: int, scene: tuple[int, int, Boxes, Area], seed: int, time: Fraction | None = None) -> Frame:
    """A picture whose pixels differ from each other, and whose surroundings have the tones of a level of 0, 1 or 2."""
    middle, spread = ((25, 10), (100, 20), (200, 30))[level]
    width, height, _, _ = scene
    values = np.random.default_rng(seed).integers(middle - spread, middle + spread, (height, width, 3))
    return frame_of(values, time)


@settings(max_examples=150, deadline=None)
@given(scene=faces(), seeds=st.tuples(st.integers(0, 9), st.integers(10, 19)), level=st.integers(0, 2))
def test_in_an_animation_the_inside_of_all_covers_is_the_same_in_pictures_of_one_level(
    scene: tuple[int, int, Boxes, Area], seeds: tuple[int, int], level: int
) -> None:
    _, _, boxes, area = scene
    one, two = (toned(level, scene, seed, NOW) for seed in seeds)
    inside = covered(one, boxes, area)
    made = [paint(frame, plan(frame, boxes, "veil"), area).pixels[inside] for frame in (one, two)]
    assert made[0].tobytes() == made[1].tobytes()


@settings(max_examples=150, deadline=None)
@given(scene=faces(), seed=st.integers(0, 99))
def test_in_a_still_nothing_but_the_sum_of_the_surroundings_shows(
    scene: tuple[int, int, Boxes, Area], seed: int
) -> None:
    width, height, boxes, area = scene
    boxes = boxes[:1]
    frame = picture(width, height, seed=seed)
    # A touch more is covered than the rule says, for pixels that the shape only just misses.
    inside, closed, reached = (covered(frame, boxes, area, grown=grown) for grown in (0, 1e-4, 0.2))
    pixels = np.random.default_rng(seed).integers(0, 256, frame.pixels.shape, np.uint8)
    pixels[~inside] = frame.pixels[~inside]
    edge = np.flatnonzero(reached & ~closed)
    pixels.reshape(-1, 3)[edge] = pixels.reshape(-1, 3)[edge[::-1]]  # all change places
    made = [paint(f, plan(f, boxes, "veil"), area).pixels[inside] for f in (frame, Frame(pixels))]
    assert made[0].tobytes() == made[1].tobytes()


@settings(max_examples=100, deadline=None)
@given(scene=faces(), seed=st.integers(0, 99), level=st.integers(0, 2))
def test_the_inside_is_grey_and_of_the_tones_of_its_level(
    scene: tuple[int, int, Boxes, Area], seed: int, level: int
) -> None:
    _, _, boxes, area = scene
    frame = toned(level, scene, seed)
    inside = covered(frame, boxes, area)
    made = paint(frame, plan(frame, boxes, "veil"), area).pixels
    assert (made[inside] == made[inside][:, :1]).all()
    # Where nothing is left around a cover, the tones are the middling ones.
    allowed = {int(tone) for row in (TONES[level], TONES[1]) for tone in range(int(row.min()), int(row.max()) + 1)}
    assert set(made[inside].flat) <= allowed


def test_in_a_video_tones_follow_the_light_without_jumps() -> None:
    levels = range(256)
    made = np.array([veiled(flat((level, level, level), time=NOW))[105, 120, 0] for level in levels])
    ground = TONES[:, -1]
    for part, tone in zip(np.split(made, BOUNDS), ground, strict=True):
        assert (part[RAMP : -RAMP if tone != ground[-1] else None] == tone).all()
    steepest = 1.5 * np.abs(np.diff(ground)).max() / (2 * RAMP)
    assert np.abs(np.diff(made)).max() <= steepest + 3


def heads_of(frame: Frame, boxes: Any, keys: tuple[bytes, ...] | None = None) -> NDArray[np.float64]:
    """Centre and half sizes of each head, (n, 4)."""
    covers = place(np.array(boxes, np.float32), Area())
    known = ~covered(frame, boxes)
    pixels: Any = np.where(known[:, :, None], frame.pixels, 0).astype(frame.pixels.dtype)
    corners = covers.rects().astype(np.float32)
    patch = Patch(pixels, ~known, known, Faces(corners, covers.boxes, keys=keys), frame.time is not None)
    return np.array(list(_heads(patch, pixels.tobytes())))


def moved(frame: Frame, boxes: Any, keys: tuple[bytes, ...] | None = None) -> NDArray[np.float64]:
    """How far each head was moved, in sizes of the face, and how it was scaled, (n, 3)."""
    heads, (x1, y1, x2, y2) = heads_of(frame, boxes, keys), place(np.array(boxes, np.float32), Area()).boxes.T
    across, down = (heads[:, 0] - (x1 + x2) / 2) / (x2 - x1), (heads[:, 1] - (y1 + y2) / 2) / (y2 - y1)
    return np.stack([across, down, heads[:, 2] / (x2 - x1) / HEAD[0]], axis=1)


def test_heads_of_stills_lie_anywhere_within_their_bounds() -> None:
    places = np.concatenate([moved(picture(240, 200, seed=seed), FACE) for seed in range(200)])
    for column, middle, most in zip(places.T, (0, 0, 1), (*MOVED, SCALED), strict=True):
        assert np.abs(column - middle).max() <= most + 1e-6
        assert abs(column.mean() - middle) < 0.15 * most  # three standard errors of 200 even ones are .12
        assert 0.5 * most < column.std() < 0.65 * most  # of an even distribution: .577
    assert np.abs(np.corrcoef(places.T) - np.eye(3)).max() < 0.25


def test_two_heads_of_a_still_are_moved_differently_and_the_order_is_of_no_account() -> None:
    frame = picture(240, 200)
    one, other = moved(frame, PAIR), moved(frame, PAIR[::-1])
    assert np.abs(one[0] - one[1]).max() > 0.01
    np.testing.assert_array_equal(one, other[::-1])
    made = [veiled(frame, boxes) for boxes in (PAIR, PAIR[::-1])]
    assert np.array_equal(*made)


def test_in_an_animation_there_is_no_head() -> None:
    frame = flat((90, 90, 90), time=NOW)
    assert (veiled(frame, PAIR)[covered(frame, PAIR)] == TONES[1, -1]).all()


def test_in_a_video_each_track_keeps_its_place() -> None:
    frames = [Frame(picture(240, 200, seed=seed).pixels, time=Fraction(seed)) for seed in range(3)]
    places = [moved(frame, PAIR, (b"3", b"8")) for frame in frames]
    for place_of in places[1:]:
        np.testing.assert_array_equal(place_of, places[0])
    assert np.abs(places[0][0] - places[0][1]).max() > 0.01
    np.testing.assert_allclose(moved(frames[0], PAIR[:1], (b"8",))[0], places[0][1], atol=1e-6)


def test_in_a_video_places_go_by_the_seed_and_the_track() -> None:
    frame = flat((90, 90, 90), time=NOW)

    def painted(seed: int | None, track: int) -> bytes:
        found = Regions(np.array(FACE, np.float32), np.ones(1, np.float32), track=np.array([track]))
        return paint(frame, FramePlan(found, ("veil",), (240, 200)), Area(), seed).pixels.tobytes()

    assert painted(1, 5) == painted(1, 5)
    assert len({painted(1, 5), painted(1, 6), painted(2, 5), painted(None, 5), painted(None, 5)}) == 5


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("described", [{}, {"matrix": "grey"}, {"subsampling": (1, 1)}, {"bits": 10}])
def test_in_a_video_the_inside_is_the_same_in_every_frame(described: dict[str, Any], orientation: int) -> None:
    made = []
    for seed in (0, 1):
        planes = clip_of(100, 90, seed, orientation=orientation, **described)
        found = Regions(np.array([[30, 20, 60, 57]], np.float32), np.ones(1, np.float32), track=np.array([5]))
        out = paint_planes(planes, FramePlan(found, ("veil",), planes.size), Area(), seed=1)
        inside = cells_of(planes, covered(planes, [[30, 20, 60, 57]], grown=-0.15))  # a video's cover lies elsewhere
        made.append([plane[here] for plane, here in zip(out.planes, inside, strict=True)])
    for one, two in zip(*made, strict=True):
        assert len(one) > 100
        assert np.array_equal(one, two)


@pytest.mark.parametrize("level", [0, 10, 60, 110, 150, 165, 180, 230, 255])
def test_the_head_stands_out_and_is_grey_on_every_ground(level: int) -> None:
    frame = flat((level, level // 2, 255 - level))
    out = veiled(frame)
    inside = out[covered(frame, FACE)]
    assert np.ptp(inside, axis=1).max() == 0
    assert inside.max() - inside.min() > 35


def test_each_of_two_people_cheek_to_cheek_has_a_head() -> None:
    frame = flat((210, 30, 30), time=NOW)
    covers = place(np.array(PAIR, np.float32), Area())
    ((x1, y1), (x2, y2)) = ((covers.boxes[:, :2] + covers.boxes[:, 2:]) / 2).astype(int)
    found = Regions(np.array(PAIR, np.float32), np.ones(2, np.float32), track=np.array([0, 1]))
    painted = paint(frame, FramePlan(found, ("veil",) * 2, (240, 200)), Area(), seed=4).pixels
    light = painted.mean(axis=2)
    assert light[(y1 + y2) // 2, (x1 + x2) // 2] < min(light[y1, x1], light[y2, x2]) - 10  # a rim between them


def test_no_edge_is_hard() -> None:
    for level, tones in ((0, TONES[0]), (100, TONES[1]), (255, TONES[2])):
        frame = flat((level, level, level), 480, 400)
        out = veiled(frame, [[180, 120, 280, 245]])[:, :, 0]
        # The soft edge of a face this large is 31 px wide; a smoothstep is 1.5 times as steep in its middle.
        assert (
            max(np.abs(np.diff(out, axis=axis)).max() for axis in (0, 1)) <= 1.5 * abs(level - tones[2:]).max() / 25 + 5
        )


def test_neighbouring_steps_differ_by_two_grey_levels_at_most() -> None:
    for level in LEVELS:
        assert np.abs(np.diff(_greys(level, 255).astype(int))).max() <= 2
        assert np.abs(_greys(level, 65535) / 257 - _greys(level, 255)).max() <= 0.5


def test_a_cover_of_the_whole_picture_shows_a_head() -> None:
    frame = flat((200, 10, 10), 60, 50)
    out = veiled(frame, [[-20, -20, 80, 75]])
    assert np.ptp(out, axis=2).max() == 0
    assert np.ptp(out) > 10


def test_what_is_no_face_gets_the_ground_alone() -> None:
    frame = flat((100, 100, 100))
    regions = Regions(np.array(FACE, np.float32), np.ones(1, np.float32), label=np.array(["plate"]))
    out = paint(frame, FramePlan(regions, ("veil",), (240, 200)), Area()).pixels
    assert (out[80:130, 100:140] == TONES[1, -1]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_picture_stays_grey(dtype: type[np.uint8] | type[np.uint16]) -> None:
    rng = np.random.default_rng(3)
    frame = Frame(rng.integers(0, np.iinfo(dtype).max, (90, 120, 1), dtype).repeat(3, axis=2))
    made = paint(frame, plan(frame, [[40, 30, 70, 66], [60, 30, 90, 66]], "veil"), Area()).pixels
    assert np.array_equal(made[..., 0], made[..., 1])
    assert np.array_equal(made[..., 0], made[..., 2])


def test_it_wants_no_ring_and_no_secret() -> None:
    veil = method("veil")
    assert veil.ring(400) == 0
    assert not veil.random
