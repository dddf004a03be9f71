"""The flow of videos: looked at, tracked back and ahead, painted and encoded while it is read; memory is bounded.

Threads share the work: one decodes and looks (`watch`), one tracks, two paint, one hands frames to the encoder, and
FFmpeg's own encode. Frames are held from the moment they are looked at until the tracker has seen far enough ahead.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import InputError, UnreadableError
from faceveil.pipeline.ahead import ahead, side_by_side
from faceveil.pipeline.base import (
    Pace,
    Veiled,
    Watcher,
    counted,
    detector_of,
    kept,
    key_of,
    methods_for,
    quarantine_of,
    unverified,
)
from faceveil.pipeline.exposure import Exposure
from faceveil.pipeline.inspect import inspect_video
from faceveil.pipeline.watch import Looks, Seen, watch
from faceveil.policy import Policy
from faceveil.types import FACE, FramePlan, Plan, Planes, Regions

if TYPE_CHECKING:
    from faceveil.media.video import VideoCoding, VideoSource, Work
    from faceveil.track import Settled, Tracker, Tracking
    from faceveil.types import Floats

AHEAD = 4  # frames between looking and painting, beside those that the tracker waits for
PAINTERS = 2
"""Threads that paint, one where files are done side by side."""
SURE = 0.27
"""Score of a detection that is covered by itself. Of 1,302 frames of seven clips, those in which a face that YuNet and
SCRFD see is not wholly covered: 2 at .16, 3 at .27, 6 at .41, 44 at .79; area under covers .34, .32, .31 and .29."""


@dataclass(frozen=True, slots=True)
class Order:
    """One file to be made: from which, to where, and how. `threads`: of codecs, 0 for FFmpeg's choice."""

    path: Path
    target: Path
    policy: Policy
    overwrite: bool = False
    quarantine: Path | None = None
    threads: int = 0
    progress: Watcher | None = None


def veil(order: Order) -> Veiled:
    """Cover the faces of a video file; what an earlier run has finished of it is taken over."""
    from faceveil.media.video import Work, open_video  # noqa: PLC0415  (loads FFmpeg)

    policy = order.policy
    looks = Looks.of(policy, 1)  # what is wrong with the policy is said even where no face is found
    source = open_video(order.path, threads=order.threads, partial=policy.keep_partial)
    damage = _Damage(kept=policy.keep_partial)
    with Work.open(order.target, _key(source, policy)) as work:
        journal = _Journal.resume(work, policy)
        with closing(ahead(watch(damage.before(source), looks, journal.done), AHEAD)) as seen:
            pace, exposure = Pace(source.info.frames, order.progress), Exposure()
            planned = _tracked(journal.noted(seen), _tracker(source, policy), policy, pace, exposure)
            made = _write(order, source, planned, work, journal.seed, pace)
    if (gap := _guessed(source, policy)) is not None:
        made = replace(made, notes=(*made.notes, gap))
    if damage.found is not None:
        raise UnreadableError(f"{damage.found}; the {made.frames} frames before that are in {order.target}")
    return made


def _guessed(source: VideoSource, policy: Policy) -> str | None:
    """What is to be said of looks so far apart that tracks are not bridged between them."""
    bridge = tracking(policy).bridge
    apart = (policy.every or 1) / (source.info.rate or 25)
    if apart <= bridge or not policy.every:
        return None
    return f"Looks are {float(apart):.1f} s apart: faces between two that are more than {bridge:g} s apart may show."


@dataclass(slots=True)
class _Damage:
    """What ends a video early. kept: what comes before it is to be kept. found: what was wrong, once it is known."""

    kept: bool
    found: UnreadableError | None = None

    def before(self, moments: Iterable[Planes]) -> Iterator[Planes]:
        """The moments before the first that is damaged or missing. Raises `UnreadableError` where none is kept."""
        some = False
        try:
            for moment in moments:
                yield moment
                some = True
        except UnreadableError as error:
            if not (self.kept and some):
                raise
            self.found = error


def analyse(path: Path, policy: Policy, *, threads: int, progress: Watcher | None) -> Plan:
    """Look for the faces of a video and track them; writes nothing."""
    from faceveil.media.video import open_video  # noqa: PLC0415  (loads FFmpeg)

    detector = detector_of(policy).spec
    source = open_video(path, threads=threads)
    count = _Count(Pace(source.info.frames, progress), policy)
    frames = []
    with closing(ahead(watch(source, Looks.of(policy, 0)), AHEAD)) as seen:
        for _, plan in _tracked(seen, _tracker(source, policy), policy, count.pace, Exposure()):
            frames.append(plan)
            count.add(plan)
    record = policy.model_dump(mode="json", exclude_defaults=True)
    return Plan(str(path), tuple(frames), source.digest, detector, record)


