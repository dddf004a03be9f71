"""What a run did, counted while it runs: exact, and of constant size however long it is."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from faceveil.types import FACE

State = Literal["connecting", "live", "reconnecting", "ended"]

RECENT_S = 2.0  # over which the rate on the preview page is taken
LONGEST_MS = 60_000  # latencies beyond count as this


@dataclass(frozen=True, slots=True)
class LiveReport:
    """The account of a run. frames = shown + veiled + dropped once it is over.

    frames: pictures that came in. shown: passed on with their faces covered. veiled: passed on covered as a whole, as
    nobody had looked at them. dropped: never passed on; damaged: those of them that could not be decoded.
    fps: frames passed on a second, over the whole run. latency_ms: median, 95th percentile and greatest time from a
    frame's arrival until a sink was done with it. faces: tracks. labels: tracks of each label, where more than faces is
    covered. reconnects: of the source and of receivers.
    skipped: frames that a sink was too slow to take, by sink. error: why the run ended early, or empty.
    """

    source: str
    sinks: tuple[str, ...]
    frames: int = 0
    shown: int = 0
    veiled: int = 0
    dropped: int = 0
    damaged: int = 0
    faces: int = 0
    reconnects: int = 0
    seconds: float = 0
    fps: float = 0
    latency_ms: tuple[int, int, int] = (0, 0, 0)
    skipped: dict[str, int] = field(default_factory=dict)
    error: str = ""
    labels: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, the latencies by name."""
        account = {**asdict(self), "latency_ms": dict(zip(("median", "p95", "max"), self.latency_ms, strict=True))}
        return account if self.labels else {key: value for key, value in account.items() if key != "labels"}

    def sentence(self) -> str:
        """One line for people."""
        median, p95, most = self.latency_ms
        counts = self.labels or {FACE: self.faces}
        faces = ", ".join(f"{n} {label}{'' if n == 1 else 's'}" for label, n in counts.items())
        veiled = f", {self.veiled} covered as a whole" if self.veiled else ""
        skipped = f", {sum(self.skipped.values())} skipped by slow sinks" if self.skipped else ""
        again = f", {self.reconnects} reconnects" if self.reconnects else ""
        return (
            f"{self.source}: {self.frames} frames in {self.seconds:.1f} s, {self.shown} shown{veiled}, "
            f"{self.dropped} dropped{skipped}, {faces}, {self.fps:.1f} fps, latency {median} ms "
            f"(95 %: {p95}, most: {most}){again}"
        )


class Meter:
    """Counts from several threads."""

    def __init__(self, source: str, sinks: tuple[str, ...], cover: tuple[str, ...] = (FACE,)) -> None:
        self._lock = threading.Lock()
        self._labels = dict.fromkeys(cover, 0)
        self._source, self._sinks = source, sinks
        self._counts = dict.fromkeys(("frames", "shown", "veiled", "dropped", "damaged", "reconnects"), 0)
        self._skipped: dict[str, int] = {}
        self._latencies = np.zeros(LONGEST_MS + 1, np.int64)
        self._recent: deque[float] = deque(maxlen=1000)
        self._begun = self._ended = 0.0
        self._state: State = "connecting"
        self._reason = ""
        self._now = (0, 0)

    def add(self, what: str, count: int = 1) -> None:
        """Count one of the report's fields up."""
        with self._lock:
            self._counts[what] += count
            if what == "frames" and not self._begun:
                self._begun = time.monotonic()

    def found(self, counts: dict[str, int]) -> None:
        """So many new tracks of each label."""
        with self._lock:
            for label, count in counts.items():
                self._labels[label] = self._labels.get(label, 0) + count

    def passed(self, arrived: float, covered: int, *, veiled: bool) -> None:
        """A frame that arrived then has gone to the sinks, with so much covered."""
        now = time.monotonic()
        with self._lock:
            self._counts["veiled" if veiled else "shown"] += 1
            self._recent.append(now)
            self._now = (covered, round((now - arrived) * 1000))

    def done(self, arrived: float) -> None:
        """A sink is done with a frame that arrived then."""
        with self._lock:
            self._latencies[min(LONGEST_MS, max(0, round((time.monotonic() - arrived) * 1000)))] += 1

    def skip(self, sink: str) -> None:
        """A sink had no time for a frame."""
        with self._lock:
            self._skipped[sink] = self._skipped.get(sink, 0) + 1

    def say(self, state: State, reason: str = "") -> None:
        """How the source is doing, for people who watch."""
        with self._lock:
            self._state, self._reason = state, reason

    def settle(self) -> None:
        """The run is over: what was still waiting will never be shown, and is dropped."""
        with self._lock:
            counts = self._counts
            counts["dropped"] = counts["frames"] - counts["shown"] - counts["veiled"]
            self._ended = time.monotonic()
            self._state = "ended"

    def glance(self) -> dict[str, Any]:
        """What the preview page shows."""
        with self._lock:
            now = time.monotonic()
            recent = sum(1 for moment in self._recent if now - moment <= RECENT_S)
            covered, latency = self._now
            counts = {key: self._counts[key] for key in ("shown", "veiled", "dropped")}
            said = {"state": self._state, "reason": self._reason, "source": self._source}
            return {**said, **counts, "fps": recent / RECENT_S, "covered": covered, "latency_ms": latency}

    def report(self, error: str = "") -> LiveReport:
        """The account so far."""
        with self._lock:
            seconds = (self._ended or time.monotonic()) - self._begun if self._begun else 0.0
            passed = self._counts["shown"] + self._counts["veiled"]
            return LiveReport(
                self._source,
                self._sinks,
                **self._counts,
                faces=self._labels.get(FACE, 0),
                seconds=round(seconds, 3),
                fps=round(passed / seconds, 2) if seconds else 0.0,
                latency_ms=self._percentiles(),
                skipped=dict(self._skipped),
                error=error,
                labels={} if set(self._labels) == {FACE} else dict(self._labels),
            )

    def _percentiles(self) -> tuple[int, int, int]:
        total = np.cumsum(self._latencies)
        if not total[-1]:
            return 0, 0, 0
        median, p95, most = (int(np.searchsorted(total, share * total[-1])) for share in (0.5, 0.95, 1.0))
        return median, p95, most
