"""Covers that follow an outline: its convex hull, grown about its centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


MOST = 64  # edges, as each costs time; of an oval 1.4 times as high as wide, 64 lie .23 % outside at the most


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """A convex polygon around its centre, as the half planes that it is made of.

    slopes: float64 (m, 2). A point p, seen from the centre, lies in the polygon if slopes @ p <= 1 in all rows; the
    largest of them is by how much the polygon must grow to reach the point.
    """

    slopes: Doubles

    @classmethod
    def around(cls, points: Doubles) -> Contour:
        """The convex hull of points (k, 2), seen from the centre, which lies inside of it and not on its edge.

        A hull of very many corners is cut off in `MOST` directions, and so a little larger.
        """
        hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(np.float64)
        along = np.roll(hull, -1, axis=0) - hull
        across = np.stack([along[:, 1], -along[:, 0]], axis=1)
        across *= np.sign((across * hull).sum(axis=1))[:, None]
        if len(hull) > MOST:
            angle = np.linspace(0, 2 * np.pi, MOST, endpoint=False)
            across = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        # A cell and a convex polygon are apart only where an edge of either lies between them: with the directions of a
        # cell's edges too, `norm` is exact.
        normals = np.concatenate([across[across.any(axis=1)], [[1, 0], [-1, 0], [0, 1], [0, -1]]])
        return cls(normals / (normals @ points.T).max(axis=1)[:, None])

    def scaled(self, scale: Doubles) -> Contour:
        """The same polygon in pixels that are scale, (2,), of these wide and high."""
        return Contour(self.slopes * scale)

    def norm(self, columns: tuple[Doubles, Doubles], rows: tuple[Doubles, Doubles]) -> Doubles:
        """How far the nearest point of each cell lies out, (h, w): below 1 a part of it lies in the polygon.

        columns, rows: where the cells begin and end, (w,) and (h,) each, seen from the centre.
        """
        far = np.zeros((len(rows[0]), len(columns[0])))
        one = np.empty_like(far)
        for across, down in self.slopes.tolist():
            x, y = across * columns[across < 0], down * rows[down < 0]
            np.maximum(far, np.add(y[:, None], x[None], out=one), out=far)
        return far
