"""The flow of pictures: all frames of one file, each looked at and painted by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faceveil import media
from faceveil.detect.base import Detector
from faceveil.errors import InputError
from faceveil.pipeline.base import (
    Veiled,
    counted,
    detector_of,
    hides,
    kept,
    methods_for,
    quarantine_of,
    unverified,
)
from faceveil.pipeline.inspect import inspect_picture
from faceveil.policy import Policy
from faceveil.types import FACE, Frame, FramePlan, Plan

if TYPE_CHECKING:
    from faceveil.types import Floats, Mask, Pixels


def veil_pixels(pixels: Pixels, policy: Policy, threads: int) -> Pixels:
    """A new array with its faces covered."""
    frame = Frame(pixels)
    return _render(frame, look(frame, detector_of(policy, threads), policy), policy)[0].pixels.copy()


def veil(path: Path, target: Path, policy: Policy, *, overwrite: bool, quarantine: Path | None, threads: int) -> Veiled:
    """Cover the faces of a picture file."""
    detector = detector_of(policy, threads)
    opened = media.open(path)
    frames = ((frame, look(frame, detector, policy)) for frame in opened)
    return _write(opened, frames, path, target, policy, overwrite, quarantine, hidden=hides(policy.used))


def analyse(source: Pixels | Path, policy: Policy, threads: int) -> Plan:
    """Look for the faces of a picture; writes nothing."""
    detector = detector_of(policy, threads)
    record = policy.model_dump(mode="json", exclude_defaults=True)
    if isinstance(source, np.ndarray):
        return Plan("array", (look(Frame(source), detector, policy),), "", detector.spec, record)
    opened = media.open(source)
    frames = tuple(look(frame, detector, policy) for frame in opened)
    return Plan(str(source), frames, opened.digest, detector.spec, record)


def apply_to_pixels(pixels: Pixels, plan: Plan) -> Pixels:
    """A new array covered as the plan says."""
    frame = Frame(pixels)
    line = _planned({line.index: line for line in plan}, frame, plan.source)
    return _render(frame, line, Policy.of(**plan.policy))[0].pixels.copy()


def apply(path: Path, plan: Plan, target: Path, *, overwrite: bool, quarantine: Path | None) -> Veiled:
    """Cover what the plan names in a picture file."""
    opened = media.open(path)
    if plan.digest and plan.digest != opened.digest:
        raise InputError(f"{path} has changed since its plan was made", hint="make the plan anew")
    planned = {line.index: line for line in plan}
    frames = ((frame, _planned(planned, frame, path)) for frame in opened)
    hidden = hides({method for line in plan for method in line.methods})
    return _write(opened, frames, path, target, Policy.of(**plan.policy), overwrite, quarantine, hidden=hidden)


def look(frame: Frame, detector: Detector, policy: Policy) -> FramePlan:
    """Find the faces of one frame and decide what to do with each."""
    regions = detector(frame)
    return FramePlan(regions, methods_for(regions, policy), (frame.width, frame.height), frame.index, frame.time)


def _render(frame: Frame, plan: FramePlan, policy: Policy) -> tuple[Frame, Mask]:
    """The painted frame and where it was painted."""
    if plan.size != (frame.width, frame.height):
        raise InputError(
            f"the plan was made for {plan.size[0]} x {plan.size[1]} pixels, got {frame.width} x {frame.height}"
        )
    from faceveil.deidentify.paint import paint_area  # noqa: PLC0415  (loads OpenCV: only where something is painted)

    return paint_area(frame, plan, policy.area, policy.seed)


def _planned(lines: dict[int, FramePlan], frame: Frame, source: str | Path) -> FramePlan:
    if frame.index not in lines:
        raise InputError(f"the plan has no line for frame {frame.index} of {source}")
    return lines[frame.index]


def _write(
    source: media.Source,
    frames: Iterator[tuple[Frame, FramePlan]],
    path: Path,
    target: Path,
    policy: Policy,
    overwrite: bool,
    quarantine: Path | None,
    *,
    hidden: bool,
) -> Veiled:
    found: Counter[str] = Counter()
    visible = 0
    shown: dict[int, Floats] = {}  # faces alone: what else stays visible is no leave to show a face
    aside = quarantine_of(target, quarantine)
    inspect = (
        partial(inspect_picture, target=target, aside=aside, policy=policy, kept=shown) if policy.verifies else None
    )
    info = replace(_described(source, policy), hidden=hidden if FACE in policy.cover else None)
    with media.create(target, info, overwrite=overwrite, inspect=inspect, source=source, jpeg=policy.jpeg_mode) as sink:
        for frame, plan in frames:
            sink.append(*_render(frame, plan, policy))
            found.update(plan.regions.counts())
            stays = plan.regions[kept(plan)]
            visible += len(stays)
            shown[frame.index] = stays.of(FACE).xyxy
    notes = info.notes + sink.notes + unverified(policy)
    return Veiled(path, target, found[FACE], visible, notes, labels=counted(found, policy))


def _described(source: media.Source, policy: Policy) -> media.Info:
    """What is written beside the pixels."""
    if policy.metadata == "none":
        return source.info.bare()
    if policy.metadata == "technical":
        return source.info
    settings = source.settings()
    if settings is None:
        return source.info.noting(
            "Its camera settings, if it has any, are not kept: they are not read in files of this kind."
        )
    return replace(source.info, camera=settings)
