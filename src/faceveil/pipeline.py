"""The whole flow, readable in one minute: look for faces, decide, paint, write.

`analyse` never writes pixels; `apply` never looks for faces; `veil` is both in one pass. So every result can be
reviewed, corrected and replayed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from faceveil import detect, media, plugins
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import InputError, Refused, RequestError
from faceveil.policy import Policy
from faceveil.types import Frame, FramePlan, Plan

if TYPE_CHECKING:
    from faceveil.types import Floats, Mask, Pixels

SUFFIX = "_veiled"
QUARANTINE = ".quarantine"


@dataclass(frozen=True, slots=True)
class Veiled:
    """What was done to one file.

    output: where the result is. faces: regions found; kept: how many of these were left visible on purpose.
    notes: one sentence each on what was dropped or converted.
    """

    source: Path
    output: Path
    faces: int
    kept: int
    notes: tuple[str, ...] = ()


def default_output(source: Path) -> Path:
    """`photo_veiled.jpg` beside `photo.jpg`; `photo_veiled.tif` beside a camera RAW, which nobody can write."""
    return source.with_name(source.stem + SUFFIX + media.planned_suffix(source))


@overload
def veil(source: Pixels, *, policy: Policy | None = ..., threads: int = ..., **settings: Any) -> Pixels: ...
@overload
def veil(
    source: str | Path,
    output: str | Path | None = ...,
    *,
    policy: Policy | None = ...,
    overwrite: bool = ...,
    quarantine: Path | None = ...,
    threads: int = ...,
    **settings: Any,
) -> Veiled: ...


def veil(
    source: Pixels | str | Path,
    output: str | Path | None = None,
    *,
    policy: Policy | None = None,
    overwrite: bool = False,
    quarantine: Path | None = None,
    threads: int = 0,
    **settings: Any,
) -> Pixels | Veiled:
    """Cover the faces of one picture.

    Args:
        source: a picture file, or its pixels: RGB, (H, W, 3), uint8 or uint16, upright.
        output: where the file goes; `photo_veiled.jpg` beside the source where unset. Arrays come back as arrays.
        policy: what to look for and what to cover it with; `settings` are its fields, as in `method="mosaic:cells=4"`.
        overwrite: replace an existing output.
        quarantine: where a file goes that verification refuses; OUTPUT.quarantine/ beside the output where unset.
        threads: of the detector; 0 for all cores.

    Returns:
        A new array of the same shape and type, or a `Veiled` that names the file. The source is never touched.

    Raises:
        RequestError: a setting is wrong, or the output is the source.
        InputError: the file is not a picture, is damaged, or is of a kind that is refused.
        OutputError: the result cannot be written, or is there already. Nothing half-written stays.
        Refused: verification (`policy.verify`) found a face or a leak; the result is in quarantine.
    """
    policy = _policy(policy, settings)
    detector = detector_of(policy, threads)
    if isinstance(source, np.ndarray):
        if output is not None:
            raise RequestError("an array comes back as an array", hint="leave 'output' out")
        frame = Frame(source)
        return _render(frame, look(frame, detector, policy), policy)[0].pixels.copy()
    path, target = Path(source), Path(output) if output is not None else default_output(Path(source))
    opened = media.open(path)
    frames = ((frame, look(frame, detector, policy)) for frame in opened)
    return _write(opened, frames, path, target, policy, overwrite, quarantine, hidden=_hides(policy.method))


def analyse(source: Pixels | str | Path, *, policy: Policy | None = None, threads: int = 0, **settings: Any) -> Plan:
    """Look for faces and decide what to do with each. Writes nothing.

    Args and errors as in `veil`. The plan is personal data; see `faceveil.plans` for its file form.
    """
    policy = _policy(policy, settings)
    detector = detector_of(policy, threads)
    record = policy.model_dump(mode="json", exclude_defaults=True)
    if isinstance(source, np.ndarray):
        return Plan("array", (look(Frame(source), detector, policy),), "", detector.spec, record)
    opened = media.open(Path(source))
    frames = tuple(look(frame, detector, policy) for frame in opened)
    return Plan(str(source), frames, opened.digest, detector.spec, record)


@overload
def apply(source: Pixels, plan: Plan) -> Pixels: ...
@overload
def apply(
    source: str | Path,
    plan: Plan,
    output: str | Path | None = ...,
    *,
    overwrite: bool = ...,
    quarantine: Path | None = ...,
) -> Veiled: ...


def apply(
    source: Pixels | str | Path,
    plan: Plan,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    quarantine: Path | None = None,
) -> Pixels | Veiled:
    """Cover what the plan names, without looking for faces.

    Args and errors as in `veil`. Raises `InputError` too where the source is not the one that the plan was made from.
    """
    policy = Policy.of(**plan.policy)
    if isinstance(source, np.ndarray):
        frame = Frame(source)
        line = _planned({line.index: line for line in plan}, frame, plan.source)
        return _render(frame, line, policy)[0].pixels.copy()
    path, target = Path(source), Path(output) if output is not None else default_output(Path(source))
    opened = media.open(path)
    if plan.digest and plan.digest != opened.digest:
        raise InputError(f"{path} has changed since its plan was made", hint="make the plan anew")
    planned = {line.index: line for line in plan}
    frames = ((frame, _planned(planned, frame, path)) for frame in opened)
    hidden = all(_hides(method) for line in plan for method in line.methods)
    return _write(opened, frames, path, target, policy, overwrite, quarantine, hidden=hidden)


@lru_cache(maxsize=4)
def detector_of(policy: Policy, threads: int = 0) -> Detector:
    """The detector that a policy asks for, with its method's needs checked. Raises `RequestError`, `MissingExtra`."""
    method = plugins.make(plugins.DEIDENTIFY, policy.method)
    detector = detect.build(policy.preset, policy.detector, Runtime(policy.provider, threads), policy.min_score)
    if getattr(method, "needs_landmarks", False) and not detector.gives_landmarks:
        raise RequestError(f"method '{method.name}' needs landmarks, which detector '{detector.spec}' does not give")
    return detector


