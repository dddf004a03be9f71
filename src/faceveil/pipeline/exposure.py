"""Where a video should be looked at by a human: faces that came or went where no face comes or goes.

A person enters at the border, with a cut, or by turning round. A face that appears in the middle of the picture may
have been there before, unseen by the detector, longer than it is covered ahead of its first detection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat
from typing import TYPE_CHECKING

from faceveil.types import FACE

if TYPE_CHECKING:
    from faceveil.types import FramePlan

CERTAIN, LIKELY = 0.92, 0.6
"""Scores that a face and another thing must reach to be told of. Chosen by eye, not measured: hands and ornaments
seldom reach the first; scores of other things are no probabilities."""
MOST = 5  # times that one sentence names


@dataclass(slots=True)
class _End:
    """Where and when a track was detected first or last: seconds, and whether it lay in the middle of the picture."""

    time: Fraction
    middle: bool


@dataclass(slots=True)
class _Track:
    label: str
    first: _End
    last: _End
    best: float


@dataclass(slots=True)
class Exposure:
    """Watches the plan of a video, frame by frame; `notes` says where to look, in one sentence for each label."""

    _tracks: dict[int, _Track] = field(default_factory=dict)
    _times: dict[str, list[Fraction]] = field(default_factory=dict)
    _begin: Fraction | None = None
    _end: Fraction = Fraction(0)

    def cut(self) -> None:
        """A scene is over: what lasted from its first to its last frame came and went with it."""
        for track in self._tracks.values():
            ends: Iterable[tuple[_End, Fraction | None]] = ((track.first, self._begin), (track.last, self._end))
            if track.best >= (CERTAIN if track.label == FACE else LIKELY):
                times = [end.time for end, border in ends if end.middle and end.time != border]
                self._times.setdefault(track.label, []).extend(times)
        self._tracks, self._begin = {}, None

    def add(self, plan: FramePlan) -> None:
        """The next frame."""
        time = plan.time or Fraction(0)
        self._begin = time if self._begin is None else self._begin
        self._end = time
        regions = plan.regions
        if regions.track is None:
            return
        whats = repeat(FACE, len(regions)) if regions.label is None else regions.label.tolist()
        for track, score, box, label in zip(
            regions.track.tolist(), regions.score.tolist(), regions.xyxy.tolist(), whats, strict=True
        ):
            if score > 0:  # detected in this frame, not bridged or extended
                self._see(track, label, score, _End(time, _in_the_middle(box, plan.size)))

    def notes(self) -> tuple[str, ...]:
        """One sentence for each label that came or went, or none."""
        self.cut()
        return tuple(_note(label, sorted(times)) for label, times in self._times.items() if times)

    def _see(self, number: int, label: str, score: float, end: _End) -> None:
        track = self._tracks.get(number)
        if track is None:
            self._tracks[number] = _Track(label, end, end, score)
        else:
            track.last, track.best = end, max(track.best, score)


def _note(label: str, times: list[Fraction]) -> str:
    some = ", ".join(_clock(time) for time in times[:MOST])
    more = f" and {len(times) - MOST} times more" if len(times) > MOST else ""
    return f"Look at {some}{more}: a {label} came or went in the middle of the picture there."


def _in_the_middle(box: list[float], size: tuple[int, int]) -> bool:
    """Whether a box lies farther from every border than half its own size."""
    x1, y1, x2, y2 = box
    across, down = (x2 - x1) / 2, (y2 - y1) / 2
    return x1 > across and y1 > down and x2 < size[0] - across and y2 < size[1] - down


def _clock(time: Fraction) -> str:
    """Minutes and seconds: "1:02.4"."""
    tenths = int(time * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
