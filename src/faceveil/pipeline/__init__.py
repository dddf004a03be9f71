"""The whole flow, readable in one minute: look for faces, decide, paint, write.

`analyse` never writes pixels; `apply` never looks for faces; `veil` is both in one pass. So every result can be
reviewed, corrected and replayed. Pictures and videos have a flow each, `stills` and `video`; callers need not care.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from faceveil import media
from faceveil.errors import RequestError
from faceveil.pipeline import stills, video
from faceveil.pipeline.base import (
    QUARANTINE,
    SUFFIX,
    Pace,
    Progress,
    Veiled,
    Watcher,
    counted,
    default_output,
    detector_of,
    key_of,
    policy_from,
)
from faceveil.policy import Policy
from faceveil.types import Plan

if TYPE_CHECKING:
    from faceveil.types import Pixels

__all__ = [
    "QUARANTINE",
    "SUFFIX",
    "Pace",
    "Progress",
    "Veiled",
    "Watcher",
    "analyse",
    "apply",
    "counted",
    "default_output",
    "detector_of",
    "key_of",
    "veil",
]


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
    progress: Watcher | None = ...,
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
    progress: Watcher | None = None,
    **settings: Any,
) -> Pixels | Veiled:
    """Cover the faces of one picture or video, and what else the policy names.

    Args:
        source: a picture or video file, or pixels: RGB, (H, W, 3), uint8 or uint16, upright.
        output: where the file goes; `photo_veiled.jpg` beside the source where unset. Arrays come back as arrays.
        policy: what to look for and what to cover it with; `settings` are its fields, as in `method="mosaic:cells=4"`.
        overwrite: replace an existing output.
        quarantine: where a file goes that verification refuses; OUTPUT.quarantine/ beside the output where unset.
        threads: of the detector and of a video's codecs; 0 for all cores.
        progress: called now and then while a video is worked on.

    Returns:
        A new array of the same shape and type, or a `Veiled` that names the file. The source is never touched.

    Raises:
        RequestError: a setting is wrong, or the output is the source.
        InputError: the file is neither picture nor video, is damaged, or is of a kind that is refused.
        OutputError: the result cannot be written, or is there already. Nothing half-written stays.
        Refused: verification (`policy.verify`) found a face or a leak; the result is in quarantine.
    """
    policy = policy_from(policy, settings)
    if isinstance(source, np.ndarray):
        if output is not None:
            raise RequestError("an array comes back as an array", hint="leave 'output' out")
        return stills.veil_pixels(source, policy, threads)
    path = Path(source)
    target = default_output(path) if output is None else Path(output)
    if media.is_video(path):
        return video.veil(video.Order(path, target, policy, overwrite, quarantine, threads, progress))
    return stills.veil(path, target, policy, overwrite=overwrite, quarantine=quarantine, threads=threads)


def analyse(
    source: Pixels | str | Path,
    *,
    policy: Policy | None = None,
    threads: int = 0,
    progress: Watcher | None = None,
    **settings: Any,
) -> Plan:
    """Look for faces and decide what to do with each. Writes nothing.

    Args and errors as in `veil`. The plan is personal data; see `faceveil.plans` for its file form.
    """
    policy = policy_from(policy, settings)
    if isinstance(source, np.ndarray):
        return stills.analyse(source, policy, threads)
    path = Path(source)
    if media.is_video(path):
        return video.analyse(path, policy, threads=threads, progress=progress)
    return stills.analyse(path, policy, threads)


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
    threads: int = ...,
    progress: Watcher | None = ...,
) -> Veiled: ...


def apply(
    source: Pixels | str | Path,
    plan: Plan,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    quarantine: Path | None = None,
    threads: int = 0,
    progress: Watcher | None = None,
) -> Pixels | Veiled:
    """Cover what the plan names, without looking for faces.

    Args and errors as in `veil`. Raises `InputError` too where the source is not the one that the plan was made from.
    """
    if isinstance(source, np.ndarray):
        return stills.apply_to_pixels(source, plan)
    path = Path(source)
    target = default_output(path) if output is None else Path(output)
    if media.is_video(path):
        policy = Policy.of(**plan.policy)
        return video.apply(video.Order(path, target, policy, overwrite, quarantine, threads, progress), plan)
    return stills.apply(path, plan, target, overwrite=overwrite, quarantine=quarantine)
