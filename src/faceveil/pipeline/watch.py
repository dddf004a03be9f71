"""How a video is looked at: as a whole on a schedule and where scenes begin, closely at known faces in between.

A look at a whole 1080p picture costs as much as encoding it. So pictures are looked at as a whole a few times a
second; every frame between two such looks is looked at where faces were before and are afterwards, cut out of its full
resolution and laid side by side into one picture. Faces that come and go between two looks are followed from either
end, and the tracker covers them for half a second more. What else is to be covered has no such close looks, since its
detectors are not made for them: it is looked for in the whole of every picture in which faces are looked for at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from faceveil import detect, planes
from faceveil.detect.runtime import Runtime
from faceveil.pipeline.base import detector_of
from faceveil.types import FACE, Frame, Planes, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.base import Detector
    from faceveil.policy import Policy
    from faceveil.types import Floats

LOWEST = 0.15
"""CenterFace's threshold in a video: a detection may go on with a track from half of what it takes to begin one (.3 as
the network gives it, .27 as a probability), as in ByteTrack (Zhang et al. 2022)."""
LIKELY = 0.08  # faces below this score are not looked at closely: most are none, and each costs as much as a face
CELL, AROUND, LOOSE = 64, 2.4, 3.2
"""Pixels of a close look, and what it shows in sides of the face: 27 px are left for a face that is followed between
two looks, 20 px for one that was seen from one end only. Of 3,649 faces of seven clips, cuts left out of account, 96 px
and 3.0 lost 44 before tracking and these 63; with cuts and tracking 3 frames of 1,302 remain (`video.SURE`)."""
COLUMNS = 8  # of close looks in one picture
MOST = 32  # frames between two whole looks, whatever the time says
CUT_SIDE = 160  # px


class Seen(NamedTuple):
    """A frame that was looked at.

    found: faces, upright; None where nobody looked (`every`). whole: whether the whole picture was looked at. cut:
    whether a scene begins here.
    """

    moment: Planes
    found: Regions | None
    whole: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class Looks:
    """How to look.

    whole: detectors for whole pictures, which take turns, each with the longest side that it needs (0: all pixels).
    close: detector for close looks; None: every frame is looked at as a whole.
    interval: seconds between whole looks. step: every so many frames in between get close looks.
    every: look at every n-th frame alone, as a whole.
    beside: detector of what is not a face, for the whole of every frame that is looked at, in all its pixels.
    """

    whole: tuple[tuple[Detector, int], ...]
    close: Detector | None = None
    interval: Fraction = Fraction(0)
    step: int = 1
    every: int = 1
    beside: Detector | None = None

    @classmethod
    def of(cls, policy: Policy, threads: int) -> Looks:
        """What a policy asks for. A detector of the user's own looks at every frame."""
        every = policy.every or 1
        whole = detector_of(policy, threads)  # checks what the policy needs, too
        if policy.detector is not None or policy.preset == "thorough" or every > 1 or FACE not in policy.cover:
            side = 1280 if policy.detector is None and policy.preset != "thorough" and policy.cover == (FACE,) else 0
            return cls(((whole, side),), every=every)

        def centerface(size: int, enlarge: float = 1.5) -> Detector:
            spec = f"centerface:size={size},enlarge={enlarge},score_threshold={LOWEST}"
            return detect.build(policy.preset, spec, Runtime(policy.provider, threads))

        quick, close, beside = (centerface(640), 640), centerface(16384, 1), beside_faces(policy, threads)
        if policy.preset == "fast":
            return cls((quick,), close, Fraction(1, 2), step=3, beside=beside)
        return cls(((centerface(1280), 1280), quick, quick, quick), close, Fraction(1, 3), beside=beside)


def beside_faces(policy: Policy, threads: int) -> Detector | None:
    """What finds all that a policy covers beside faces; None where faces are all."""
    others = tuple(label for label in policy.cover if label != FACE)
    if not others:
        return None
    return detect.build(policy.preset, None, Runtime(policy.provider, threads), policy.min_score, others)


