"""What both flows share: the result, names of outputs, the detector of a policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from faceveil import detect, media, plugins
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.policy import Policy

SUFFIX = "_veiled"
QUARANTINE = ".quarantine"
EVERY_S = 0.5  # between two calls of a watcher


@dataclass(frozen=True, slots=True)
class Veiled:
    """What was done to one file.

    output: where the result is. faces: regions found, in a video the faces that were followed; kept: how many of these
    were left visible on purpose. frames: of a video, 0 for pictures.
    notes: one sentence each on what was dropped, converted, or should be looked at.
    """

    source: Path
    output: Path
    faces: int
    kept: int
    notes: tuple[str, ...] = ()
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a video is: frames done of how many (None: unknown), faces so far, frames a second, seconds left."""

    frames: int
    total: int | None
    faces: int
    rate: float
    left: float | None


Watcher = Callable[[Progress], None]


@dataclass(slots=True)
class Pace:
    """Tells a watcher every half second how far a video is; `tick` and `alive` may be called for every frame.

    Both may be called from several threads.
    """

    total: int | None
    watcher: Watcher | None
    started: float = field(default_factory=time.monotonic)
    told: float = 0.0
    frames: int = 0
    faces: int = 0

    def tick(self, frames: int, faces: int = 0) -> None:
        """So many frames are done."""
        self.frames, self.faces = frames, faces
        self.alive()

    def alive(self) -> None:
        """Work goes on, though perhaps no further frame is done: a second of looking ahead may take minutes."""
        now = time.monotonic()
        if self.watcher is None or now - self.told < EVERY_S:
            return
        self.told = now
        rate = self.frames / max(now - self.started, 1e-3)
        left = max(self.total - self.frames, 0) / rate if self.total and rate else None
        self.watcher(Progress(self.frames, self.total, self.faces, rate, left))


def default_output(source: Path) -> Path:
    """`photo_veiled.jpg` beside `photo.jpg`; `photo_veiled.tif` beside a camera RAW, which nobody can write."""
    return source.with_name(source.stem + SUFFIX + media.planned_suffix(source))


def quarantine_of(target: Path, quarantine: Path | None) -> Path:
    """Where a result goes that verification refuses."""
    return quarantine or target.with_name(target.name + QUARANTINE) / target.name


def policy_from(policy: Policy | None, settings: dict[str, Any]) -> Policy:
    """A policy, or one of its settings. Raises `RequestError` for both."""
    if policy is not None and settings:
        raise RequestError("give a policy or its settings, not both", hint="policy.model_copy(update={...})")
    return policy if policy is not None else Policy.of(**settings)


@lru_cache(maxsize=4)
def detector_of(policy: Policy, threads: int = 0) -> Detector:
    """The detector that a policy asks for, with its method's needs checked. Raises `RequestError`, `MissingExtra`."""
    method = plugins.make(plugins.DEIDENTIFY, policy.method)
    runtime = Runtime(policy.provider, threads, cloud=policy.allow_cloud)
    detector = detect.build(policy.preset, policy.detector, runtime, policy.min_score)
    if getattr(method, "needs_landmarks", False) and not detector.gives_landmarks:
        raise RequestError(f"method '{method.name}' needs landmarks, which detector '{detector.spec}' does not give")
    return detector


def hides(spec: str) -> bool:
    """Whether what a method paints depends on nothing that it covers."""
    return getattr(plugins.make(plugins.DEIDENTIFY, spec), "promise", "") == "independent"
