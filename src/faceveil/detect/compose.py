"""Detectors made of detectors: several at once, several sizes, mirrored, in tiles.

Whatever one of the parts finds is found by the whole: a region goes only where another one stands on the same face.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from faceveil.detect import boxes
from faceveil.detect.base import Detector
from faceveil.types import FACE, Frame, Regions

if TYPE_CHECKING:
    from faceveil.detect.runtime import Runtime

SAME_FACE = 0.4  # IoU; three scales and flip, 137 WIDER pictures, at .3/.4/.5: 6.3/7.0/8.1 false positives a picture,
# recall at 20 px .949/.952/.954. Voting at the same overlap raises .952 to .958.
MIRRORED = np.array([1, 0, 2, 4, 3])  # left and right are as seen in the picture: they change places

Limit = Annotated[float, Field(ge=0, le=1)]


class _Composed(Detector):
    """What all compositions share: their parts run where they run, and what not all parts know of a face is not told.

    Regions of different labels never stand for each other: a plate on a person is a region of its own.
    """

    @property
    def parts(self) -> tuple[Detector, ...]:
        """The detectors that it is made of."""
        nested = getattr(self, self.positional)
        return nested if isinstance(nested, tuple) else (nested,)

    @property
    def gives_landmarks(self) -> bool:
        """Whether its faces carry five landmarks: only if those of every part that finds faces do."""
        return self._all_faces("gives_landmarks")

    @property
    def gives_outline(self) -> bool:
        """Whether its faces carry an outline: only if those of every part that finds faces do."""
        return self._all_faces("gives_outline")

    def _all_faces(self, give: str) -> bool:
        finders = [part for part in self.parts if FACE in part.gives_labels]
        return FACE in self.gives_labels and all(getattr(part, give) for part in finders)

    @property
    def gives_labels(self) -> tuple[str, ...]:
        """What its regions may be: whatever those of a part may be."""
        return tuple(dict.fromkeys(label for part in self.parts for label in part.gives_labels))

    def on(self, runtime: Runtime) -> Self:
        """This composition with every part bound to an execution provider and a number of threads."""
        bound = tuple(part.on(runtime) for part in self.parts)
        many = isinstance(getattr(self, self.positional), tuple)
        return super().on(runtime).model_copy(update={self.positional: bound if many else bound[0]})


class Union(_Composed):
    """Whatever any of several detectors finds.

    Scores of different detectors cannot be compared, so the order decides: where two see the same face, the box of the
    detector that is named first stands, with the higher score of the two.
    """

    name: ClassVar[str] = "union"
    positional: ClassVar[str] = "detectors"

    detectors: tuple[Detector, ...] = Field(min_length=1)
    """The detectors, the most exact one first."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        found = Regions()
        for detector in self.detectors:
            found = _added(found, detector(frame), self.iou)
        return _told(self, _sorted(found))


class Scales(_Composed):
    """The same detector at several sizes: large sizes find small faces, small sizes find large ones."""

    name: ClassVar[str] = "scales"
    positional: ClassVar[str] = "detector"

    detector: Detector
    """A detector with a setting `size`, such as centerface."""
    sizes: tuple[Annotated[int, Field(ge=32, le=16384)], ...] = Field((640, 1280), min_length=1)
    """Longest sides in pixels that the picture is scaled to."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    @model_validator(mode="after")
    def _has_size(self) -> Self:
        if "size" not in type(self.detector).model_fields:
            raise ValueError(f"scales needs a detector with a setting 'size', '{self.detector.name}' has none")
        return self

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        found = [self.detector.model_copy(update={"size": size})(frame) for size in self.sizes]
        return _best(Regions.concatenate(found), self.iou)


class Flip(_Composed):
    """The picture and its mirror image: a second look at faces near the threshold."""

    name: ClassVar[str] = "flip"
    positional: ClassVar[str] = "detector"

    detector: Detector
    """Any detector."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        mirrored = self.detector(Frame(frame.pixels[:, ::-1]))
        found = [self.detector(frame), _unmirrored(mirrored, frame.width)]
        return _best(Regions.concatenate(found), self.iou)