def watch(moments: Iterable[Planes], looks: Looks, done: Sequence[tuple[Regions | None, bool]] = ()) -> Iterator[Seen]:
    """Look at the moments of a video, in their order; those between two whole looks are held until the second.

    done: `found` and `whole` of frames that an earlier run has looked at, the last of them as a whole; what follows is
    the same as if there had been one run.
    """
    from faceveil.track import Cuts  # noqa: PLC0415

    cuts = Cuts()
    before: Regions | None = None
    waiting: list[Planes] = []
    turn, last = 0, Fraction(0)
    for moment in moments:
        cut = cuts.see(planes.small(moment, CUT_SIDE))
        if moment.index < len(done):
            found, whole = done[moment.index]
            yield Seen(moment, found, whole, cut)
            if whole:
                before, last, turn = None if found is None else found.of(FACE), moment.time, turn + 1
            continue
        if cut and waiting:  # the last frame of the old scene ends it with a look of its own
            yield from _until(waiting[:-1], before, _look(waiting[-1], looks, turn), waiting[-1], looks)
            turn, waiting = turn + 1, []
        if looks.every > 1 and moment.index % looks.every and not cut:
            yield Seen(moment, None, False, cut)
        elif before is None or cut or moment.time - last >= looks.interval or len(waiting) >= MOST:
            found = _look(moment, looks, 0 if cut else turn)
            yield from _between(waiting, before, found, looks)
            yield Seen(moment, _and_beside(moment, found, looks), True, cut)
            before, last, turn, waiting = found, moment.time, turn + 1, []
        else:
            waiting.append(moment)
    if waiting:
        yield from _until(waiting[:-1], before, _look(waiting[-1], looks, turn), waiting[-1], looks)


def _until(between: list[Planes], before: Regions | None, found: Regions, last: Planes, looks: Looks) -> Iterator[Seen]:
    yield from _between(between, before, found, looks)
    yield Seen(last, _and_beside(last, found, looks), True, False)


def _look(moment: Planes, looks: Looks, turn: int) -> Regions:
    """The faces of a whole picture."""
    detector, side = looks.whole[turn % len(looks.whole)]
    pixels = planes.small(moment, side or max(moment.size))
    found = detector(Frame(pixels, index=moment.index, time=moment.time))
    scale = np.array([moment.size[0] / pixels.shape[1], moment.size[1] / pixels.shape[0]], np.float32)
    return found.mapped(scale, np.zeros(2))


def _and_beside(moment: Planes, found: Regions, looks: Looks) -> Regions:
    """The faces of a picture, and what is looked for beside them."""
    if looks.beside is None:
        return found
    return Regions.concatenate([found, _look(moment, Looks(((looks.beside, 0),)), 0)])


# --- close looks -----------------------------------------------------------------------------------------------------


class _Close(NamedTuple):
    """One close look: which of the frames, the corner of its square and how many pixels of the frame one shows."""

    frame: int
    corner: Floats
    scale: float


def _between(waiting: list[Planes], before: Regions | None, after: Regions, looks: Looks) -> Iterator[Seen]:
    """Look closely at the frames between two whole looks, all of them at once."""
    if not waiting:
        return
    close = looks.close
    if close is None or before is None:
        raise ValueError("only close looks come between two whole ones")
    chosen = [i for i in range(len(waiting)) if i % looks.step == looks.step - 1]
    todo = _squares(chosen, len(waiting), before, after)
    if len(todo) * CELL * CELL > len(chosen) * _area(waiting[0]):  # a crowd: whole looks cost less
        quick = Looks((looks.whole[-1],))
        found = {i: _look(waiting[i], quick, 0) for i in chosen}
    else:
        found = _closely(waiting, todo, close)
    for i, moment in enumerate(waiting):
        seen = _and_beside(moment, found.get(i, Regions()), looks) if i in chosen else None
        yield Seen(moment, seen, False, False)


def _area(moment: Planes) -> float:
    """Pixels of a quick look at a whole picture."""
    width, height = moment.size
    return width * height * min(1.0, 640 / max(width, height)) ** 2


def _squares(chosen: list[int], count: int, before: Regions, after: Regions) -> list[_Close]:
    """Where to look: along the line between two places of a face, and at both ends of a face that was seen once."""
    a, b = before[before.score >= LIKELY].xyxy, after[after.score >= LIKELY].xyxy
    pairs = _pairs(a, b)
    lone = [a[i] for i in range(len(a)) if i not in {i for i, _ in pairs}]
    lone += [b[j] for j in range(len(b)) if j not in {j for _, j in pairs}]
    squares = []
    for k in chosen:
        share = np.float32((k + 1) / (count + 1))
        squares += [_square(k, a[i] * (1 - share) + b[j] * share, AROUND) for i, j in pairs]
        squares += [_square(k, box, LOOSE) for box in lone]
    return squares


