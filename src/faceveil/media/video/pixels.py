"""FFmpeg's frames to `Planes` and back.

Planar formats, and packed ones whose samples are whole bytes or words, are seen through strides: nothing is copied and
the arrays keep the decoder's frame alive. What packs samples into bits is unpacked by FFmpeg, without loss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import UnsupportedError
from faceveil.types import Matrix, Planes

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

Tap = tuple[int, int, int]  # FFmpeg's plane, the first sample's position in a row, the distance to the next

_PLANAR = re.compile(r"(yuvj?|yuva|gbr|gbra|gray)(4\d\d|)(p?)(\d*)(le|)")
_SUBSAMPLING = {"444": (1, 1), "422": (2, 1), "420": (2, 2), "440": (1, 2), "411": (4, 1), "410": (4, 4)}
_RGB = {"rgb24": "RGB", "bgr24": "BGR", "rgb0": "RGBX", "bgr0": "BGRX", "0rgb": "XRGB", "0bgr": "XBGR"}
_RGBA = {"rgba": "RGBX", "bgra": "BGRX", "argb": "XRGB", "abgr": "XBGR"}
_SEMIPLANAR = {"nv12": "420", "nv21": "420", "nv16": "422", "nv24": "444", "nv42": "444"}
_HIGH_SEMIPLANAR = re.compile(r"p([024])(10|12|16)le")
_MATRICES: dict[int, Matrix] = {
    **dict.fromkeys((1,), "bt709"),
    **dict.fromkeys((4, 5, 6, 7), "bt601"),  # FCC and SMPTE 240M differ from it by less than a code value in colour
    **dict.fromkeys((9, 10), "bt2020"),
}
_HD_HEIGHT = 576  # above it players take unnamed matrices for BT.709, up to it for BT.601


@dataclass(frozen=True, slots=True)
class Layout:
    """How a pixel format stores samples: where each of our planes begins, in the units of its samples.

    shift: bits by which samples stand too high. family: "yuv", "gbr" or "gray".
    """

    family: str
    taps: tuple[Tap, ...]
    bits: int = 8
    subsampling: tuple[int, int] = (1, 1)
    shift: int = 0
    alpha: bool = False
    full: bool = False


@lru_cache(maxsize=64)
def layout_of(name: str) -> Layout | None:
    """The layout of a pixel format by FFmpeg's name, None for those that FFmpeg has to unpack."""
    if found := _PLANAR.fullmatch(name):
        family, chroma, _, bits, _ = found.groups()
        kind = "gbr" if family.startswith("gbr") else "gray" if family == "gray" else "yuv"
        taps: tuple[Tap, ...] = ((0, 0, 1),) if kind == "gray" else ((0, 0, 1), (1, 0, 1), (2, 0, 1))
        return Layout(
            kind,
            taps,
            int(bits or 8),
            _SUBSAMPLING[chroma or "444"],
            alpha=family in ("yuva", "gbra"),
            full=family == "yuvj",
        )
    if order := _RGB.get(name) or _RGBA.get(name):
        return Layout("gbr", tuple((0, order.index(c), len(order)) for c in "GBR"), alpha=name in _RGBA)
    if name in _SEMIPLANAR:
        first = 1 if name in ("nv21", "nv42") else 0
        taps = ((0, 0, 1), (1, first, 2), (1, 1 - first, 2))
        return Layout("yuv", taps, subsampling=_SUBSAMPLING[_SEMIPLANAR[name]])
    if found := _HIGH_SEMIPLANAR.fullmatch(name):
        chroma = {"0": "420", "2": "422", "4": "444"}[found[1]]
        bits = int(found[2])
        return Layout("yuv", ((0, 0, 1), (1, 0, 2), (1, 1, 2)), bits, _SUBSAMPLING[chroma], 16 - bits)
    packed: dict[str, tuple[Tap, ...]] = {
        "yuyv422": ((0, 0, 2), (0, 1, 4), (0, 3, 4)),
        "yvyu422": ((0, 0, 2), (0, 3, 4), (0, 1, 4)),
        "uyvy422": ((0, 1, 2), (0, 0, 4), (0, 2, 4)),
    }
    return Layout("yuv", packed[name], subsampling=(2, 1)) if name in packed else None


