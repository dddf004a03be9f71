"""A video's own samples: turned, cut and converted to RGB and back, as much of them as somebody needs.

Conversion is that of ITU-T H.273: luma and chroma of BT.601, BT.709 and BT.2020 (non-constant luminance), RGB itself or
grey, full or limited range. Chroma belongs to *cells*, blocks of pixels that share one sample. It is upsampled by
repeating it and sampled down by the cell's mean, so no pixel ever depends on a sample of another cell: what is erased
or painted by whole cells is independent of its neighbours in the stored samples too, not only in RGB. Where in its
cell a chroma sample lies (its siting) is left out of account: half a pixel of colour at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Mask, Matrix, Pixels, Planes

    Spans = NDArray[np.intp] | NDArray[np.float64]

Window = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels of the upright picture, half-open, inside the picture."""

TRANSPOSING = (5, 6, 7, 8)  # orientations that swap width and height
REVERSE = {6: 8, 8: 6}  # quarter turns; every other orientation undoes itself

# Shares of red and blue in luma: ITU-T H.273 (07/2024), table 4, values 5 and 6, 1, 9.
SHARES: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "grey": (0.299, 0.114),  # no standard says how colours become grey; BT.601 as in Pillow, OpenCV and FFmpeg
}


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The array, (H, W) or (H, W, C), turned and mirrored as EXIF's orientation 1 to 8 asks."""
    if orientation == 1:
        return array
    import cv2  # noqa: PLC0415  # five times as fast as numpy's transposed copies

    if orientation in (2, 3, 4):
        return cv2.flip(array, {2: 1, 3: -1, 4: 0}[orientation])
    turned = cv2.transpose(array)
    return turned if orientation == 5 else cv2.flip(turned, {6: 1, 7: -1, 8: 0}[orientation])


