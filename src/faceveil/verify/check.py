"""`check`: does this file still show a face, or hold anything beside its picture?

It works on the output of any tool. Faces are looked for by another detector than the one that covered them, in four
rotations and two sizes, in every frame; of films, see film.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceveil import media
from faceveil.detect.base import Detector
from faceveil.errors import UnreadableError
from faceveil.media.kinds import HEAD
from faceveil.policy import Area, Metadata
from faceveil.types import Frame, Regions
from faceveil.verify import compare
from faceveil.verify.carve import carve
from faceveil.verify.faces import Seen, visible
from faceveil.verify.leak import Leak

if TYPE_CHECKING:
    from faceveil.types import Floats

DETECTOR = "mtcnn:min_size=32"
"""What looks for visible faces: not the network that covers them by default."""
MIN_SCORE = 0.87
"""Of a visible face. On 31 veiled WIDER pictures, 8 looks each, one picture had a false one at .87, three at .61."""

FILMS = ("MP4", "QuickTime", "Matroska", "AVI", "MPEG", "WMV", "FLV")
"""Kinds of files, as `media.sniff` names them, that are looked at as films."""


@dataclass(frozen=True, slots=True)
class Original:
    """What a file is compared with: the picture or film it was made from.

    finder: finds the faces in it. area: how much around them may differ.
    """

    path: Path
    finder: Detector
    area: Area


@dataclass(frozen=True, slots=True)
class FilmLook:
    """How a film was looked at.

    every, full: one frame of so many, and each after a cut, in all rotations and sizes; how many these were. All others
    were looked at upright. hidden: frames that players leave out, all looked at.
    compared: frames beside the original. psnr: their mean outside the faces, in dB, None where all are identical.
    sound: "absent", "identical", "changed" or "added", against the original.
    """

    every: int
    full: int
    hidden: int
    compared: int = 0
    psnr: float | None = None
    sound: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found in one file.

    faces: still visible. leaks: in the container. shown, outside, differs: against the original, where given.
    film: how it was looked at, of films alone.
    """

    frames: int
    faces: tuple[Seen, ...]
    leaks: tuple[Leak, ...]
    shown: tuple[compare.Shown, ...] = ()
    outside: compare.Outside | None = None
    differs: str = ""
    film: FilmLook | None = None

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
            said.append(f"beside the picture the file holds {first}{more}")
        if self.differs:
            said.append(self.differs)
        frames = "" if self.frames == 1 else f" in {self.frames} frames"
        head = "; ".join(said) if said else f"no face and no leak found{frames}"
        return "; ".join([head, *self._beside()])

    def _beside(self) -> Iterator[str]:
        """What the comparison with the original gave, which counts as nothing."""
        if self.outside and self.film and self.film.psnr is not None:
            worst = f"{self.outside.psnr:.1f} dB at worst"
            yield f"outside the faces PSNR is {self.film.psnr:.1f} dB in {self.film.compared} frames, {worst}"
        elif self.outside:
            yield str(self.outside)
        if self.film and self.film.sound in ("identical", "changed", "added"):
            yield f"the sound is {self.film.sound}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        if self.outside and math.isinf(self.outside.psnr):
            found["outside"]["psnr"] = None
        if self.film is None:
            del found["film"]
        return {"clean": self.clean, **found}


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def check(  # noqa: PLR0913  (one parameter for each choice)
    file: Path,
    detector: Detector,
    *,
    original: Original | None = None,
    min_score: float = MIN_SCORE,
    kept: Mapping[int, Floats] | None = None,
    every: int | None = None,
    allow_sound: bool = False,
    metadata: Metadata = "technical",
    tell: Callable[[int], None] | None = None,
) -> Check:
    """Examine one file, whatever made it.

    Args:
        file: a picture or a film.
        detector: looks for faces that are still visible.
        original: compare with this picture or film too.
        min_score: of a face that counts as visible.
        kept: boxes (n, 4) by frame of faces that may be visible.
        every: of videos, one frame of so many is looked at in all rotations and sizes; film.EVERY if None.
        allow_sound: of videos, sound is no leak.
        metadata: what may stay beside the picture; camera settings are no leak with "all-but-identifying".
        tell: of videos, called with the number of frames that were looked at, after each.

    Raises:
        InputError: a file cannot be read, or is neither picture nor film.
    """
    try:
        with file.open("rb") as opened:
            kind = media.sniff(opened.read(HEAD))
        if kind in FILMS:
            from faceveil.verify import film  # noqa: PLC0415  (it needs what is defined here)

            often = film.EVERY if every is None else every
            return film.examine_film(
                file,
                detector,
                original=original,
                min_score=min_score,
                kept=kept,
                every=often,
                allow_sound=allow_sound,
                tell=tell,
            )
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{file} cannot be read: {(error.strerror or 'unknown').lower()}") from None
    return examine(data, detector, original=original, min_score=min_score, kept=kept, metadata=metadata)


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
            differences.append(compare.outside(before, frame, regions, original.area))
    if next(befores, None) is not None:
        differs = "it has fewer frames than the original"
    worst = min(differences, key=lambda d: d.psnr, default=None)
    return Check(frames, tuple(faces), tuple(leaks), tuple(shown), worst, differs)


def _before(original: Original) -> Iterator[tuple[Frame | None, Regions]]:
    for frame in media.open(original.path):
        yield frame, original.finder(frame)
