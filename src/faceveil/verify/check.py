"""`check`: does this file still show a face, or hold anything beside its picture?

It works on the output of any tool. Faces are looked for by another detector than the one that covered them, in four
rotations and two sizes, in every frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceveil import media
from faceveil.detect.base import Detector
from faceveil.errors import UnreadableError
from faceveil.policy import Cover, Metadata
from faceveil.types import Frame, Regions
from faceveil.verify import compare
from faceveil.verify.carve import carve
from faceveil.verify.faces import Seen, visible
from faceveil.verify.leak import Leak

if TYPE_CHECKING:
    from faceveil.types import Floats

DETECTOR = "mtcnn:min_size=32"
"""What looks for visible faces: not the network that covers them by default."""
MIN_SCORE = 0.95
"""Of a visible face. On 31 veiled WIDER pictures, 8 looks each, one picture had a false one at 0.95, three at 0.8."""


@dataclass(frozen=True, slots=True)
class Original:
    """What a file is compared with: the picture it was made from.

    finder: finds the faces in it. cover: how much around them may differ.
    """

    path: Path
    finder: Detector
    cover: Cover


@dataclass(frozen=True, slots=True)
class Check:
    """What was found in one file.

    faces: still visible. leaks: in the container. shown, outside, differs: against the original, where given.
    """

    frames: int
    faces: tuple[Seen, ...]
    leaks: tuple[Leak, ...]
    shown: tuple[compare.Shown, ...] = ()
    outside: compare.Outside | None = None
    differs: str = ""

    @property
    def clean(self) -> bool:
        """Whether nothing was found. Pixels that differ outside the faces are stated and count as nothing."""
        return not (self.faces or self.leaks or self.shown or self.differs)

    def sentence(self) -> str:
        """What was found, in words."""
        said = []
        if self.faces:
            said.append(_count(len(self.faces), "face is", "faces are") + " still visible")
        if self.shown:
            said.append(_count(len(self.shown), "face", "faces") + " of the original can still be seen")
        if self.leaks:
            first = f"{self.leaks[0].what} at byte {self.leaks[0].offset}"
            more = f" and {len(self.leaks) - 1} more" if len(self.leaks) > 1 else ""
            said.append(f"beside the picture there is {first}{more}")
        if self.differs:
            said.append(self.differs)
        frames = "" if self.frames == 1 else f" in {self.frames} frames"
        head = "; ".join(said) if said else f"no face and no leak found{frames}"
        return head + (f"; {self.outside}" if self.outside else "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        if self.outside and math.isinf(self.outside.psnr):
            found["outside"]["psnr"] = None
        return {"clean": self.clean, **found}


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def check(
    file: Path,
    detector: Detector,
    *,
    original: Original | None = None,
    min_score: float = MIN_SCORE,
    metadata: Metadata = "technical",
) -> Check:
    """Examine one file, whatever made it.

    Args:
        file: a picture.
        detector: looks for faces that are still visible.
        original: compare with this picture too.
        min_score: of a face that counts as visible.
        metadata: what may stay beside the picture; camera settings are no leak with "all-but-identifying".

    Raises:
        InputError: a file cannot be read or is no picture.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{file} cannot be read: {(error.strerror or 'unknown').lower()}") from None
    return examine(data, detector, original=original, min_score=min_score, metadata=metadata)


def examine(
    data: bytes,
    detector: Detector,
    *,
    original: Original | None = None,
    min_score: float = MIN_SCORE,
    kept: Mapping[int, Floats] | None = None,
    metadata: Metadata = "technical",
) -> Check:
    """As `check`, for bytes. kept: boxes (n, 4) by frame of faces that may be visible."""
    leaks = carve(data, settings=metadata == "all-but-identifying")
    faces: list[Seen] = []
    shown: list[compare.Shown] = []
    differences: list[compare.Outside] = []
    differs = ""
    frames = 0
    befores = _before(original) if original is not None else iter(())
    if original is not None:
        source = original.path.read_bytes()
        leaks += compare.carried_over(source, carve(source), data)
    for frame in media.open(data):
        frames += 1
        faces += visible(frame, detector, min_score, except_at=(kept or {}).get(frame.index))
        before, regions = next(befores, (None, Regions()))
        if before is not None and before.pixels.shape != frame.pixels.shape:
            differs = "its size is not the original's"
        elif before is not None and before.pixels.dtype != frame.pixels.dtype:
            differs = "its depth is not the original's"
        elif before is not None and original is not None:
            shown += compare.still_shown(before, frame, regions)
            differences.append(compare.outside(before, frame, regions, original.cover))
    if next(befores, None) is not None:
        differs = "it has fewer frames than the original"
    worst = min(differences, key=lambda d: d.psnr, default=None)
    return Check(frames, tuple(faces), tuple(leaks), tuple(shown), worst, differs)


def _before(original: Original) -> Iterator[tuple[Frame | None, Regions]]:
    for frame in media.open(original.path):
        yield frame, original.finder(frame)
