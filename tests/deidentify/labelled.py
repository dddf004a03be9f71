"""Scenes of faces, plates and persons, some with outlines, and a rule of its own for what is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from scenes import covered

from faceveil.deidentify.cover import covers_of
from faceveil.policy import Area
from faceveil.types import FACE, Frame, FramePlan, Planes, Regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LABELS = [FACE, "plate", "person", "screen", "eyes", "badge"]
SHAPES = ["rounded", "ellipse", "box", "contour"]


@st.composite
def regions(draw: st.DrawFn, size: tuple[int, int]) -> Regions:
    """One to four things that overlap, touch the border or lie outside of a picture; each face may have an outline."""
    width, height = size
    place = st.tuples(st.floats(-20, width + 10, width=16), st.floats(-20, height + 10, width=16))
    side = st.floats(0, 36, width=16)
    count = draw(st.integers(1, 4))
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=count, max_size=count))
    corner = np.array([draw(place) for _ in range(count)], np.float32)
    sides = np.array([(draw(side), draw(side)) for _ in range(count)], np.float32)
    share = st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16))
    outline = np.full((count, 5, 2), np.nan, np.float32)
    for i, label in enumerate(labels):
        if label == FACE and draw(st.booleans()):
            outline[i] = corner[i] + sides[i] * np.array([draw(share) for _ in range(5)], np.float32)
    marks = corner[:, None] + sides[:, None] * np.array(
        [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32
    )
    marks[[label != FACE for label in labels]] = np.nan
    xyxy = np.concatenate([corner, corner + sides], axis=1)
    track = np.arange(count) if draw(st.booleans()) else None
    return Regions(xyxy, np.full(count, 0.5), marks, track, np.array(labels), outline)


@st.composite
def areas(draw: st.DrawFn) -> Area:
    return Area.model_validate({"shape": draw(st.sampled_from(SHAPES)), "regular": draw(st.booleans())})


def planned(frame: Frame | Planes, found: Regions, methods: Sequence[str]) -> FramePlan:
    size = frame.size if isinstance(frame, Planes) else (frame.width, frame.height)
    return FramePlan(found, tuple(methods), size)


def hidden(
    frame: Frame | Planes, found: Regions, area: Area, chosen: Sequence[bool], grown: float = 0.0
) -> NDArray[np.bool_]:
    """Pixels of which any part lies in a chosen cover, by the definition of each kind of cover."""
    size = frame.size if isinstance(frame, Planes) else (frame.width, frame.height)
    out = np.zeros(size[::-1], bool)
    covers = covers_of(found, area)
    for i in np.flatnonzero(chosen).tolist():
        if area.shape == "contour" and found.outline is not None and np.isfinite(found.outline[i]).all():
            by = grown or -1e-7  # a pixel that is only touched may count either way
            out |= crossed(larger(found.outline[i], area, by, found.xyxy[i]), size)
            continue
        (cx, cy), (a, b) = covers.centre[i], covers.half[i] * (1 + grown)
        y, x = np.mgrid[: size[1], : size[0]].astype(np.float64)
        u, v = np.abs(np.clip(cx, x, x + 1) - cx) / a, np.abs(np.clip(cy, y, y + 1) - cy) / b
        p = float(covers.exponent[i])
        near = (u < 1) & (v < 1)
        out |= near if np.isinf(p) else near & (np.minimum(u, 2) ** p + np.minimum(v, 2) ** p < 1)
    return out


def larger(
    outline: NDArray[np.float32], area: Area, grown: float, box: NDArray[np.float32] | None = None
) -> list[tuple[float, float]]:
    """Corners of the convex polygon that covers a face of an outline, larger by a part of it.

    box: of the face; that of the outline where unset. In the middle it has a square of a face of 3 px at least.
    """
    points, factor = outline.astype(np.float64), np.array([area.width, area.height])
    middle, size = (points.min(0) + points.max(0)) / 2, np.maximum(np.ptp(points, axis=0), 3.0)
    moved = middle - [0, area.up * size[1]] + factor * (points - middle)
    angle = np.linspace(0, 2 * np.pi, 24)
    corners = np.array([points.min(0), points.max(0)]) if box is None else box.reshape(2, 2).astype(np.float64)
    oval = corners.mean(0) + np.ptp(corners, axis=0) / 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    both = np.concatenate([moved, points, oval]) if min(factor) >= 1 else moved
    centre = (both.min(0) + both.max(0)) / 2
    square = centre + factor * np.array([(-1.5, -1.5), (1.5, -1.5), (1.5, 1.5), (-1.5, 1.5)])
    return chain([tuple((centre + (1 + grown) * (p - centre)).tolist()) for p in [*both, *square]])


def chain(points: list[Any]) -> list[tuple[float, float]]:
    """The convex hull by Andrew's monotone chain."""
    ordered = sorted(set(points))

    def half(some: list[Any]) -> list[Any]:
        kept: list[Any] = []
        for x, y in some:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return half(ordered) + half(ordered[::-1])


def crossed(corners: list[tuple[float, float]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels that share area with a convex polygon: one has a corner in the other, or an edge runs through a pixel."""
    width, height = size
    y, x = np.mgrid[: height + 1, : width + 1].astype(np.float64)
    inside = np.ones(x.shape, bool)
    out = np.zeros((height, width), bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0
        out |= _through(ax, ay, bx, by, x[:-1, :-1], y[:-1, :-1])
    return out | inside[:-1, :-1] | inside[1:, :-1] | inside[:-1, 1:] | inside[1:, 1:]


def _through(ax: float, ay: float, bx: float, by: float, x: Any, y: Any) -> Any:
    """Whether a line from a to b runs through the inside of the pixels at x, y (Liang and Barsky)."""
    first, last, outside = np.zeros(x.shape), np.ones(x.shape), np.zeros(x.shape, bool)
    for p, q in ((ax - bx, ax - x), (bx - ax, x + 1 - ax), (ay - by, ay - y), (by - ay, y + 1 - ay)):
        if p == 0:
            outside |= q <= 0
        elif p < 0:
            first = np.maximum(first, q / p)
        else:
            last = np.minimum(last, q / p)
    return ~outside & (first < last)


__all__ = ["areas", "chain", "covered", "crossed", "hidden", "larger", "planned", "regions"]