def stored(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The reverse of `upright`: a view of an upright array as it is stored."""
    across, down = _mirrored(orientation)
    flipped = array[:: -1 if down else 1, :: -1 if across else 1]
    return flipped.swapaxes(0, 1) if orientation in TRANSPOSING else flipped


def _mirrored(orientation: int) -> tuple[bool, bool]:
    """Whether the upright picture is mirrored from left to right, and from top to bottom."""
    return orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)


@dataclass(frozen=True, slots=True)
class Grid:
    """How a picture of width x height upright pixels is divided into what can only be painted as a whole.

    across, down: pixels of a cell: 1 for RGB, the block of pixels that share a chroma sample in planes.
    left, top: how far the first whole cell lies from the picture's corner, less than a cell: not 0 where a mirrored
        picture begins with a part of one.
    """

    width: int
    height: int
    across: int = 1
    down: int = 1
    left: int = 0
    top: int = 0

    def around(self, window: Window) -> Window:
        """The window grown to whole cells; those at the border end there."""
        x1, y1, x2, y2 = window
        x1, x2 = x1 - (x1 - self.left) % self.across, x2 + (self.left - x2) % self.across
        y1, y2 = y1 - (y1 - self.top) % self.down, y2 + (self.top - y2) % self.down
        return max(x1, 0), max(y1, 0), min(x2, self.width), min(y2, self.height)

    def touched(self, mask: Mask, window: Window) -> Mask:
        """All pixels of the cells in which a mask (h, w) of a window of whole cells has any."""
        if self.across == self.down == 1 or not mask.any():
            return mask
        x1, y1, x2, y2 = window
        row = (np.arange(y1, y2) - self.top) // self.down
        column = (np.arange(x1, x2) - self.left) // self.across
        row, column = row - row[0], column - column[0]
        any_of = np.zeros((row[-1] + 1, column[-1] + 1), bool)
        y, x = np.nonzero(mask)
        any_of[row[y], column[x]] = True
        return cast("Mask", any_of[row[:, None], column])

    def columns(self, first: int, last: int) -> tuple[Spans, Spans]:
        """Where the cells of the pixels from first to last begin and end, from left to right."""
        return _spans(first, last, self.left, self.across, self.width)

    def rows(self, first: int, last: int) -> tuple[Spans, Spans]:
        """Where the cells of the pixels from first to last begin and end, from top to bottom."""
        return _spans(first, last, self.top, self.down, self.height)


@dataclass(frozen=True, slots=True)
class Cells(Grid):
    """A grid whose pixels are the cells of another, in whose picture they lie.

    Where the picture cuts a cell at its border, the cell's span is cut too, so that it is covered by what would cover
    its pixels.
    """

    of: Grid = Grid(1, 1)

    @classmethod
    def of_grid(cls, grid: Grid) -> Cells:
        """The cells of a grid, those that its border cuts included."""
        width = -(-(grid.width - grid.left) // grid.across) + (grid.left > 0)
        height = -(-(grid.height - grid.top) // grid.down) + (grid.top > 0)
        return cls(width, height, of=grid)

    def across_of(self, x: float) -> float:
        """Where x of the picture lies, in cells from the left edge of the first."""
        return (x - self.of.left) / self.of.across + (self.of.left > 0)

    def down_of(self, y: float) -> float:
        """Where y of the picture lies, in cells from the upper edge of the first."""
        return (y - self.of.top) / self.of.down + (self.of.top > 0)

    def columns(self, first: int, last: int) -> tuple[Spans, Spans]:
        """Where cells begin and end, from left to right."""
        return _cut_spans(first, last, self.across_of(0), self.across_of(self.of.width))

    def rows(self, first: int, last: int) -> tuple[Spans, Spans]:
        """Where cells begin and end, from top to bottom."""
        return _cut_spans(first, last, self.down_of(0), self.down_of(self.of.height))


def _cut_spans(first: int, last: int, start: float, end: float) -> tuple[Spans, Spans]:
    cell = np.arange(first, last + 1, dtype=np.float64)
    cell = np.minimum(np.maximum(cell, start), end)
    return cell[:-1], cell[1:]


def _spans(first: int, last: int, phase: int, size: int, end: int) -> tuple[Spans, Spans]:
    pixel = np.arange(first, last)
    start = pixel - (pixel - phase) % size
    return np.maximum(start, 0), np.minimum(start + size, end)


def grid_of(planes: Planes) -> Grid:
    """The cells of the upright picture."""
    width, height = planes.size
    if planes.matrix == "grey":
        return Grid(width, height)
    across, down = planes.subsampling
    if planes.orientation in TRANSPOSING:
        across, down = down, across
    to_left, to_top = _mirrored(planes.orientation)
    return Grid(width, height, across, down, width % across if to_left else 0, height % down if to_top else 0)


def small(planes: Planes, longest: int) -> NDArray[np.uint8]:
    """The upright picture as RGB bytes, (h, w, 3), its longest side `longest` pixels at most; never enlarged."""
    return crop(planes, (0, 0, *planes.size), longest)


def crop(planes: Planes, window: Window, longest: int) -> NDArray[np.uint8]:
    """An upright window as RGB bytes, (h, w, 3), its longest side `longest` pixels at most; never enlarged.

    Every plane is resized before it is converted, which is many times as fast and good enough to look at: colours may
    lie up to a cell aside where the window does not begin and end with whole cells. Raises `ValueError` for windows
    that are empty or reach beyond the picture, and for `longest` below 1.
    """
    import cv2  # noqa: PLC0415

    x1, y1, x2, y2 = window
    if not (0 <= x1 < x2 <= planes.size[0] and 0 <= y1 < y2 <= planes.size[1]):
        raise ValueError(f"window must lie in the picture of {planes.size[0]}x{planes.size[1]} pixels, got {window}")
    if longest < 1:
        raise ValueError(f"longest must be at least 1 pixel, got {longest}")
    left, top, right, bottom = stored_window(planes, window)
    scale = min(1.0, longest / max(x2 - x1, y2 - y1))
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    parts = [_eight_bit(_resized(part, *size), planes.bits) for part in _cut(planes, (left, top, right, bottom))]
    merged = cv2.merge(parts) if len(parts) > 1 else parts[0]
    rgb = cv2.transform(merged, _to_rgb(planes.matrix, 8, planes.full))
    return np.asarray(upright(rgb, planes.orientation), np.uint8)


def patch(planes: Planes, window: Window) -> Pixels:
    """An upright window of whole cells as RGB, (h, w, 3): uint8, or uint16 of the full 16 bits for more than 8.

    Each pixel depends on its own luma and its own cell's chroma alone.
    """
    import cv2  # noqa: PLC0415

    left, top, right, bottom = stored_window(planes, window)
    parts = [_repeated(part, right - left, bottom - top, planes) for part in _cut(planes, (left, top, right, bottom))]
    merged = cv2.merge(parts) if len(parts) > 1 else parts[0]
    # In 16 bits: OpenCV's arithmetic for bytes is wrong by one level at times, and float costs ten times as much.
    values = cv2.transform(merged.astype(np.uint16, copy=False), _to_rgb(planes.matrix, planes.bits, planes.full))
    rgb = cv2.convertScaleAbs(values) if planes.bits == 8 else values
    return cast("Pixels", upright(rgb, planes.orientation))


def samples(planes: Planes, window: Window, rgb: Pixels) -> tuple[Pixels, ...]:
    """The reverse of `patch`: RGB of an upright window of whole cells as stored samples, in the legal range.

    A chroma sample is that of its cell's mean colour.
    """
    import cv2  # noqa: PLC0415

    turned = upright(rgb, REVERSE.get(planes.orientation, planes.orientation)).astype(np.uint16)
    matrix = _from_rgb(planes.matrix, planes.bits, planes.full)
    # In 16 bits and float inside, rounded once. Always three rows: fewer are not done many pixels at a time.
    whole = cv2.transform(turned, matrix)
    if planes.matrix == "grey" or planes.subsampling == (1, 1):
        return tuple(_of_bits(plane, planes.bits) for plane in cv2.split(whole)[: len(planes.planes)])
    if planes.bits == 8:  # the mean of bytes in whole bytes would be wrong by half a level
        turned, matrix = np.left_shift(turned, 8), matrix * [1 / 256, 1 / 256, 1 / 256, 1]
    _, *chroma = cv2.split(cv2.transform(_averaged(turned, planes), matrix))
    return tuple(_of_bits(plane, planes.bits) for plane in (cv2.extractChannel(whole, 0), *chroma))


def put(planes: Planes, into: tuple[Pixels, ...], window: Window, rgb: Pixels, where: Mask) -> None:
    """Write RGB of an upright window into the samples `into`, where a mask of whole cells says so.

    into: writable arrays laid out like those of `planes`. rgb: (h, w, 3), like that of `patch`. where: bool (h, w),
    upright.
    """
    turned = upright(where.view(np.uint8), REVERSE.get(planes.orientation, planes.orientation)).view(bool)
    across, down = planes.subsampling
    chosen = [turned, np.ascontiguousarray(turned[::down, ::across])]
    targets = _cut(planes, stored_window(planes, window), into)
    for i, (new, target) in enumerate(zip(samples(planes, window, rgb), targets, strict=True)):
        copied(new, chosen[min(i, 1)], target)


def copied(source: Pixels, where: Mask, target: Pixels) -> Pixels:
    """`target` with the pixels of `source` where a mask (h, w) says so; NumPy takes a hundred times as long."""
    import cv2  # noqa: PLC0415

    written = cv2.copyTo(source, where.view(np.uint8), target)
    if not np.shares_memory(written, target):
        np.copyto(target, written)
    return target


def stored_window(planes: Planes, window: Window) -> Window:
    """Where an upright window lies in the stored luma."""
    x1, y1, x2, y2 = window
    width, height = planes.size
    across, down = _mirrored(planes.orientation)
    if across:
        x1, x2 = width - x2, width - x1
    if down:
        y1, y2 = height - y2, height - y1
    return (y1, x1, y2, x2) if planes.orientation in TRANSPOSING else (x1, y1, x2, y2)


def _cut(planes: Planes, window: Window, arrays: tuple[Pixels, ...] | None = None) -> list[Pixels]:
    """Views of the stored samples of a stored window; of the planes themselves, or of arrays laid out like them."""
    x1, y1, x2, y2 = window
    luma, *chroma = planes.planes if arrays is None else arrays
    across, down = planes.subsampling
    rows, columns = slice(y1 // down, -(-y2 // down)), slice(x1 // across, -(-x2 // across))
    return [luma[y1:y2, x1:x2], *(plane[rows, columns] for plane in chroma)]


def _repeated(part: Pixels, width: int, height: int, planes: Planes) -> Pixels:
    """A plane's part with one sample for each pixel: chroma of whole cells repeated over them."""
    if part.shape == (height, width):
        return part
    import cv2  # noqa: PLC0415

    across, down = planes.subsampling
    size = (part.shape[1] * across, part.shape[0] * down)
    return cast("Pixels", cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)[:height, :width])


