"""Boxes: how much they overlap, and which of many on one face stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

Over = Literal["union", "smaller"]


def area(xyxy: Floats) -> Floats:
    """Area of each box, (n,)."""
    return np.asarray((xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]), np.float32)


def overlap(one: Floats, many: Floats, over: Over = "union") -> Floats:
    """Intersection of each of `one` (n, 4) with each of `many` (m, 4), relative to their union or the smaller box.

    Returns (n, m) in [0, 1]. Boxes without area overlap nothing.
    """
    top_left = np.maximum(one[:, None, :2], many[None, :, :2])
    bottom_right = np.minimum(one[:, None, 2:], many[None, :, 2:])
    sides = (bottom_right - top_left).clip(0)
    shared = sides[..., 0] * sides[..., 1]
    mine, theirs = area(one)[:, None], area(many)[None, :]
    whole = mine + theirs - shared if over == "union" else np.minimum(mine, theirs)
    return np.asarray(np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0), np.float32)


def best(xyxy: Floats, score: Floats, limit: float, over: Over = "union") -> NDArray[Any]:
    """Non-maximum suppression: indices of the boxes that stay, best score first, ties in the order given.

    A box goes only if it overlaps one that stays by more than `limit`. So nothing that was found is left uncovered:
    what goes has a better box on the same place.
    """
    waiting = np.argsort(-score, kind="stable")
    kept = []
    while len(waiting):
        first, waiting = waiting[0], waiting[1:]
        kept.append(first)
        waiting = waiting[overlap(xyxy[first : first + 1], xyxy[waiting], over)[0] <= limit]
    return np.array(kept, np.intp)


def voted(xyxy: Floats, score: Floats, kept: NDArray[Any], limit: float, power: float = 1) -> Floats:
    """Each kept box as the mean of all boxes that overlap it by more than `limit` (IoU): (k, 4).

    Weights are scores to the given power: the higher it is, the more the best one counts.

    Neighbouring cells see the same face a little differently; their mean is nearer to it than the best of them.
    Source: Gidaris and Komodakis, Object Detection via a Multi-Region and Semantic Segmentation-Aware CNN Model, 2015.
    """
    if not len(kept):
        return np.zeros((0, 4), np.float32)
    score = np.asarray(score.clip(1e-6) ** power, np.float32)  # a score of 0 weighs next to nothing, not nothing
    weight = np.where(overlap(xyxy[kept], xyxy) > limit, score[None], 0)
    weight[np.arange(len(kept)), kept] = score[kept]  # a box without area overlaps not even itself
    return np.asarray(weight @ xyxy / weight.sum(1, keepdims=True), np.float32)