def apply(order: Order, plan: Plan) -> Veiled:
    """Cover what the plan names in a video file. The order's policy is the plan's."""
    from faceveil.media.video import Work, open_video  # noqa: PLC0415  (loads FFmpeg)

    source = open_video(order.path, threads=order.threads)
    if plan.digest and plan.digest != source.digest:
        raise InputError(f"{order.path} has changed since its plan was made", hint="make the plan anew")
    with Work.open(order.target, _key(source, order.policy, plan)) as work:
        journal = _Journal.resume(work, order.policy)
        with closing(ahead(source, AHEAD)) as moments:
            pace = Pace(source.info.frames, order.progress)
            return _write(order, source, _as_planned(moments, plan, order.path), work, journal.seed, pace)


def _as_planned(moments: Iterator[Planes], plan: Plan, path: Path) -> Iterator[tuple[Planes, FramePlan]]:
    lines = {line.index: line for line in plan}
    for moment in moments:
        line = lines.get(moment.index)
        if line is None:
            raise InputError(f"the plan has no line for frame {moment.index} of {path}")
        if line.size != moment.size:
            width, height = moment.size
            raise InputError(f"the plan was made for {line.size[0]} x {line.size[1]} pixels, got {width} x {height}")
        yield moment, line


def coding(policy: Policy) -> VideoCoding:
    """How a policy wants videos encoded."""
    from faceveil.media.video import VideoCoding  # noqa: PLC0415

    return VideoCoding(
        codec=policy.codec,
        crf=policy.crf,
        preset=policy.encoder_preset,
        hardware=policy.hardware,
        audio=policy.audio,
    )


# --- tracking --------------------------------------------------------------------------------------------------------


def _tracker(source: VideoSource, policy: Policy) -> Tracker:
    from faceveil.track import Tracker  # noqa: PLC0415

    return Tracker(source.info.size, tracking(policy))


def tracking(policy: Policy) -> Tracking:
    """The tracker's settings by a policy."""
    from faceveil.track import Tracking  # noqa: PLC0415

    sure = SURE if policy.min_score is None else policy.min_score
    return Tracking(sure=sure, extend=policy.extend)


def _tracked(
    seen: Iterator[Seen], tracker: Tracker, policy: Policy, pace: Pace, exposure: Exposure
) -> Iterator[tuple[Planes, FramePlan]]:
    """The moments with what is to be covered in each, as soon as that is settled."""
    from faceveil.track import Steady  # noqa: PLC0415

    held: deque[Planes] = deque()
    steady = Steady()

    def decided(settled: Settled) -> tuple[Planes, FramePlan]:
        moment, regions = held.popleft(), steady(settled).regions
        plan = FramePlan(regions, methods_for(regions, policy), moment.size, moment.index, moment.time)
        exposure.add(plan)
        return moment, plan

    for moment, found, _, cut in seen:
        pace.alive()
        held.append(moment)
        for settled in tracker.push(moment.index, moment.time, found, cut=cut):  # a cut settles the whole scene before
            yield decided(settled)
        if cut:
            exposure.cut()
    for settled in tracker.finish():
        yield decided(settled)


# --- what survives a kill --------------------------------------------------------------------------------------------


def _key(source: VideoSource, policy: Policy, plan: Plan | None = None) -> str:
    """A fingerprint of all that shapes the result."""
    parts = [source.digest, key_of(policy)]
    if plan is not None:
        from faceveil import plans  # noqa: PLC0415

        parts += plans.lines(plan, landmarks=True, outline=True)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(slots=True)
class _Journal:
    """What was found in each frame, kept beside the encoded segments so that a rerun need not look again.

    done: findings of an earlier run, up to its last look at a whole picture. seed: of random methods; the same in both.
    """

    work: Work
    seed: int
    done: list[tuple[Regions | None, bool]]

    @classmethod
    def resume(cls, work: Work, policy: Policy) -> _Journal:
        """The journal of an earlier run, or a new one."""
        lines = work.lines
        if not lines:
            seed = secrets.randbits(128) if policy.seed is None else policy.seed
            work.write(json.dumps({"seed": seed}))
            return cls(work, seed, [])
        done = [_from_line(line) for line in lines[1:]]
        while done and not done[-1][1]:
            done.pop()
        return cls(work, int(json.loads(lines[0])["seed"]), done)

    def noted(self, seen: Iterator[Seen]) -> Iterator[Seen]:
        """The same, with what is new written down."""
        known = len(self.work.lines) - 1
        for one in seen:
            if one.moment.index >= known:
                self.work.write(_to_line(one))
            yield one


