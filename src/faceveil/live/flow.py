"""A live run: taken in, looked at, tracked, painted and passed on, each in a thread of its own.

    source -> Inbox -> looking -> tracking and painting -> a Feed for each sink

Nothing is passed on that was not looked at and painted, or covered as a whole; and nothing before it has waited for
`delay` seconds, the time in which a later look may still say that there was a face. What is in between when a run is
stopped or fails is thrown away.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from faceveil.errors import InputError, RequestError
from faceveil.live.feed import Feed
from faceveil.live.inbox import LATE_S, Arrival, Break, Inbox, veiled
from faceveil.live.looks import looks_of
from faceveil.live.reader import read
from faceveil.live.report import LiveReport, Meter
from faceveil.live.settings import LiveSettings, expect_live
from faceveil.live.sinks import Sink, make
from faceveil.live.sources import Source, source_of
from faceveil.pipeline.base import methods_for
from faceveil.pipeline.video import tracking
from faceveil.pipeline.watch import Looks, watch
from faceveil.policy import Policy
from faceveil.types import Frame, FramePlan, Planes, Regions

if TYPE_CHECKING:
    from faceveil.track import Settled, Tracker

HELD_BYTES = 512 << 20
"""Of frames that wait for their delay: 5 s of 720p at 60 frames a second. Beyond it they are settled earlier."""
EVERY_S = 1.0  # between two calls of `progress`
_POLL_S = 0.05

Progress = Callable[[LiveReport], None]


class _Looked(NamedTuple):
    """A frame after its look. found: None where the policy looks at every n-th frame only, and for missed ones."""

    arrival: Arrival
    found: Regions | None
    cut: bool


def run(  # noqa: PLR0913  (each is a choice of its own, and all have defaults)
    source: str | Path | Source,
    sinks: Sequence[str | Sink] = ("preview",),
    policy: Policy | None = None,
    settings: LiveSettings | None = None,
    *,
    stop: threading.Event | None = None,
    overwrite: bool = False,
    threads: int = 1,
    looks: Looks | None = None,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> LiveReport:
    """Show a camera, a stream or a file with its faces covered, until it is over or `stop` is set.

    Args:
        source: a camera's index or device, a URL, or a video file, which is played at its own pace.
        sinks: `preview`, `preview:PORT`, `window`, `camera`, a .mp4 or .mkv file, or an address to push to.
        policy: what to look for and what to cover it with.
        settings: the delay, what happens under overload, and how lost connections are tried again.
        stop: set it, from any thread, to end the run cleanly.
        overwrite: replace files that are there already.
        threads: of the detector; one leaves the other cores to decoding, painting and encoding.
        looks: how to look, instead of what the policy says.
        announce: called with a sentence when a sink is ready and when a connection is lost.
        progress: called with the account so far every second, and once when all is over, however it ends.

    Returns:
        The account of the run.

    Raises:
        RequestError: source, sink or setting make no sense; nothing was started.
        MissingExtra: a sink needs a part that is not installed.
        InputError: there is no such camera or file, or the source was lost for good. Files hold what came before,
            unless the source is a file that turns out to be damaged.
        OutputError: a sink cannot be written to.
    """
    policy, settings = policy or Policy(), settings or LiveSettings()
    expect_live(policy)
    looks = looks or looks_of(policy, threads)
    opened = source if isinstance(source, Source) else source_of(source, settings)
    _warm_up(looks)
    made = _opened(sinks, policy, settings, overwrite=overwrite)
    meter = Meter(opened.name, tuple(sink.name for sink in made), policy.cover)
    live = _Run(opened, made, policy, settings, looks, meter, stop or threading.Event(), announce or (lambda _: None))
    return live(progress or (lambda _: None))


def _opened(specs: Sequence[str | Sink], policy: Policy, settings: LiveSettings, *, overwrite: bool) -> list[Sink]:
    made: list[Sink] = []
    try:
        made.extend(make(spec, policy, settings, overwrite=overwrite) for spec in specs)
        if sum(sink.main_thread for sink in made) > 1:
            raise RequestError("one window is all there can be", hint="leave the second 'window' out")
        if not made:
            raise RequestError("there is nowhere to show the pictures", hint="name a sink, such as preview")
    except BaseException:
        for sink in made:
            sink.close(complete=False)
        raise
    return made


def _warm_up(looks: Looks) -> None:
    """Load the networks before the first picture comes: it takes longer than a frame may wait."""
    import numpy as np  # noqa: PLC0415

    beside = () if looks.beside is None else ((looks.beside, 0),)
    for detector, side in dict.fromkeys((*looks.whole, *beside)):
        detector(Frame(np.zeros((min(side or 64, 720), side or 64, 3), np.uint8)))


@dataclass
class _Run:
    """One run, from the first thread's start to the last one's end."""

    source: Source
    sinks: list[Sink]
    policy: Policy
    settings: LiveSettings
    looks: Looks
    meter: Meter
    stop: threading.Event
    announce: Callable[[str], None]

    def __post_init__(self) -> None:
        self.halt = threading.Event()
        self.error: BaseException | None = None
        self.inbox = Inbox(self.settings.overload, self.meter)
        self.looked: queue.Queue[_Looked | Break | None] = queue.Queue(32)
        self.seed = secrets.randbits(128) if self.policy.seed is None else self.policy.seed
        self.feeds = [Feed(sink, self.meter, self._failed, self.halt.set) for sink in self.sinks]

    def __call__(self, progress: Progress) -> LiveReport:
        """Run to the end; raises what went wrong."""
        take_in = partial(read, self.source, self.inbox, self.meter, self.settings, self.halt, self.announce)
        threads = [
            threading.Thread(target=partial(self._guarded, work), name=f"live {name}", daemon=True)
            for name, work in (("taking in", take_in), ("looking", self._look), ("painting", self._paint))
        ]
        try:
            for sink in self.sinks:
                sink.attach(self.meter)
                if sink.greeting:
                    self.announce(sink.greeting)
            for thread in [*threads, *(feed.thread for feed in self.feeds if feed.thread)]:
                thread.start()
            self._wait(threads[-1], progress)
        except BaseException as error:  # Ctrl-C, too: whatever it is, the threads end
            self._failed(error)
        finally:
            self._end(threads)
            report = self.meter.report(str(self.error or ""))
            progress(report)
        if self.error is not None:
            raise self.error
        return report

    def _wait(self, painting: threading.Thread, progress: Progress) -> None:
        """Until all is over; meanwhile a window gets its share of this thread."""
        window = next((feed for feed in self.feeds if feed.sink.main_thread), None)
        told = time.monotonic()
        while painting.is_alive() and not self.halt.is_set():
            if self.stop.is_set():
                self.halt.set()
            elif window is None:
                painting.join(_POLL_S)
            elif not window.step():
                break
            if time.monotonic() - told >= EVERY_S:
                told = time.monotonic()
                progress(self.meter.report())

    def _end(self, threads: list[threading.Thread]) -> None:
        for feed in self.feeds:
            feed.end()
        for feed in self.feeds:
            while feed.thread is None and self.error is None and feed.step():
                pass
            if feed.thread is not None and feed.thread.ident is not None:
                feed.thread.join()
        self.halt.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()  # a source that is silent holds it for `timeout` seconds at most
        self.meter.settle()
        for sink in self.sinks:
            try:
                sink.close(complete=self._complete())
            except BaseException as error:  # the others are closed all the same
                self.error = self.error or error

    def _complete(self) -> bool:
        """Whether recordings may appear. A stream that is lost was never whole: what came of it is kept."""
        kept = self.source.again or self.policy.keep_partial
        return self.error is None or (isinstance(self.error, InputError) and kept)

    # --- threads -----------------------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # it belongs to who called `run`
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        self.halt.set()

    def _look(self) -> None:
        more = True
        while more:
            more = self._look_at_scene()
        self._put(None)

    def _look_at_scene(self) -> bool:
        """Look at what comes up to the next break; false when all is over."""
        current: list[Arrival] = []
        ended: list[Break | None] = []

        def moments() -> Iterator[Planes]:
            while isinstance(arrival := self.inbox.take(self.halt), Arrival):
                if arrival.missed:
                    self._put(_Looked(arrival, None, cut=False))
                    continue
                current[:] = [arrival]
                yield arrival.moment
            ended.append(arrival)

        for seen in watch(moments(), self.looks):  # one by one: the looks hold no frame back
            self._put(_Looked(current[0], seen.found, seen.cut))
        if ended[0] is None:
            return False
        self._put(ended[0])
        return True

    def _put(self, item: _Looked | Break | None) -> None:
        """Hand on, unless the run is halted while there is no room."""
        while not self.halt.is_set():
            with suppress(queue.Full):
                self.looked.put(item, timeout=0.1)
                return

    def _paint(self) -> None:
        from faceveil.track import Steady  # noqa: PLC0415  (loads NumPy)

        tracker: Tracker | None = None
        steady = Steady()
        held: deque[Arrival] = deque()
        faces = 0
        while not self.halt.is_set():
            try:
                item = self.looked.get(timeout=0.1)
            except queue.Empty:
                continue
            if isinstance(item, _Looked):
                if tracker is None:
                    tracker, steady = self._tracker(item.arrival.moment), Steady()
                    faces = 0
                held.append(item.arrival)
                moment = item.arrival.moment
                settled = tracker.push(moment.index, moment.time, item.found, cut=item.cut)
            else:
                settled = tracker.finish() if tracker is not None else []
                tracker = None
            for one in settled:
                faces = self._count(one, faces)
                self._show(held.popleft(), steady(one))
            if item is None:
                break

    def _is_late(self, arrival: Arrival) -> bool:
        """Whether painting has fallen behind: a frame is late, and more than one have been looked at since."""
        return self.looked.qsize() > 1 and time.monotonic() - arrival.at > self.settings.delay + LATE_S

    def _tracker(self, moment: Planes) -> Tracker:
        from faceveil.track import Tracker  # noqa: PLC0415  (loads NumPy)

        held = HELD_BYTES // sum(plane.nbytes for plane in moment.planes)
        horizon = Fraction(str(self.settings.delay))
        return Tracker(moment.size, tracking(self.policy), horizon, held=max(2, min(held, 400)))

    def _count(self, settled: Settled, known: int) -> int:
        """Tracks are numbered from 0 in each scene; how many of this scene are counted now."""
        track = settled.regions.track
        if track is None or not len(track) or int(track.max()) < known:
            return known
        self.meter.found(settled.regions[track >= known].counts())
        return int(track.max()) + 1

    def _show(self, arrival: Arrival, settled: Settled) -> None:
        """Paint a frame and pass it on when it is old enough."""
        from faceveil.deidentify.planar import paint_planes  # noqa: PLC0415  (loads OpenCV)

        moment = arrival.moment
        if moment.index != settled.index:
            raise RuntimeError(f"frame {moment.index} was settled as {settled.index}")
        missed = arrival.missed or self._is_late(arrival)
        if missed and self.settings.overload == "drop":
            self.meter.add("dropped")
            return
        if missed:
            moment = veiled(moment)
        else:
            methods = methods_for(settled.regions, self.policy)
            plan = FramePlan(settled.regions, methods, moment.size, moment.index, moment.time)
            moment = paint_planes(moment, plan, self.policy.area, self.seed)
        if self.halt.wait(max(0.0, arrival.at + self.settings.delay - time.monotonic())):
            return
        self.meter.passed(arrival.at, len(settled.regions), veiled=missed)
        for feed in self.feeds:
            feed.offer(moment, arrival.at)
