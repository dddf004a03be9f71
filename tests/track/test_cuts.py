"""Scene cuts: those of real clips and none that a flash, a pan, a hand or a dropout only looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceveil.track import Cuts

Pictures = list[NDArray[np.uint8]]

# By looking at every clip. Without cuts: much motion, a camera in the hand, hands before the camera, a dissolve.
REAL = {"hamilton_short.mp4": [20, 82, 211], "tc_nasa_13013.mp4": [202], "carphone_pristine.mp4": [], "pk_wave.mp4": []}
REAL |= {"sihan_test.mp4": [], "mpiigaze_video00.mp4": [], "apple_live_IMG_3853.mov": []}


def seen(pictures: Pictures) -> list[int]:
    cuts = Cuts()
    return [i for i, picture in enumerate(pictures) if cuts.see(picture)]


def decoded(path: Path) -> Pictures:
    with av.open(str(path)) as clip:
        frames = clip.decode(video=0)
        small = (frame.reformat(width=160, height=90, format="rgb24").to_ndarray() for frame in frames)
        return [np.asarray(picture, np.uint8) for picture in small]


def scene(seed: int) -> NDArray[np.uint8]:
    """A textured landscape, (180, 480, 3): noise of several sizes, of which windows are shown."""
    rng = np.random.default_rng(seed)
    picture = np.full((180, 480, 3), 110.0)
    for rows in (4, 9, 20):
        picture += cv2.resize(rng.normal(0, 40, (rows, 3 * rows, 3)), (480, 180), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture.clip(15, 240), np.uint8)


def window(seed: int, x: int = 0) -> NDArray[np.uint8]:
    return np.ascontiguousarray(scene(seed)[40:130, x : x + 160])


@pytest.mark.shared_data
@pytest.mark.parametrize("name", list(REAL))
def test_the_cuts_of_real_clips_and_no_others(shared: Path, name: str) -> None:
    assert seen(decoded(shared / "video" / name)) == REAL[name]


@pytest.mark.shared_data
def test_joins_of_real_clips(shared: Path) -> None:
    names = ["carphone_pristine.mp4", "pk_wave.mp4", "sihan_test.mp4", "mpiigaze_video02.mp4"]
    clips = [decoded(shared / "video" / name)[40:50] for name in names]
    joins = [seen(a + b) for a in clips for b in clips if a is not b]
    assert sum(join == [10] for join in joins) >= 11  # of 12: one may be missed, none may be elsewhere
    assert {frame for join in joins for frame in join} == {10}


@pytest.mark.parametrize("seed", range(8))
def test_a_cut_between_unlike_scenes_is_seen_at_once(seed: int) -> None:
    assert seen([window(seed)] * 6 + [window(seed + 100)] * 6) == [6]


def _flash(pictures: Pictures, i: int) -> NDArray[np.uint8]:
    return np.asarray(np.clip(pictures[i] * 1.8 + 30.0, 0, 255), np.uint8) if i in (8, 9) else pictures[i]


def _white(pictures: Pictures, i: int) -> NDArray[np.uint8]:
    return np.full_like(pictures[i], 255) if i in (8, 9, 10) else pictures[i]


def _black(pictures: Pictures, i: int) -> NDArray[np.uint8]:
    return np.zeros_like(pictures[i]) if 8 <= i < 14 else pictures[i]


def _darker(pictures: Pictures, i: int) -> NDArray[np.uint8]:
    return np.asarray(pictures[i] * 0.3, np.uint8) if i >= 8 else pictures[i]


def _hand(pictures: Pictures, i: int) -> NDArray[np.uint8]:
    covered = pictures[i].copy()
    if 8 <= i < 12:
        covered[:, : 100 + 10 * (i - 8)] = (190, 140, 120)
    return covered


@pytest.mark.parametrize("change", [_flash, _white, _black, _darker, _hand], ids=lambda c: c.__name__.strip("_"))
@pytest.mark.parametrize("seed", range(4))
def test_what_only_looks_like_a_cut_is_none(change: Callable[[Pictures, int], NDArray[np.uint8]], seed: int) -> None:
    still = [window(seed)] * 20
    assert seen([change(still, i) for i in range(20)]) == []


@pytest.mark.parametrize("speed", [4, 15, 30, 45])
def test_pans_are_none(speed: int) -> None:
    """Up to 45 of 160 px from frame to frame: 7 widths of the picture in a second."""
    places = [0] * 5 + [min(speed * i, 320) for i in range(1, 30)]
    assert seen([window(5, x) for x in places]) == []


def test_dissolves_and_fades_are_none() -> None:
    a, b = window(1).astype(float), window(2).astype(float)
    dissolve = [(a + (b - a) * min(max((i - 5) / 15, 0), 1)).astype(np.uint8) for i in range(30)]
    assert seen(dissolve) == []
    fade = [(a * max(0, 1 - i / 10)).astype(np.uint8) for i in range(15)]
    assert seen(fade) == []
    assert seen([*fade, window(2)]) == [15]


def test_any_shape_of_picture_is_taken_and_a_change_of_it_is_refused() -> None:
    for shape in [(1, 1, 3), (2000, 10, 3), (10, 2000, 3), (90, 160, 3)]:
        assert seen([np.full(shape, 90, np.uint8)] * 3) == []
    cuts = Cuts()
    cuts.see(np.zeros((90, 160, 3), np.uint8))
    with pytest.raises(ValueError, match="frames must all have one size"):
        cuts.see(np.zeros((160, 90, 3), np.uint8))
    with pytest.raises(ValueError, match="small must be RGB"):
        cuts.see(np.zeros((90, 160), np.uint8))
