"""Detectors made of detectors: several at once, several sizes, mirrored.

Whatever one of the parts finds is found by the whole: a region goes only where another one stands on the same face.
So it is with `rotate.py` and `tiles.py`. Those that judge, and drop, are `confirm.py` and `vote.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from faceveil.detect import regions
from faceveil.detect.base import Detector
from faceveil.detect.scores import PROBABLE, Calibration, on_scale
from faceveil.types import FACE, Frame, Regions

if TYPE_CHECKING:
    from faceveil.detect.runtime import Runtime

SAME_FACE = 0.4  # IoU; three scales and flip, 137 WIDER pictures, at .3/.4/.5: 6.3/7.0/8.1 false positives a picture,
# recall at 20 px .949/.952/.954. Voting at the same overlap raises .952 to .958.

Limit = Annotated[float, Field(ge=0, le=1)]


class Composed(Detector):
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

    @property
    def calibration(self) -> Calibration | None:
        """What its scores mean: where it was not measured itself, what those of its first part mean."""
        return super().calibration or self.parts[0].calibration

    def seen(self, part: Detector, frame: Frame) -> Regions:
        """What a part finds, its scores on the scale of the first part where both scales are known."""
        return on_scale(part(frame), part.calibration, self.parts[0].calibration)

    def on(self, runtime: Runtime) -> Self:
        """This composition with every part bound to an execution provider and a number of threads."""
        return super().on(runtime).of(tuple(part.on(runtime) for part in self.parts))

    def of(self, parts: tuple[Detector, ...]) -> Self:
        """This composition of other parts, as many as it has."""
        many = isinstance(getattr(self, self.positional), tuple)
        return self.model_copy(update={self.positional: parts if many else parts[0]})


class Union(Composed):
    """Whatever any of several detectors finds.

    Where two see the same face, the box of the detector that is named first stands, with the higher score of the two:
    scores are told on the scale of the first detector where both scales are known.
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
            found = regions.added(found, self.seen(detector, frame), self.iou)
        return told(self, regions.in_order(found))


class Scales(Composed):
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
        return regions.best(Regions.concatenate(found), self.iou)


class Flip(Composed):
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
        found = [self.detector(frame), regions.mirrored(mirrored, frame.width)]
        return regions.best(Regions.concatenate(found), self.iou)


class Calibrated(Composed):
    """Another detector, its scores of faces as probabilities where they were measured. Made by `faceveil.detect.build`.

    So a score means the same whichever detector is named, and so does the least that a region must have.
    """

    name: ClassVar[str] = "calibrated"
    positional: ClassVar[str] = "detector"

    detector: Detector
    least: float = Field(0, ge=0, le=1)

    @property
    def spec(self) -> str:
        """The spec of the detector whose regions it passes on."""
        return self.detector.spec

    @property
    def calibration(self) -> Calibration | None:
        """Its scores are probabilities, or what they were where nothing was measured."""
        return None if self.detector.calibration is None else PROBABLE

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        found = on_scale(self.detector(frame), self.detector.calibration, self.calibration)
        return found[found.score >= np.float32(self.least)]


def told(by: Detector, found: Regions) -> Regions:
    """The regions without what a detector does not give for all of its faces."""
    return replace(
        found,
        landmarks=found.landmarks if by.gives_landmarks else None,
        outline=found.outline if by.gives_outline else None,
    )