def _averaged(rgb: Pixels, planes: Planes) -> Pixels:
    """Means over the cells, (r, c, 3); where the picture's border cuts one, its last pixels stand for the rest."""
    import cv2  # noqa: PLC0415

    across, down = planes.subsampling
    height, width = rgb.shape[:2]
    right, bottom = -width % across, -height % down
    if right or bottom:
        rgb = cast("Pixels", cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
    size = (rgb.shape[1] // across, rgb.shape[0] // down)
    return cast("Pixels", cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def _of_bits(values: NDArray[Any], bits: int) -> Pixels:
    """Samples of so many bits. RGB within its range gives legal ones; only full chroma rounds up to one too many."""
    if bits == 8:
        import cv2  # noqa: PLC0415

        return np.asarray(cv2.convertScaleAbs(values), np.uint8)
    return np.asarray(np.minimum(values, np.uint16((1 << bits) - 1)), np.uint16)


def _resized(part: Pixels, width: int, height: int) -> Pixels:
    """Resized: halved while it is twice too large, then bilinear, each of which OpenCV does many pixels at a time."""
    import cv2  # noqa: PLC0415

    while part.shape[1] >= 2 * width and part.shape[0] >= 2 * height:
        half = (part.shape[1] // 2, part.shape[0] // 2)
        part = cast("Pixels", cv2.resize(part, half, interpolation=cv2.INTER_AREA))
    if part.shape == (height, width):
        return part
    return cast("Pixels", cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))


def _eight_bit(part: Pixels, bits: int) -> NDArray[np.uint8]:
    """Samples of 8 bits."""
    if bits == 8:
        return np.asarray(part, np.uint8)
    import cv2  # noqa: PLC0415

    return np.asarray(cv2.convertScaleAbs(part, alpha=2.0 ** (8 - bits)), np.uint8)


@cache
def _to_rgb(matrix: Matrix, bits: int, full: bool) -> NDArray[np.float64]:
    """What makes RGB in [0, 255], or [0, 65535] for more than 8 bits, of samples: (3, n + 1), the constant last."""
    luma = (2**bits - 1, 0) if full else (219 << (bits - 8), 16 << (bits - 8))
    chroma = ((2**bits - 1 if full else 224 << (bits - 8)), 128 << (bits - 8))
    if matrix == "rgb":
        mix, parts = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float64), [luma] * 3
    elif matrix == "grey":
        mix, parts = np.ones((3, 1)), [luma]
    else:
        red, blue = SHARES[matrix]
        green = 1 - red - blue
        of_blue, of_red = 2 * (1 - blue), 2 * (1 - red)
        mix = np.array([[1, 0, of_red], [1, -of_blue * blue / green, -of_red * red / green], [1, of_blue, 0]])
        parts = [luma, chroma, chroma]
    scale, zero = np.array(parts, np.float64).T
    white = 255 if bits == 8 else 65535
    return np.column_stack([mix / scale, -(mix / scale) @ zero]) * white


@cache
def _from_rgb(matrix: Matrix, bits: int, full: bool) -> NDArray[np.float64]:
    """The reverse of `_to_rgb`: (3, 4); for grey three times the same row."""
    there = _to_rgb(matrix, bits, full)
    if matrix == "grey":
        red, blue = SHARES[matrix]
        weights = np.array([[red, 1 - red - blue, blue]]) / there[0, 0]
        return np.column_stack([weights, -there[:1, 1:] / there[0, 0]]).repeat(3, axis=0)
    return np.linalg.inv(np.vstack([there, [0, 0, 0, 1]]))[:3]
