"""Regions of one picture from several looks at it: moved to where they belong, and one for each face.

Landmarks and outlines go wherever their boxes go. Things of different labels never stand for each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from faceveil.detect import boxes
from faceveil.types import Regions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from faceveil.types import Floats

VOTING, POWER = 0.5, 3
"""Overlap (IoU) from which a look has a say in the mean box, and the power of its score that it has.

False positives a picture at a recall of .950 to .958 from 20 px, six looks of `vote`, 333 pictures: .4 and 1 give 5.7,
.4 and 3 5.0, .5 and 2 4.6, .5 and 3 4.2, .6 and 3 4.8: an offset box beside a crowd's faces spoils the mean.
"""
MIRRORED = np.array([1, 0, 2, 4, 3])  # left and right are as seen in the picture: they change places


# --- one of many ----------------------------------------------------------------------------------------------------


def best(found: Regions, limit: float, *, vote: bool = True) -> Regions:
    """One region for each face, best score first: what overlaps it by more than `limit` and has its label goes.

    vote: its box is that of `grouped`; if not, its own.
    """
    labels, kept = found.labels, []
    for label in np.unique(labels):
        some = found[labels == label]
        kept.append(grouped(some, limit)[0] if vote else some[boxes.best(some.xyxy, some.score, limit)])
    return in_order(Regions.concatenate(kept))


def grouped(found: Regions, limit: float) -> tuple[Regions, NDArray[np.intp]]:
    """One region for each thing of one label, best score first, and which of them each of `found` shows, (n,).

    Its box is the mean of all boxes that lie nearly where the best one lies, by score.
    """
    kept = boxes.best(found.xyxy, found.score, limit)
    if not len(kept):
        return found, kept
    owner = boxes.overlap(found.xyxy[kept], found.xyxy).argmax(0)
    owner[kept] = np.arange(len(kept))  # a box without area overlaps not even itself
    return replace(found[kept], xyxy=boxes.voted(found.xyxy, found.score, kept, VOTING, POWER)), owner


def added(found: Regions, more: Regions, limit: float, over: boxes.Over = "union") -> Regions:
    """`found`, and those of `more` that stand on none of them. Seen twice, a face keeps the higher score."""
    if not len(found) or not len(more):
        return Regions.concatenate([found, more])
    shared = overlap(more, found, over)
    seen = shared.max(1) > limit
    score = found.score.copy()
    np.maximum.at(score, shared.argmax(1)[seen], more.score[seen])
    return Regions.concatenate([replace(found, score=score), more[~seen]])


def overlap(one: Regions, many: Regions, over: boxes.Over = "union") -> Floats:
    """As `boxes.overlap`, (n, m); things of different labels overlap nothing."""
    shared = boxes.overlap(one.xyxy, many.xyxy, over)
    shared[one.labels[:, None] != many.labels[None]] = 0
    return shared


def in_order(found: Regions) -> Regions:
    """Best score first, ties in the order given."""
    return found[np.argsort(-found.score, kind="stable")]


# --- where they belong ----------------------------------------------------------------------------------------------


def moved(found: Regions, x: float, y: float) -> Regions:
    """Regions of a part of the picture that begins at (x, y), in the picture's own pixels."""
    by = np.array([x, y], np.float32)
    return _mapped(found, lambda points: points + by)


def mirrored(found: Regions, width: int) -> Regions:
    """Regions of the mirror image in the picture's own pixels: half-open boxes, left and right landmarks exchanged."""

    def back(points: Floats) -> Floats:
        return np.stack([width - points[..., 0], points[..., 1]], -1)

    changed = _mapped(found, back)
    marks = changed.landmarks
    return changed if marks is None else replace(changed, landmarks=marks[:, MIRRORED])


def turned_back(found: Regions, quarters: int, size: tuple[int, int]) -> Regions:
    """Regions of a picture that was turned counter-clockwise by quarters, in the pixels of the unturned one.

    size: (width, height) of the unturned one. Of each face that was turned, the eye and the corner of the mouth that
    are farther to the left in the unturned picture are the left ones; the upper ones where both are equally far.
    """
    width, height = size

    def back(points: Floats) -> Floats:
        x, y = points[..., 0], points[..., 1]
        ways = (x, y), (width - y, x), (width - x, height - y), (y, height - x)
        return np.stack(ways[quarters % 4], -1)

    if quarters % 4 == 0:
        return found
    changed = _mapped(found, back)
    if changed.landmarks is None:
        return changed
    marks = changed.landmarks.copy()
    one, other = marks[:, [0, 3]].sum(1), marks[:, [1, 4]].sum(1)  # both points of a side: they change places together
    wrong = (one[:, 0] > other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] > other[:, 1]))
    marks[wrong] = marks[wrong][:, MIRRORED]
    return replace(changed, landmarks=marks)


def leant_back(found: Regions, back: Floats) -> Regions:
    """Regions of a picture that was turned by less than half a quarter, each point moved by `back` (2, 3).

    Boxes move with their centres and keep their sides: a leaning face is about as wide and high as an upright one.
    """

    def to(points: Floats) -> Floats:
        return np.asarray(points @ back[:, :2].T + back[:, 2], np.float32)

    centre = np.asarray((found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2, np.float32)
    return replace(
        found,
        xyxy=np.asarray(found.xyxy + np.tile(to(centre) - centre, 2), np.float32),
        landmarks=None if found.landmarks is None else to(found.landmarks),
        outline=None if found.outline is None else to(found.outline),
    )


def _mapped(found: Regions, to: Callable[[Floats], Floats]) -> Regions:
    """Regions with every point (..., 2) in another place; `to` keeps horizontal and vertical lines so."""
    corners = to(found.xyxy.reshape(-1, 2, 2))
    return replace(
        found,
        xyxy=np.concatenate([corners.min(1), corners.max(1)], 1),
        landmarks=None if found.landmarks is None else to(found.landmarks),
        outline=None if found.outline is None else to(found.outline),
    )