def readable(frame: av.VideoFrame) -> tuple[av.VideoFrame, Layout]:
    """The frame in a format that has a layout, and the layout. Raises `UnsupportedError` where there is none."""
    layout = layout_of(frame.format.name)
    if layout is not None and all(plane.line_size > 0 for plane in frame.planes):
        return frame, layout
    name = _unpacked(frame.format)
    unpacked = frame.reformat(format=name)
    found = layout_of(name)
    if found is None:
        raise UnsupportedError(f"stores its pixels as {frame.format.name}, which is not supported")
    return unpacked, found


def _unpacked(stored: av.VideoFormat) -> str:
    """The planar format that holds all that a packed one does."""
    parts = [part for part in stored.components if not part.is_alpha]
    bits = max(part.bits for part in parts)
    if bits > 16 or "f16" in stored.name or "f32" in stored.name or stored.name.startswith("xyz"):
        raise UnsupportedError(f"stores its pixels as {stored.name}, which is not supported")
    deep = f"{bits}le" if bits > 8 else ""
    if stored.name.startswith(("mono", "gray", "ya")):
        return f"gray{deep}"
    if stored.is_rgb or stored.has_palette:
        return f"gbrp{deep}"
    across, down = (round(stored.width / size) for size in (stored.chroma_width(), stored.chroma_height()))
    chroma = next((key for key, value in _SUBSAMPLING.items() if value == (across, down)), "444")
    return f"yuv{chroma}p{deep}"


def matrix_of(family: str, tag: int, height: int) -> Matrix:
    """Which matrix makes RGB of a frame, by H.273's number, guessed as players do where it is unspecified."""
    if family == "gbr":
        return "rgb"
    if family == "gray":
        return "grey"
    if tag in (0, 8, 11, 12, 13, 14, 15):
        raise UnsupportedError(f"has colours in a way that is not supported (matrix {tag} of ITU-T H.273)")
    return _MATRICES.get(tag) or ("bt709" if height > _HD_HEIGHT else "bt601")


def planes_of(
    frame: av.VideoFrame,
    *,
    orientation: int = 1,
    index: int = 0,
    time: Fraction = Fraction(0),
    duration: Fraction | None = None,
) -> Planes:
    """The samples of a decoded frame; alpha is left out. Raises `UnsupportedError` for formats without planes."""
    frame, layout = readable(frame)
    matrix = matrix_of(layout.family, frame.colorspace, frame.height)
    height, width = frame.height, frame.width
    across, down = layout.subsampling
    sizes = [(height, width), *[(-(-height // down), -(-width // across))] * 2]
    return Planes(
        tuple(_view(frame, tap, layout, size) for tap, size in zip(layout.taps, sizes, strict=False)),
        layout.bits,
        layout.subsampling,
        matrix,
        layout.full or layout.family == "gbr" or frame.color_range == 2,
        orientation,
        index,
        time,
        duration,
    )


def _view(frame: av.VideoFrame, tap: Tap, layout: Layout, size: tuple[int, int]) -> NDArray[Any]:
    number, first, step = tap
    rows, columns = size
    plane = frame.planes[number]
    dtype = np.dtype("<u2" if layout.bits > 8 else np.uint8)
    width = plane.line_size // dtype.itemsize
    samples = np.frombuffer(memoryview(plane), dtype).reshape(-1, width)[
        :rows, first : first + (columns - 1) * step + 1 : step
    ]
    native: NDArray[Any] = samples.astype(dtype.newbyteorder("="), copy=False)
    return np.right_shift(native, layout.shift) if layout.shift else native


def format_of(planes: Planes) -> str:
    """FFmpeg's name of the planar format of these planes."""
    deep = f"{planes.bits}le" if planes.bits > 8 else ""
    if planes.matrix == "grey":
        return f"gray{deep}"
    if planes.matrix == "rgb":
        return f"gbrp{deep}"
    chroma = next(key for key, value in _SUBSAMPLING.items() if value == planes.subsampling)
    return f"yuv{chroma}p{deep}"


def frame_of(planes: Planes) -> av.VideoFrame:
    """A new frame with these samples and nothing else: no side data, no time. One copy."""
    from av import VideoFrame  # noqa: PLC0415  # importing FFmpeg costs 60 ms

    height, width = planes.planes[0].shape
    frame = VideoFrame(width, height, format_of(planes))
    dtype = np.dtype("<u2" if planes.bits > 8 else np.uint8)
    for samples, plane in zip(planes.planes, frame.planes, strict=True):
        stride = plane.line_size // dtype.itemsize
        target = np.frombuffer(memoryview(plane), dtype).reshape(-1, stride)
        target[: samples.shape[0], : samples.shape[1]] = samples
    return frame