class Tiles(_Composed):
    """The whole picture, and overlapping tiles of it at full resolution: small faces in large pictures."""

    name: ClassVar[str] = "tiles"
    positional: ClassVar[str] = "detector"

    detector: Detector
    """Any detector."""
    size: int = Field(1280, ge=64, le=16384)
    """Side of a tile in pixels of the picture; smaller pictures are not cut."""
    overlap: float = Field(0.2, ge=0, le=0.9)
    """Overlap of neighbouring tiles in sides of a tile. A face smaller than this lies whole in at least one."""
    iou: Limit = SAME_FACE
    """Overlap from which two boxes are one face."""

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        whole, cut = [self.detector(frame)], [Regions()]
        if max(frame.width, frame.height) > self.size:
            for x, y in product(self._starts(frame.width), self._starts(frame.height)):
                tile = Frame(frame.pixels[y : y + self.size, x : x + self.size])
                found = _moved(self.detector(tile), x, y)
                at_cut = _at_cut(found.xyxy, (x, y, x + tile.width, y + tile.height), (frame.width, frame.height))
                whole.append(found[~at_cut])
                cut.append(found[at_cut])
        found = _best(Regions.concatenate(whole), self.iou)
        # A tile's border may show half a face. If the face was seen whole, its half lies inside that box and goes;
        # if not, half a face is better than none.
        return _sorted(_added(found, _best(Regions.concatenate(cut), self.iou), 0.5, over="smaller"))

    def _starts(self, length: int) -> list[int]:
        """Where tiles begin along a side: evenly spread, the last one ends at the border."""
        if length <= self.size:
            return [0]
        step = max(1, int(self.size * (1 - self.overlap)))
        count = -(-(length - self.size) // step) + 1
        return [round(i * (length - self.size) / (count - 1)) for i in range(count)]


class AtLeast(_Composed):
    """Only regions of a score and above. Made by `faceveil.detect.build`, not by name."""

    positional: ClassVar[str] = "detector"

    detector: Detector
    least: float = Field(ge=0, le=1)

    @property
    def spec(self) -> str:
        """The spec of the detector whose regions it passes on."""
        return self.detector.spec

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        found = self.detector(frame)
        return found[found.score >= self.least]


# --- regions --------------------------------------------------------------------------------------------------------


def _best(found: Regions, limit: float) -> Regions:
    """One region for each face, best score first; its box is the mean of all that were seen there, by score."""
    if found.label is not None and len(labels := np.unique(found.label)) > 1:
        return _sorted(Regions.concatenate([_best(found.of(label), limit) for label in labels.tolist()]))
    kept = boxes.best(found.xyxy, found.score, limit)
    return replace(found[kept], xyxy=boxes.voted(found.xyxy, found.score, kept, limit))


def _sorted(found: Regions) -> Regions:
    return found[np.argsort(-found.score, kind="stable")]


def _added(found: Regions, more: Regions, limit: float, over: boxes.Over = "union") -> Regions:
    """`found`, and those of `more` that stand on none of them. Seen twice, a face keeps the higher score."""
    if not len(found) or not len(more):
        return Regions.concatenate([found, more])
    shared = boxes.overlap(more.xyxy, found.xyxy, over)
    shared[more.labels[:, None] != found.labels[None]] = 0
    seen = shared.max(1) > limit
    score = found.score.copy()
    np.maximum.at(score, shared.argmax(1)[seen], more.score[seen])
    return Regions.concatenate([replace(found, score=score), more[~seen]])


def _landmarks_if(wanted: bool, found: Regions) -> Regions:
    return found if wanted or found.landmarks is None else replace(found, landmarks=None)


def _told(by: Detector, found: Regions) -> Regions:
    """The regions without what a detector does not give for all of its faces."""
    found = _landmarks_if(by.gives_landmarks, found)
    return found if by.gives_outline or found.outline is None else replace(found, outline=None)


def _unmirrored(found: Regions, width: int) -> Regions:
    """Regions of the mirror image in the picture's own pixels: half-open boxes, left and right landmarks exchanged."""
    xyxy = found.xyxy.copy()
    xyxy[:, [0, 2]] = width - found.xyxy[:, [2, 0]]
    marks = None
    if found.landmarks is not None:
        marks = found.landmarks[:, MIRRORED].copy()
        marks[..., 0] = width - marks[..., 0]
    outline = None if found.outline is None else np.array([width, 0], np.float32) + found.outline * (-1, 1)
    return replace(found, xyxy=xyxy, landmarks=marks, outline=outline)


def _moved(found: Regions, x: int, y: int) -> Regions:
    return found.mapped(np.ones(2), np.array([x, y]))


def _at_cut(xyxy: Any, tile: tuple[int, int, int, int], picture: tuple[int, int]) -> Any:
    """Which boxes (n,) come within a twentieth of their side of a border of the tile that cuts the picture."""
    reach = (xyxy[:, 2:] - xyxy[:, :2]).max(1) / 20
    x1, y1, x2, y2 = tile
    width, height = picture
    return (
        ((x1 > 0) & (xyxy[:, 0] < x1 + reach))
        | ((y1 > 0) & (xyxy[:, 1] < y1 + reach))
        | ((x2 < width) & (xyxy[:, 2] > x2 - reach))
        | ((y2 < height) & (xyxy[:, 3] > y2 - reach))
    )
