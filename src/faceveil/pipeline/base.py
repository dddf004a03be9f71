"""What both flows share: the result, names of outputs, the detector of a policy."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil import detect, media, plugins
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.policy import Policy
from faceveil.types import FACE

if TYPE_CHECKING:
    from faceveil.types import FramePlan, Mask, Regions

SUFFIX = "_veiled"
QUARANTINE = ".quarantine"
EVERY_S = 0.5  # between two calls of a watcher


@dataclass(frozen=True, slots=True)
class Veiled:
    """What was done to one file.

    output: where the result is. faces: how many were found, in a video those that were followed; labels: how many of
    each label, where more than faces is covered. kept: how many of all these were left visible on purpose. frames: of a
    video, 0 for pictures.
    notes: one sentence each on what was dropped, converted, or should be looked at.
    """

    source: Path
    output: Path
    faces: int
    kept: int
    notes: tuple[str, ...] = ()
    frames: int = 0
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a video is: frames done of how many (None: unknown), faces so far, frames a second, seconds left.

    labels: how many of each label so far, where more than faces is covered.
    """

    frames: int
    total: int | None
    faces: int
    rate: float
    left: float | None
    labels: dict[str, int] = field(default_factory=dict)


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
    labels: dict[str, int] = field(default_factory=dict)

    def tick(self, frames: int, faces: int = 0, labels: dict[str, int] | None = None) -> None:
        """So many frames are done."""
        self.frames, self.faces, self.labels = frames, faces, labels or {}
        self.alive()

    def alive(self) -> None:
        """Work goes on, though perhaps no further frame is done: a second of looking ahead may take minutes."""
        now = time.monotonic()
        if self.watcher is None or now - self.told < EVERY_S:
            return
        self.told = now
        rate = self.frames / max(now - self.started, 1e-3)
        left = max(self.total - self.frames, 0) / rate if self.total and rate else None
        self.watcher(Progress(self.frames, self.total, self.faces, rate, left, self.labels))


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
    """The detector that a policy asks for, with what else the policy needs of it checked.

    Raises `RequestError`, `MissingExtra`.
    """
    expect_methods(policy)
    runtime = Runtime(policy.provider, threads, cloud=policy.allow_cloud)
    detector = detect.build(policy.preset, policy.detector, runtime, policy.min_score, policy.cover)
    if FACE not in policy.cover:
        return detector
    method = plugins.make(plugins.DEIDENTIFY, policy.method_of(FACE))
    if getattr(method, "needs_landmarks", False) and not detector.gives_landmarks:
        raise RequestError(f"method '{method.name}' needs landmarks, which detector '{detector.spec}' does not give")
    if policy.area.shape == "contour" and not detector.gives_outline:
        raise RequestError(
            f"shape=contour needs the outline of a face, which detector '{detector.spec}' does not give",
            hint="name one that does with -d (faceveil detectors)",
        )
    return detector


def expect_methods(policy: Policy) -> None:
    """Raises `RequestError` where a method that a policy names does not exist, though nothing may be found for it."""
    for spec in (policy.method, *policy.methods.values()):
        plugins.make(plugins.DEIDENTIFY, spec)


def key_of(policy: Policy) -> str:
    """A text that is equal for two policies only if they shape results alike, down to the files that they name.

    Raises `RequestError`, `MissingExtra`.
    """
    made = [plugins.make(plugins.DEIDENTIFY, spec) for spec in policy.used]
    made += [] if policy.detector is None else [detect.make(policy.detector)]
    files = {str(file): _digest(file, file.stat().st_mtime_ns) for plugin in made for file in plugin.files}
    return json.dumps({**policy.model_dump(mode="json"), **({"files": files} if files else {})}, sort_keys=True)


@lru_cache(maxsize=16)
def _digest(file: Path, _changed: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def methods_for(regions: Regions, policy: Policy) -> tuple[str, ...]:
    """The method of each region, by its label."""
    if regions.label is None:
        return (policy.method_of(FACE),) * len(regions)
    return tuple(policy.method_of(label) for label in regions.label.tolist())


def hides(specs: Iterable[str]) -> bool:
    """Whether what each of some methods paints depends on nothing that it covers."""
    return all(getattr(plugins.make(plugins.DEIDENTIFY, spec), "promise", "") == "independent" for spec in specs)


def kept(plan: FramePlan) -> Mask:
    """Which regions of a plan stay visible, bool (n,)."""
    return np.array([plugins.parse(method).name == "keep" for method in plan.methods], bool)


def counted(found: Mapping[str, int], policy: Policy) -> dict[str, int]:
    """How many of each label that a policy covers, those that were not found included; empty if faces alone are."""
    return {} if policy.cover == (FACE,) and not set(found) - {FACE} else {**dict.fromkeys(policy.cover, 0), **found}


def unverified(policy: Policy) -> tuple[str, ...]:
    """One sentence on what is covered and not looked for when a result is verified, or none."""
    others = [label for label in policy.cover if label != FACE]
    if not policy.verifies or not others:
        return ()
    looked = "faces and leaks alone" if FACE in policy.cover else "leaks alone, as faces were to stay"
    return (f"Verification looked for {looked}: nobody looked whether a {' or a '.join(others)} is still visible.",)
