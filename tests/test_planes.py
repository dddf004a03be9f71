"""Samples to RGB and back: against the standard's formulas, against FFmpeg, and never across a cell's border."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.planes import Grid, crop, grid_of, patch, put, samples, small, stored, upright
from faceveil.types import Planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Matrix

    Array = NDArray[Any]

SAMPLINGS = [(2, 2), (2, 1), (1, 1), (1, 2), (4, 1)]
WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.6780, 0.0593)}


def random_planes(width: int = 13, height: int = 9, seed: int = 0, **described: Any) -> Planes:
    """Noise in every sample, legal or not."""
    bits: int = described.get("bits", 8)
    across, down = described.get("subsampling", (2, 2))
    rng, dtype = np.random.default_rng(seed), np.uint8 if bits == 8 else np.uint16
    count = 1 if described.get("matrix") == "grey" else 3
    sizes = [(height, width), *[(-(-height // down), -(-width // across))] * 2][:count]
    planes: Any = tuple(rng.integers(0, 1 << bits, size).astype(dtype) for size in sizes)
    return Planes(planes, **described)


def whole(planes: Planes) -> tuple[int, int, int, int]:
    return 0, 0, *planes.size


def by_the_standard(planes: Planes) -> Array:
    """RGB in [0, 1], as stored, by the formulas of ITU-T H.273, one plane at a time in float64."""
    unit = 1 << (planes.bits - 8)
    top = (1 << planes.bits) - 1
    height, width = planes.planes[0].shape
    across, down = planes.subsampling
    one = [plane.astype(np.float64) for plane in planes.planes]
    luma = [(p / top if planes.full else (p / unit - 16) / 219) for p in one]
    if planes.matrix == "grey":
        return np.stack([luma[0]] * 3, axis=2)
    if planes.matrix == "rgb":
        return np.stack([luma[2], luma[0], luma[1]], axis=2)
    chroma = [
        ((p - 128 * unit) / top if planes.full else (p / unit - 128) / 224)
        .repeat(down, axis=0)
        .repeat(across, axis=1)[:height, :width]
        for p in one[1:]
    ]
    r, g, b = WEIGHTS[planes.matrix]
    red = luma[0] + 2 * (1 - r) * chroma[1]
    blue = luma[0] + 2 * (1 - b) * chroma[0]
    return np.stack([red, (luma[0] - r * red - b * blue) / g, blue], axis=2)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020", "rgb", "grey"])
def test_rgb_is_that_of_the_standard(matrix: Matrix, full: bool, bits: int) -> None:
    sampling = (1, 1) if matrix in ("rgb", "grey") else (2, 2)
    planes = random_planes(matrix=matrix, full=full, bits=bits, subsampling=sampling)
    rgb = patch(planes, whole(planes))
    white = 255 if bits == 8 else 65535
    assert rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert np.abs(rgb - np.clip(by_the_standard(planes), 0, 1) * white).max() < 0.51


@given(
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    bits=st.sampled_from([8, 10, 12, 16]),
    sampling=st.sampled_from(SAMPLINGS),
    matrix=st.sampled_from(["bt601", "bt709", "bt2020", "rgb", "grey"]),
    full=st.booleans(),
    orientation=st.integers(1, 8),
)
def test_samples_of_colours_are_legal_and_make_them_again(
    size: tuple[int, int], bits: int, sampling: tuple[int, int], matrix: Matrix, full: bool, orientation: int
) -> None:
    sampling = (1, 1) if matrix in ("rgb", "grey") else sampling
    planes = random_planes(*size, bits=bits, subsampling=sampling, matrix=matrix, full=full, orientation=orientation)
    # One colour for each cell, so that nothing is lost on the way through its chroma.
    grid, (width, height) = grid_of(planes), planes.size
    y, x = np.mgrid[:height, :width]
    colours = np.random.default_rng(1).integers(0, 256, (24, 24, 1 if matrix == "grey" else 3))
    rgb: Any = colours[(y - grid.top) // grid.down, (x - grid.left) // grid.across]
    rgb = np.broadcast_to(rgb, (height, width, 3)) * (1 if bits == 8 else 257)
    rgb = rgb.astype(np.uint8 if bits == 8 else np.uint16)
    made = samples(planes, whole(planes), rgb)
    low, high = (0, (1 << bits) - 1) if full else (16 << (bits - 8), 235 << (bits - 8))
    for i, plane in enumerate(made):
        assert plane.dtype == planes.planes[i].dtype
        assert plane.shape == planes.planes[i].shape
        assert plane.min() >= low
        assert plane.max() <= (high if i == 0 or full or matrix == "rgb" else 240 << (bits - 8))
    again = patch(Planes(made, bits, sampling, matrix, full, orientation), whole(planes))
    # Half a step of luma and half one of chroma, which counts up to 2 x 0.94; 16 bits of RGB hold 4 bits more.
    step = 255 / 219 if bits == 8 else 65535 / (219 << (bits - 8))
    assert np.abs(again.astype(int) - rgb.astype(int)).max() <= 0.5 * step * (1 + 1.9) + 1


# --- an independent reader ------------------------------------------------------------------------------------------

COLOURS = ["#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#203040", "#c08040", "#7f7f7f"]
FFMPEG = {"bt601": 5, "bt709": 1, "bt2020": 9}  # its numbers of matrices


def seen_by_ffmpeg(planes: Planes) -> Array:
    """RGB bytes (H, W, 3), as FFmpeg converts the samples."""
    layout = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}[planes.subsampling]
    name = {"rgb": "gbrp", "grey": "gray"}.get(planes.matrix, f"yuv{layout}p") + ("" if planes.bits == 8 else "10le")
    height, width = planes.planes[0].shape
    frame = av.VideoFrame(width, height, name)
    for plane, ours in zip(frame.planes, planes.planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // ours.itemsize), ours.dtype)
        rows[:, : ours.shape[1]] = ours
        plane.update(rows.tobytes())
    there = frame.reformat(
        format="gbrp",  # planar: FFmpeg's shortcuts to packed RGB are off by up to four levels
        src_colorspace=FFMPEG.get(planes.matrix),
        src_color_range=2 if planes.full else 1,
        dst_color_range=2,
        interpolation="POINT",
    )
    return there.to_ndarray()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_ffmpeg_sees_the_same_colour(matrix: Matrix, full: bool, bits: int, colour: str) -> None:
    planes = random_planes(32, 32, bits=bits, matrix=matrix, full=full)
    dtype, unit = (np.uint8, 1) if bits == 8 else (np.uint16, 257)
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    rgb: Any = np.broadcast_to(wanted * unit, (32, 32, 3)).astype(dtype)
    made = Planes(samples(planes, whole(planes), rgb), bits, (2, 2), matrix, full)
    assert np.abs(seen_by_ffmpeg(made).astype(int) - wanted).max() <= (2 if bits == 8 else 1)


# --- turning and cutting --------------------------------------------------------------------------------------------

kinds = st.fixed_dictionaries(
    {
        "bits": st.sampled_from([8, 10]),
        "subsampling": st.sampled_from(SAMPLINGS),
        "orientation": st.integers(1, 8),
        "full": st.booleans(),
    }
)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Planes, tuple[int, int, int, int]]:
    """Planes of any kind and size, and a window of whole cells of the upright picture."""
    planes = random_planes(draw(st.integers(1, 21)), draw(st.integers(1, 21)), draw(st.integers(0, 5)), **draw(kinds))
    width, height = planes.size
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    window = (x1, y1, draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height)))
    return planes, grid_of(planes).around(window)


@given(windows())
def test_a_patch_is_a_part_of_the_upright_whole(case: tuple[Planes, tuple[int, int, int, int]]) -> None:
    planes, window = case
    x1, y1, x2, y2 = window
    plain = Planes(planes.planes, planes.bits, planes.subsampling, planes.matrix, planes.full)
    turned = upright(patch(plain, whole(plain)), planes.orientation)
    assert turned.shape[1::-1] == planes.size
    # The last pixels of a row are not calculated many at a time, and halves may be rounded the other way.
    assert np.abs(patch(planes, window).astype(int) - turned[y1:y2, x1:x2]).max() <= 1


@given(windows(), st.integers(0, 99))
def test_put_writes_whole_cells_there_and_nowhere_else(
    case: tuple[Planes, tuple[int, int, int, int]], seed: int
) -> None:
    planes, window = case
    x1, y1, x2, y2 = window
    grid, rng = grid_of(planes), np.random.default_rng(seed)
    where = grid.touched(rng.random((y2 - y1, x2 - x1)) < 0.1, window)
    rgb: Any = rng.integers(0, 256 if planes.bits == 8 else 65536, (y2 - y1, x2 - x1, 3)).astype(
        patch(planes, window).dtype
    )
    into = tuple(plane.copy() for plane in planes.planes)
    put(planes, into, window, rgb, where)
    upright_where = np.zeros(planes.size[::-1], bool)
    upright_where[y1:y2, x1:x2] = where
    across, down = planes.subsampling
    lying = np.ascontiguousarray(stored(upright_where, planes.orientation))
    whole_made = samples(planes, window, rgb)
    for i, (before, after) in enumerate(zip(planes.planes, into, strict=True)):
        here = lying if i == 0 else lying[::down, ::across]
        assert np.array_equal(after[~here], before[~here])
        assert here.any() == where.any()
        assert set(after[here].tolist()) <= set(whole_made[i].ravel().tolist())


@given(windows(), st.data())
def test_a_pixel_depends_on_its_own_cell_alone(
    case: tuple[Planes, tuple[int, int, int, int]], data: st.DataObject
) -> None:
    planes, _ = case
    plane = data.draw(st.integers(0, 2))
    height, width = planes.planes[plane].shape
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    arrays = [p.copy() for p in planes.planes]
    arrays[plane][y, x] ^= 0x5F
    other = Planes(tuple(arrays), planes.bits, planes.subsampling, planes.matrix, planes.full, planes.orientation)
    changed = (patch(planes, whole(planes)) != patch(other, whole(planes))).any(axis=2)
    across, down = planes.subsampling if plane else (1, 1)
    lying = np.zeros(planes.planes[0].shape, bool)
    lying[y * down : (y + 1) * down, x * across : (x + 1) * across] = True
    assert not (changed & ~upright(lying.view(np.uint8), planes.orientation).view(bool)).any()


@given(windows(), st.floats(0, 0.3), st.integers(0, 99))
def test_cells_are_blocks_that_tile_the_picture(
    case: tuple[Planes, tuple[int, int, int, int]], share: float, seed: int
) -> None:
    planes, window = case
    x1, y1, x2, y2 = window
    grid = grid_of(planes)
    assert grid.around(window) == window
    mask = np.random.default_rng(seed).random((y2 - y1, x2 - x1)) < share
    y, x = np.mgrid[y1:y2, x1:x2]
    number = (y - grid.top) // grid.down * 1000 + (x - grid.left) // grid.across
    assert np.array_equal(grid.touched(mask, window), np.isin(number, number[mask]))


def test_grids() -> None:
    assert grid_of(random_planes(matrix="grey")) == Grid(13, 9)
    assert grid_of(random_planes(subsampling=(1, 1), orientation=3)) == Grid(13, 9)
    assert grid_of(random_planes(13, 9, orientation=2)) == Grid(13, 9, 2, 2, 1, 0)
    assert grid_of(random_planes(13, 9, subsampling=(4, 1), orientation=6)) == Grid(9, 13, 1, 4, 0, 0)
    assert grid_of(random_planes(13, 9, subsampling=(4, 1), orientation=8)) == Grid(9, 13, 1, 4, 0, 1)


# --- small pictures -------------------------------------------------------------------------------------------------


def smooth(width: int, height: int, **described: Any) -> Planes:
    """Gradients, the same in all kinds of planes."""
    bits = described.get("bits", 8)
    across, down = described.get("subsampling", (2, 2))
    y, x = np.mgrid[:height, :width]
    wave = 0.5 + 0.5 * np.sin(x / width * 5 + y / height * 3)
    values = [40 + 150 * wave, 90 + 70 * wave[::down, ::across], 170 - 80 * wave[::down, ::across]]
    dtype = np.uint8 if bits == 8 else np.uint16
    return Planes(tuple((v * (1 << (bits - 8))).astype(dtype) for v in values), **described)


@pytest.mark.parametrize("longest", [40, 100, 150, 299, 300, 1000])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_small_is_the_picture_made_smaller(
    sampling: tuple[int, int], bits: int, longest: int, orientation: int
) -> None:
    planes = smooth(300, 170, bits=bits, subsampling=sampling, orientation=orientation)
    rgb = small(planes, longest)
    assert rgb.dtype == np.uint8
    assert max(rgb.shape) == min(longest, 300)
    full: Any = patch(planes, whole(planes)) / (1 if bits == 8 else 257)
    reference = cv2.resize(full, rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(rgb - reference).mean() < 1.5
    assert np.abs(rgb - reference).max() < 16


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_crop_is_a_part_of_the_upright_picture(sampling: tuple[int, int], orientation: int) -> None:
    planes = smooth(301, 171, subsampling=sampling, orientation=orientation)
    window = (17, 21, 120, 150)
    full = patch(planes, whole(planes))[21:150, 17:120]
    assert np.abs(crop(planes, window, 1000).astype(int) - full).mean() < 3
    reduced = crop(planes, window, 40)
    assert reduced.shape == (40, 32, 3)
    assert np.abs(reduced - cv2.resize(full, (32, 40), interpolation=cv2.INTER_AREA).astype(int)).mean() < 3


def test_grey_and_rgb_are_made_small_too() -> None:
    grey = Planes((np.full((20, 30), 235, np.uint8),), matrix="grey", time=Fraction(1))
    assert (small(grey, 10) == 255).all()
    green = Planes(tuple(np.full((20, 30), v, np.uint8) for v in (200, 10, 90)), 8, (1, 1), "rgb", full=True)
    assert (small(green, 10) == [90, 200, 10]).all()
    assert small(green, 1).shape == (1, 1, 3)


@pytest.mark.parametrize("window", [(0, 0, 0, 5), (3, 3, 2, 9), (-1, 0, 5, 5), (0, 0, 14, 9)])
def test_windows_outside_are_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="window must lie in the picture of 13x9 pixels"):
        crop(random_planes(), window, 10)
    with pytest.raises(ValueError, match="longest must be at least 1 pixel"):
        small(random_planes(), 0)
