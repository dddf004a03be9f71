"""Covering what annotations say instead of looking: an annotation becomes a plan, once its picture is at hand.

A plan is exactly that, regions for each frame of a file, so report, resume, workers and verification need to know
nothing of annotations. What cannot be matched, or does not fit its picture, fails by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil import media, pipeline, plans
from faceveil.annotation import Labelled
from faceveil.detect import boxes
from faceveil.errors import InputError
from faceveil.pipeline.base import methods_for
from faceveil.types import FACE, LABELS, FramePlan, Plan, Regions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faceveil.policy import Policy

SAME_FACE = 0.4  # IoU; as in `detect.compose`: above it, what was found is what is annotated


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be planned. said: of `packed`. name: of the annotation file. add_detected: look as well."""

    source: Path
    said: str
    name: str
    policy: Policy
    add_detected: bool = False
    threads: int = 0
    progress: pipeline.Watcher | None = None


# --- on the way to a worker ------------------------------------------------------------------------------------------


def packed(said: Sequence[Labelled] | InputError) -> str:
    """What is said of one file, or why that is not clear, as one line of JSON."""
    if isinstance(said, InputError):
        return json.dumps({"wrong": said.message, "hint": said.hint})
    return json.dumps({"said": [_record(one) for one in said]})


def _record(one: Labelled) -> dict[str, Any]:
    regions = one.regions
    return {
        "name": one.name,
        "size": one.size,
        "boxes": regions.xyxy.tolist(),  # float32 in a longer decimal: the same when it is read back
        "scores": regions.score.tolist(),
        "labels": regions.labels.tolist(),
        "tracks": None if regions.track is None else regions.track.tolist(),
        "frame": one.frame,
        "relative": one.relative,
        "place": one.place,
    }


def unpacked(text: str) -> tuple[Labelled, ...]:
    """What `packed` was given. Raises it where it was an error."""
    record = json.loads(text)
    if "wrong" in record:
        raise InputError(record["wrong"], hint=record["hint"])
    return tuple(
        Labelled(
            name=one["name"],
            size=tuple(one["size"]) if one["size"] else None,
            regions=Regions(
                np.array(one["boxes"], np.float32).reshape(-1, 4),
                np.array(one["scores"], np.float32),
                track=one["tracks"],
                label=np.array(one["labels"], np.str_) if one["labels"] else None,
            ),
            frame=one["frame"],
            relative=one["relative"],
            place=one["place"],
        )
        for one in record["said"]
    )


# --- plans -----------------------------------------------------------------------------------------------------------


def plan(order: Order) -> Plan:
    """What is to be covered in one file.

    Raises:
        InputError: the file is not annotated, or not as it is: another size, other frames, a box without area.
    """
    said = unpacked(order.said)
    sizes, digest = _opened(order.source)
    record = plans.recorded(order.policy)
    frames = tuple(_frame(order, one, sizes) for one in sorted(said, key=lambda one: one.frame or 0))
    if order.add_detected:
        seen = pipeline.analyse(order.source, policy=order.policy, threads=order.threads, progress=order.progress)
        return replace(seen, frames=tuple(_united(order, frames, seen)))
    stated = [frame.index for frame in frames]
    wanted = list(range(len(frames) if sizes.frames is None else sizes.frames))
    if stated != wanted:
        missing = sorted(set(wanted) - set(stated))
        lacks = f"frame {missing[0]} is not among them" if missing else f"it ends before frame {stated[-1]}"
        raise InputError(f"{order.source} has {len(wanted)} frames, and {order.name} is about {len(stated)}: {lacks}")
    return Plan(str(order.source), _numbered(frames), digest, f"annotations {order.name}", record)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Upright (width, height) of each frame; one for all of a film, whose header may be wrong about their number."""

    each: tuple[tuple[int, int], ...]
    frames: int | None

    def of(self, index: int) -> tuple[int, int]:
        return self.each[min(index, len(self.each) - 1)]


def _opened(source: Path) -> tuple[_Sizes, str]:
    """The sizes of a file's frames and its SHA-256."""
    if media.is_video(source):
        from faceveil.media.video import open_video  # noqa: PLC0415  (loads FFmpeg)

        film = open_video(source)
        return _Sizes((film.info.size,), None), film.digest
    picture = media.open(source)
    return _Sizes(
        tuple(picture.info.of(i).size for i in range(picture.info.frames)), picture.info.frames
    ), picture.digest


def _frame(order: Order, one: Labelled, sizes: _Sizes) -> FramePlan:
    index = one.frame or 0
    size = sizes.of(index)
    place = f"{order.name}, {one.place}," if one.place else order.name
    try:
        regions = one.in_pixels(size).regions
    except ValueError as error:
        raise InputError(f"{order.source} does not fit: {place} {error}") from None
    if (regions.xyxy[:, :2] >= regions.xyxy[:, 2:]).any():
        raise InputError(f"{order.source} does not fit: {place} has a box without area, which would cover nothing")
    regions = replace(regions, label=_known(regions))
    return FramePlan(regions, methods_for(regions, order.policy), size, index)


def _known(regions: Regions) -> Any:
    """Labels, with words that only the annotations know taken for faces: of all things they get the largest cover."""
    if regions.label is None:
        return None
    return np.array([label if label in LABELS else FACE for label in regions.labels.tolist()], np.str_)


def _numbered(frames: tuple[FramePlan, ...]) -> tuple[FramePlan, ...]:
    """Where some faces of a film are followed, those that were added by hand get numbers of their own."""
    if all(frame.regions.track is None for frame in frames):
        return frames
    fresh = count(plans.ADDED)
    return tuple(replace(frame, regions=_tracked(frame.regions, fresh)) for frame in frames)


def _tracked(regions: Regions, fresh: Iterator[int]) -> Regions:
    if regions.track is not None:
        return regions
    return replace(regions, track=np.array([next(fresh) for _ in range(len(regions))], np.int64))


def _united(order: Order, frames: tuple[FramePlan, ...], seen: Plan) -> Iterator[FramePlan]:
    """Each frame with what is annotated, and what was found beside that."""
    said = {frame.index: frame for frame in frames}
    unseen = sorted(set(said) - {frame.index for frame in seen})
    if unseen:
        raise InputError(f"{order.source} has no frame {unseen[0]}, about which {order.name} says something")
    follows = any(frame.regions.track is not None for frame in seen)
    fresh = count(plans.ADDED)
    for found in seen:
        own = said.get(found.index)
        if own is None:
            yield found
            continue
        regions = own.regions
        if follows:  # the numbers of the annotations are about another run's faces
            regions = _tracked(replace(regions, track=None), fresh)
        beside = _beside(found.regions, regions)
        more = found.regions[beside]
        methods = (*own.methods, *(found.methods[i] for i in np.flatnonzero(beside)))
        yield replace(found, regions=Regions.concatenate([regions, more]), methods=methods)


def _beside(found: Regions, said: Regions) -> Any:
    """Which of the regions found (n,) stand on none that is annotated."""
    if not len(said):
        return np.ones(len(found), bool)
    return boxes.overlap(found.xyxy, said.xyxy).max(1) <= SAME_FACE
