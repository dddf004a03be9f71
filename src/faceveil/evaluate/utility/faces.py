"""What a detector and classifiers still make of faces that were painted over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceveil.detect import boxes
from faceveil.errors import RequestError
from faceveil.match.onnx import Onnx

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from faceveil.detect.runtime import Runtime
    from faceveil.types import Regions

STILL_FOUND = 0.3  # IoU from which what a detector finds afterwards is the face that was there
EYES = 0.1  # of the box's width: faces whose eyes lie nearer together are profiles, and give no scale


def again(before: Regions, after: Regions) -> NDArray[np.intp]:
    """Which of the regions after is each of those before, (n,); -1 where none is."""
    shared = boxes.overlap(before.xyxy, after.xyxy)
    if not shared.size:
        return np.full(len(before), -1)
    return np.where(shared.max(1) >= STILL_FOUND, shared.argmax(1), -1)


def moved(before: Regions, after: Regions, found: NDArray[np.intp]) -> NDArray[np.float64]:
    """The sum of how far landmarks have moved, over faces that are found again, and how many those are, (2,).

    found: of `again`. Of each face the mean distance of its five landmarks, in distances of its eyes before. Nothing
    counts where the detector gives no landmarks.
    """
    if before.landmarks is None or after.landmarks is None or not len(after):
        return np.zeros(2)
    eyes = np.linalg.norm(before.landmarks[:, 0] - before.landmarks[:, 1], axis=1).astype(np.float64)
    able = (found >= 0) & (eyes >= EYES * np.maximum(before.xyxy[:, 2] - before.xyxy[:, 0], 1e-3))
    shift = np.linalg.norm(before.landmarks[able] - after.landmarks[found[able]], axis=2).mean(1)
    return np.array([(shift / eyes[able]).sum(), able.sum()], np.float64)


def classifier(manifest: Path, runtime: Runtime) -> Onnx:
    """The network that a manifest describes, of which the largest number is the class. Raises `RequestError`."""
    return Onnx(manifest=manifest, mirror=False).on(runtime)


def features(manifest: Path, runtime: Runtime) -> Onnx:
    """The network of a manifest, whose numbers are compared as they are. Raises `RequestError`."""
    made = classifier(manifest, runtime)
    if made.metric != "euclidean":
        raise RequestError(
            f"the manifest {manifest}: features are compared by their length, too", hint="metric: euclidean"
        )
    return made


def kept(network: Onnx, before: NDArray[np.uint8], after: NDArray[np.uint8], seen: Regions) -> NDArray[np.int64]:
    """Of how many faces the most probable class has stayed, and how many there are, (2,).

    before, after: pictures (H, W, 3). seen: the faces before, whose place is given to the classifier in both. A
    classifier that wants faces turned upright is asked about none where the detector gives no landmarks.
    """
    align = network.alignment
    if not len(seen) or (seen.landmarks is None and align.points is not None):
        return np.zeros(2, np.int64)
    points: NDArray[np.float32] = seen.xyxy if seen.landmarks is None else seen.landmarks
    maps = [align.transform(box, marks) for box, marks in zip(seen.xyxy, points, strict=True)]
    one, other = (
        network(np.stack([align.cut(picture, way)[0] for way in maps])).argmax(1) for picture in (before, after)
    )
    return np.array([(one == other).sum(), len(seen)], np.int64)