def _pairs(a: Floats, b: Floats) -> list[tuple[int, int]]:
    """Boxes of two looks that may be the same face: nearest first, within one side of the face, of like size."""
    if not len(a) or not len(b):
        return []
    sides = [np.maximum((box[:, 2:] - box[:, :2]).max(1), 1) for box in (a, b)]
    apart = np.linalg.norm((a[:, None, :2] + a[:, None, 2:] - b[None, :, :2] - b[None, :, 2:]) / 2, axis=2)
    cost = apart / np.minimum(sides[0][:, None], sides[1][None])
    ratio = sides[0][:, None] / sides[1][None]
    cost[(ratio > 1.6) | (ratio < 1 / 1.6)] = np.inf
    pairs = []
    while cost.min() < 1:
        i, j = (int(v) for v in np.unravel_index(cost.argmin(), cost.shape))
        pairs.append((i, j))
        cost[i], cost[:, j] = np.inf, np.inf
    return pairs


def _square(frame: int, box: Floats, around: float) -> _Close:
    side = around * max(8.0, float((box[2:] - box[:2]).max()))
    return _Close(frame, ((box[:2] + box[2:]) / 2 - np.float32(side / 2)).astype(np.float32), side / CELL)


def _closely(waiting: list[Planes], todo: list[_Close], close: Detector) -> dict[int, Regions]:
    """The faces of all close looks by frame, in the frames' pixels; what several looks show of one frame stays."""
    if not todo:
        return {}
    rows = -(-len(todo) // COLUMNS)
    sheet = np.zeros((rows * CELL, min(len(todo), COLUMNS) * CELL, 3), np.uint8)
    for i, look in enumerate(todo):
        row, column = divmod(i, COLUMNS)
        _show(waiting[look.frame], look, sheet[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL])
    return _by_frame(close(Frame(sheet)), todo)


def _by_frame(found: Regions, todo: list[_Close]) -> dict[int, Regions]:
    """What was found on a sheet, in the pixels of the frames; what two looks at one frame show is there once."""
    from faceveil.detect import boxes  # noqa: PLC0415

    column, row = np.maximum((found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2, 0).T // CELL
    which = (row * COLUMNS + np.minimum(column, COLUMNS - 1)).astype(int)
    found, which = found[which < len(todo)], which[which < len(todo)]
    corner = np.array([look.corner for look in todo], np.float32)[which]
    scale = np.array([look.scale for look in todo], np.float32)[which, None]
    place = np.stack([which % COLUMNS, which // COLUMNS], 1).astype(np.float32) * CELL
    xyxy = (found.xyxy - np.tile(place, 2)) * scale + np.tile(corner, 2)
    marks = None
    if found.landmarks is not None:
        marks = (found.landmarks - place[:, None]) * scale[:, None] + corner[:, None]
    all_of_them = Regions(xyxy, found.score, marks)
    frame = np.array([look.frame for look in todo])[which]
    parts = {}
    for i in sorted(set(frame.tolist())):
        some = np.flatnonzero(frame == i)
        parts[i] = all_of_them[some[boxes.best(xyxy[some], found.score[some], 0.4)]]
    return parts


def _show(moment: Planes, look: _Close, into: NDArray[np.uint8]) -> None:
    """Draw what a close look shows; beyond the picture it stays black."""
    import cv2  # noqa: PLC0415

    width, height = moment.size
    side = look.scale * CELL
    x1, y1 = (max(0, math.floor(v)) for v in look.corner)
    x2, y2 = min(width, math.ceil(look.corner[0] + side)), min(height, math.ceil(look.corner[1] + side))
    if x1 >= x2 or y1 >= y2:
        return
    left, top = round((x1 - look.corner[0]) / look.scale), round((y1 - look.corner[1]) / look.scale)
    right, bottom = round((x2 - look.corner[0]) / look.scale), round((y2 - look.corner[1]) / look.scale)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, CELL), min(bottom, CELL)
    if left >= right or top >= bottom:
        return
    part = planes.crop(moment, (x1, y1, x2, y2), max(right - left, bottom - top))
    size = (right - left, bottom - top)
    into[top:bottom, left:right] = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