def look(frame: Frame, detector: Detector, policy: Policy) -> FramePlan:
    """Find the faces of one frame and decide what to do with each."""
    regions = detector(frame)
    return FramePlan(regions, (policy.method,) * len(regions), (frame.width, frame.height), frame.index, frame.time)


def _hides(spec: str) -> bool:
    """Whether what a method paints depends on nothing that it covers."""
    return getattr(plugins.make(plugins.DEIDENTIFY, spec), "promise", "") == "independent"


def _policy(policy: Policy | None, settings: dict[str, Any]) -> Policy:
    if policy is not None and settings:
        raise RequestError("give a policy or its settings, not both", hint="policy.model_copy(update={...})")
    return policy if policy is not None else Policy.of(**settings)


def _render(frame: Frame, plan: FramePlan, policy: Policy) -> tuple[Frame, Mask]:
    """The painted frame and where it was painted."""
    if plan.size != (frame.width, frame.height):
        raise InputError(
            f"the plan was made for {plan.size[0]} x {plan.size[1]} pixels, got {frame.width} x {frame.height}"
        )
    from faceveil.deidentify.paint import paint_area  # noqa: PLC0415  (loads OpenCV: only where something is painted)

    return paint_area(frame, plan, policy.cover, policy.seed)


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
    faces = 0
    kept: dict[int, Floats] = {}
    aside = quarantine or target.with_name(target.name + QUARANTINE) / target.name
    inspect = partial(_inspect, target=target, aside=aside, policy=policy, kept=kept) if policy.verifies else None
    info = replace(_described(source, policy), hidden=hidden)
    with media.create(target, info, overwrite=overwrite, inspect=inspect, source=source, jpeg=policy.jpeg_mode) as sink:
        for frame, plan in frames:
            sink.append(*_render(frame, plan, policy))
            faces += len(plan.regions)
            stays = np.array([plugins.parse(method).name == "keep" for method in plan.methods], bool)
            kept[frame.index] = plan.regions.xyxy[stays]
    return Veiled(path, target, faces, sum(map(len, kept.values())), info.notes + sink.notes)


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


def _inspect(data: bytes, *, target: Path, aside: Path, policy: Policy, kept: dict[int, Floats]) -> None:
    """Refuse a file in which a leak is found, or a face that was not kept; it goes aside with the reason."""
    from faceveil.verify.check import DETECTOR, examine  # noqa: PLC0415  (loads OpenCV)

    detector = detect.build(policy.preset, DETECTOR, Runtime(policy.provider, 1))
    found = examine(data, detector, kept=kept, metadata=policy.metadata)
    if found.clean:
        return
    aside.parent.mkdir(parents=True, exist_ok=True)
    media.publish(aside, data, overwrite=True, mode=0o600)
    reason = json.dumps(found.as_dict(), indent=1).encode()
    media.publish(aside.with_name(aside.name + ".json"), reason, overwrite=True, mode=0o600)
    raise Refused(f"{target} was not published: {found.sentence()}", hint=f"it is kept in {aside}")