def _to_line(seen: Seen) -> str:
    found = seen.found
    record: dict[str, Any] = {"whole": seen.whole}
    if found is not None:
        # As bytes: a resumed run must not differ by a rounding, and decimals took a millisecond of each frame.
        record["faces"] = np.asarray(_rows(found), "<f4").tobytes().hex()
        record["marks"] = found.landmarks is not None
        if found.label is not None:
            record["labels"] = found.label.tolist()
        if found.outline is not None and len(found):
            record["outline"] = found.outline.astype("<f4").tobytes().hex()
    return json.dumps(record)


def _rows(found: Regions) -> Any:
    parts = [found.xyxy, found.score[:, None]]
    if found.landmarks is not None:
        parts.append(found.landmarks.reshape(len(found), 10))
    return np.concatenate(parts, axis=1)


def _from_line(line: str) -> tuple[Regions | None, bool]:
    record = json.loads(line)
    if "faces" not in record:
        return None, record["whole"]
    width = 15 if record["marks"] else 5
    rows = np.frombuffer(bytes.fromhex(record["faces"]), "<f4").astype(np.float32).reshape(-1, width)
    marks = rows[:, 5:].reshape(-1, 5, 2) if record["marks"] else None
    label = np.array(record["labels"], np.str_) if "labels" in record else None
    outline = None
    if "outline" in record:
        outline = np.frombuffer(bytes.fromhex(record["outline"]), "<f4").reshape(len(rows), -1, 2)
    return Regions(rows[:, :4], rows[:, 4], marks, label=label, outline=outline), record["whole"]


# --- writing ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Count:
    """Counts frames, and faces and whatever else is covered.

    visible: boxes of kept faces by frame. found: tracks by label. loose: the most regions by label in one frame of a
    plan without tracks.
    """

    pace: Pace
    policy: Policy
    frames: int = 0
    found: Counter[str] = field(default_factory=Counter)
    loose: Counter[str] = field(default_factory=Counter)
    tracks: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    visible: dict[int, Floats] = field(default_factory=dict)

    @property
    def faces(self) -> int:
        return self.found[FACE] + self.loose[FACE]

    @property
    def labels(self) -> dict[str, int]:
        return counted(self.found + self.loose, self.policy)

    def add(self, plan: FramePlan) -> None:
        """Count one frame."""
        self.frames += 1
        regions, stays = plan.regions, kept(plan)
        if stays.any():
            self.visible[plan.index] = regions[stays].of(FACE).xyxy
        if regions.track is not None:
            new = np.array([track not in self.tracks for track in regions.track.tolist()], bool)
            if new.any():
                self.tracks.update(regions.track[new].tolist())
                self.found.update(regions[new].counts())
            self.kept.update(regions.track[stays].tolist())
        else:
            self.loose |= Counter(regions.counts())
        self.pace.tick(self.frames, self.faces, self.labels)


def _write(
    order: Order,
    source: VideoSource,
    planned: Iterator[tuple[Planes, FramePlan]],
    work: Work,
    seed: int,
    pace: Pace,
) -> Veiled:
    from faceveil.deidentify.planar import paint_planes  # noqa: PLC0415  (loads OpenCV)
    from faceveil.media.video import create_video  # noqa: PLC0415

    policy, target = order.policy, order.target
    count = _Count(pace, policy)
    check = None
    if policy.verifies:
        check = inspect_video(target, quarantine_of(target, order.quarantine), policy, count.visible, count.pace)
    sink = create_video(
        target, source.info, coding=coding(policy), source=source, work=work, overwrite=order.overwrite, inspect=check
    )

    def painted(one: tuple[Planes, FramePlan]) -> tuple[Planes, FramePlan]:
        moment, plan = one
        done = moment.index < work.finished
        return moment if done else paint_planes(moment, plan, policy.area, seed), plan

    painters = 1 if order.threads == 1 else PAINTERS
    with sink, closing(ahead(side_by_side(planned, painted, painters), AHEAD)) as finished:
        for moment, plan in finished:
            sink.append(moment)
            count.add(plan)
    notes = source.info.notes + sink.notes + unverified(policy)
    return Veiled(order.path, target, count.faces, len(count.kept), notes, count.frames, count.labels)
