"""`check` for films: every frame looked at, some of them at length; findings that follow each other told once.

Nothing of a film is held but what was found: memory does not grow with its length.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from faceveil.detect.base import Detector
from faceveil.errors import UnreadableError
from faceveil.types import Frame
from faceveil.verify import compare, footage
from faceveil.verify.carve import carve
from faceveil.verify.check import MIN_SCORE, Check, FilmLook, Original
from faceveil.verify.faces import Seen, overlap, visible
from faceveil.verify.leak import Data, Leak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

EVERY = 5
"""Of how many frames one is looked at in all rotations and sizes. On two cores of a server a 1080p frame costs 22 ms
of MTCNN for the look that all get, 112 ms for all looks: 12 s for 10 s at 30 a second, 34 s with --every 1."""
CUT = 16.0
"""Mean difference, in levels of 255, between two frames of 32 x 18 from which a new scene is assumed: in 23 clips
motion reached 15.3, cuts began at 17.1."""
_MAP = (32, 18)
_SAME_TIME = 0.0011
"""Seconds by which a frame may move: Matroska counts in milliseconds."""


@dataclass(frozen=True, slots=True)
class SeenFor(Seen):
    """A face that is visible for some time: `frame` is the first, box, score and rotation are of the best look.

    last: the last frame. start, end: seconds of both. looks: in how many frames it was seen.
    hidden: in frames that players leave out; their numbers count from the first of these.
    """

    last: int = 0
    start: float = 0.0
    end: float = 0.0
    looks: int = 1
    hidden: bool = False


def examine_film(
    path: Path,
    detector: Detector,
    *,
    original: Original | None = None,
    min_score: float = MIN_SCORE,
    kept: Mapping[int, Floats] | None = None,
    every: int = EVERY,
    allow_sound: bool = False,
    tell: Callable[[int], None] | None = None,
) -> Check:
    """Examine a film: faces, container, coded pictures, and its original where there is one.

    Args:
        path: a file that FFmpeg reads. It is mapped, never read as a whole.
        detector: looks for faces that are still visible.
        original: compare with this film too, in the frames that are looked at at length.
        min_score: of a face that counts as visible.
        kept: boxes (n, 4) by frame of faces that may be visible.
        every: one frame of so many, and each after a cut, is looked at in all rotations and sizes.
        allow_sound: sound is no leak.
        tell: called with the number of frames that were looked at, after each.

    Raises:
        InputError: the file or the original cannot be read, or holds no pictures.
    """
    data = mapped(path)
    leaks = carve(data, allow_sound=allow_sound)
    reel, looker = footage.Reel(), _Looker(detector, min_score, every)
    beside = _Beside(original) if original is not None else None
    for frame in footage.frames(path, reel):
        full = looker.look(frame, (kept or {}).get(frame.index))
        if beside is not None:
            beside.take(frame, full=full)
        if tell is not None:
            tell(looker.frames)
    faces, unseen = looker.finish(), _hidden(path, detector, min_score)
    leaks += reel.leaks(leaks)
    if unseen.frames and not any("edit list hides" in leak.what for leak in leaks):
        leaks.append(Leak(f"pictures that the edit list hides ({unseen.frames})", 0, 0))
    look = FilmLook(every, looker.full, unseen.frames)
    found = Check(looker.frames, (*faces, *unseen.finish()), tuple(leaks), film=look)
    return found if beside is None else beside.finish(found, data, path, allow_sound=allow_sound)


def mapped(path: Path) -> Data:
    """The bytes of a file, mapped into memory; closed with the last reference. Raises `UnreadableError`."""
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {(error.strerror or 'unknown').lower()}") from None
    except ValueError:
        raise UnreadableError(f"{path} is empty") from None


# --- faces ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Looker:
    """Looks at frame after frame and joins what follows each other into one find."""

    detector: Detector
    min_score: float
    every: int
    hidden: bool = False
    frames: int = 0
    full: int = 0
    done: list[SeenFor] = field(default_factory=list)
    open: list[SeenFor] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    map: NDArray[np.float32] | None = None

    def look(self, frame: Frame, except_at: Floats | None = None) -> bool:
        """Look at a frame; gives whether it was at length."""
        small = cv2.resize(frame.pixels, _MAP, interpolation=cv2.INTER_AREA).astype(np.float32)
        cut = self.map is None or float(np.abs(small - self.map).mean()) > CUT
        self.map = small
        full = cut or self.frames % self.every == 0
        self.frames += 1
        self.full += full
        for seen in visible(frame, self.detector, self.min_score, except_at=except_at, brief=not full):
            self._join(seen, float(frame.time or 0))
        return full

    def _join(self, seen: Seen, time: float) -> None:
        """Take a find into the one it continues: at the same place, with no more than a round of looks between."""
        for i, (face, box) in enumerate(zip(self.open, self.boxes, strict=True)):
            if seen.frame - face.last <= self.every + 1 and overlap(seen.box, box):
                if seen.score > face.score:
                    face = replace(face, box=seen.box, score=seen.score, rotation=seen.rotation)  # noqa: PLW2901
                self.open[i] = replace(
                    face, last=seen.frame, end=round(time, 3), looks=face.looks + (seen.frame > face.last)
                )
                self.boxes[i] = seen.box
                return
        while len(self.open) > 256:  # a crowd; the oldest are over
            self.done.append(self.open.pop(0))
            self.boxes.pop(0)
        time = round(time, 3)
        self.open.append(
            SeenFor(seen.frame, seen.box, seen.score, seen.rotation, seen.frame, time, time, hidden=self.hidden)
        )
        self.boxes.append(seen.box)

    def finish(self) -> list[SeenFor]:
        """All finds, by their first frame."""
        return sorted((*self.done, *self.open), key=lambda face: face.frame)


def _hidden(path: Path, detector: Detector, min_score: float) -> _Looker:
    """Look, at length, at the frames that an edit list keeps from being shown."""
    looker = _Looker(detector, min_score, 1, hidden=True)
    times = footage.hidden(path)
    for frame in footage.frames(path, only=times) if times else ():
        looker.look(frame)
    return looker


# --- beside the original ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Beside:
    """A film beside its original, frame by frame."""

    original: Original
    befores: Iterator[Frame] = field(init=False)
    differs: str = ""
    shown: list[compare.Shown] = field(default_factory=list)
    differences: list[compare.Outside] = field(default_factory=list)
    shift: float | None = None

    def __post_init__(self) -> None:
        self.befores = footage.frames(self.original.path)

    def take(self, frame: Frame, *, full: bool) -> None:
        """Compare the next frame: its time and size always, its pixels where it is looked at at length."""
        before = next(self.befores, None)
        if before is None:
            self.differs = self.differs or "it has more frames than the original"
        elif before.pixels.shape != frame.pixels.shape:
            self.differs = self.differs or "its size is not the original's"
        else:
            self._times(before, frame)
            if full:
                self._pixels(before, frame)

    def _times(self, before: Frame, frame: Frame) -> None:
        """Times count from the first frame: containers begin at different ones."""
        apart = float((frame.time or 0) - (before.time or 0))
        self.shift = apart if self.shift is None else self.shift
        if abs(apart - self.shift) > _SAME_TIME and not self.differs:
            self.differs = f"frame {frame.index} is shown at another time than the original's"

    def _pixels(self, before: Frame, frame: Frame) -> None:
        regions = self.original.finder(before)
        self.differences.append(compare.outside(before, frame, regions, self.original.area))
        for shown in compare.still_shown(before, frame, regions):
            if not any(overlap(shown.box, other.box) for other in self.shown[-256:]):
                self.shown.append(shown)

    def finish(self, found: Check, data: Data, path: Path, *, allow_sound: bool) -> Check:
        """The result with what the comparison says."""
        if next(self.befores, None) is not None:
            self.differs = self.differs or "it has fewer frames than the original"
        source = mapped(self.original.path)
        carried = compare.carried_over(source, carve(source, allow_sound=allow_sound), data)
        worst = min(self.differences, key=lambda d: d.psnr, default=None)
        mean = _mean([d.psnr for d in self.differences])
        look = found.film
        assert look is not None  # noqa: S101  # `examine_film` made it
        look = replace(look, compared=len(self.differences), psnr=mean, sound=_sound(self.original.path, path))
        leaks = found.leaks + tuple(carried)
        return replace(found, leaks=leaks, shown=tuple(self.shown), outside=worst, differs=self.differs, film=look)


def _mean(ratios: list[float]) -> float | None:
    """The mean of finite PSNRs, in dB; None where there is none."""
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    return round(sum(finite) / len(finite), 2) if finite else None


def _sound(original: Path, path: Path) -> str:
    """What became of the original's sound, packet by packet."""
    before, after = footage.sounds(original), footage.sounds(path)
    if not after:
        return "absent"
    if before == after:
        return "identical"
    return "changed" if before else "added"
