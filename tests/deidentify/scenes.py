"""Pictures, plans and an independent rule for what is covered, shared by the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.deidentify.cover import place
from faceveil.planes import stored
from faceveil.policy import Area
from faceveil.types import Frame, FramePlan, Planes, Regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Boxes = Sequence[Sequence[float]]


def picture(
    width: int = 90, height: int = 70, dtype: type[np.uint8 | np.uint16] = np.uint8, seed: int = 0, alpha: bool = False
) -> Frame:
    """A noisy picture: every pixel differs from its neighbours, so nothing passes by chance."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    pixels: Any = rng.integers(0, top, (height, width, 3), dtype, endpoint=True)
    plane: Any = rng.integers(0, top, (height, width), dtype, endpoint=True) if alpha else None
    return Frame(pixels, plane)


def plan(frame: Frame | Planes, boxes: Boxes, methods: str | Sequence[str], landmarks: bool = False) -> FramePlan:
    """Boxes with one method for all, or one for each; landmarks where the features of an upright face are."""
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    specs = (methods,) * len(xyxy) if isinstance(methods, str) else tuple(methods)
    corner, size = xyxy[:, None, :2], (xyxy[:, 2:] - xyxy[:, :2])[:, None]
    marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32) * size + corner
    regions = Regions(xyxy, np.full(len(xyxy), 0.9), marks if landmarks else None)
    return FramePlan(regions, specs, _size(frame))


def _size(frame: Frame | Planes) -> tuple[int, int]:
    return frame.size if isinstance(frame, Planes) else (frame.width, frame.height)


def covered(frame: Frame | Planes, boxes: Boxes, area: Area | None = None, grown: float = 0.0) -> NDArray[np.bool_]:
    """Pixels of which any part lies in a cover, by the definition: the point of the pixel nearest to the centre."""
    area = area or Area()
    covers = place(np.array(boxes, np.float32).reshape(-1, 4), area)
    width, height = _size(frame)
    out = np.zeros((height, width), bool)
    for (cx, cy), (a, b) in zip(covers.centre, covers.half * (1 + grown), strict=True):
        left, right = np.clip([cx - a - 2, cx + a + 2], 0, width).astype(int)
        top, bottom = np.clip([cy - b - 2, cy + b + 2], 0, height).astype(int)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float64)
        u = np.abs(np.clip(cx, x, x + 1) - cx) / a
        v = np.abs(np.clip(cy, y, y + 1) - cy) / b
        p = {"ellipse": 2, "rounded": 4, "box": 200}[area.shape]
        # A box is what a superellipse of a very large exponent becomes; beyond 1 powers overflow to no purpose.
        near = (u < 1) & (v < 1)
        out[top:bottom, left:right] |= near if p == 200 else near & (np.minimum(u, 2) ** p + np.minimum(v, 2) ** p < 1)
    return out


def scrambled(frame: Frame, where: NDArray[np.bool_], seed: int = 99) -> Frame:
    """The frame with other pixels in some places."""
    other = picture(frame.width, frame.height, frame.pixels.dtype.type, seed)
    pixels: Any = np.where(where[:, :, None], other.pixels, frame.pixels)
    return Frame(pixels, frame.alpha, frame.index, frame.time)


def clip_of(
    width: int = 90,
    height: int = 70,
    seed: int = 0,
    bits: int = 8,
    subsampling: tuple[int, int] = (2, 2),
    orientation: int = 1,
    **described: Any,
) -> Planes:
    """A noisy frame of a video, every sample on its own; width and height as stored."""
    rng, dtype = np.random.default_rng(seed), np.uint8 if bits == 8 else np.uint16
    chroma = (-(-height // subsampling[1]), -(-width // subsampling[0]))
    sizes = [(height, width)] if described.get("matrix") == "grey" else [(height, width), chroma, chroma]
    planes: Any = tuple(rng.integers(0, 1 << bits, size).astype(dtype) for size in sizes)
    return Planes(planes, bits, subsampling, orientation=orientation, **described)


def cells_of(planes: Planes, touched: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Which samples of each plane belong to cells that some upright pixels, bool (H, W), lie in. Written with loops."""
    lying = np.ascontiguousarray(stored(touched, planes.orientation))
    across, down = (1, 1) if planes.matrix == "grey" else planes.subsampling
    rows, columns = np.nonzero(lying)
    cells = {(y // down, x // across) for y, x in zip(rows.tolist(), columns.tolist(), strict=True)}
    out = [np.zeros(plane.shape, bool) for plane in planes.planes]
    for y, x in cells:
        out[0][y * down : (y + 1) * down, x * across : (x + 1) * across] = True
        for plane in out[1:]:
            plane[y, x] = True
    return out


def with_samples(planes: Planes, where: list[NDArray[np.bool_]], seed: int = 99) -> Planes:
    """The planes with other samples in some places."""
    rng = np.random.default_rng(seed)
    changed: Any = tuple(
        np.where(here, rng.integers(0, 1 << planes.bits, plane.shape), plane).astype(plane.dtype)
        for plane, here in zip(planes.planes, where, strict=True)
    )
    return replace(planes, planes=changed)
