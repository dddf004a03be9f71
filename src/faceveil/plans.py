"""Plan files: JSON lines to review, edit and replay. One header, then one line for each frame.

    {"faceveil_plan": 1, "policy": {...}, "detector": "centerface:size=1280"}
    {"source": "a.jpg", "sha256": "…", "frame": 0, "time": null, "size": [640, 480],
     "faces": [{"box": [12.0, 30.5, 60.0, 92.0], "score": 0.97, "method": "veil"}]}

What is covered beside faces stands among them with its "label", such as "plate"; without one it is a face.

A plan is personal data (box coordinates alone identify 7 % of 79 people: docs/privacy.md): it is written only when
asked for, readable by its owner alone, and without landmarks and outlines unless the policy needs them. Edits count:
delete a face, move its box, set its method to "keep", or add one with nothing but a "box". A contour belongs to its
outline: without one, a face is covered by the rounded shape of its box. Sources are relative to the plan's own folder
where they lie below it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.policy import Policy
from faceveil.types import FACE, FramePlan, Plan, Regions, padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

VERSION = 1
ADDED = 1 << 32  # number of the first face that was added by hand: beyond all that a tracker gives

_STRICT = ConfigDict(frozen=True, extra="forbid")
_Model = TypeVar("_Model", bound=BaseModel)


class _Header(BaseModel):
    model_config = _STRICT
    faceveil_plan: Literal[1]
    policy: dict[str, Any] = {}
    detector: str = ""


class _Face(BaseModel):
    model_config = _STRICT
    box: tuple[float, float, float, float]
    score: float = Field(1.0, ge=0, le=1)
    method: str = ""
    label: str = Field(FACE, min_length=1)
    landmarks: tuple[tuple[float, float], ...] | None = Field(None, min_length=5, max_length=5)
    outline: tuple[tuple[float, float], ...] | None = Field(None, min_length=3)
    track: int | None = Field(None, ge=0)


class _Line(BaseModel):
    model_config = _STRICT
    source: str
    sha256: str = ""
    frame: int = Field(0, ge=0)
    time: str | None = None
    size: tuple[int, int]
    faces: tuple[_Face, ...] = ()


# --- writing -------------------------------------------------------------------------------------------------------


def text(policy: Policy, detector: str, body: Iterable[str]) -> bytes:
    """A whole plan file from the lines of its sources."""
    header = _Header(faceveil_plan=VERSION, policy=recorded(policy), detector=detector)
    return "\n".join([header.model_dump_json(), *body, ""]).encode()


def recorded(policy: Policy) -> dict[str, Any]:
    """What a plan remembers of its policy: the settings that differ from the defaults."""
    return policy.model_dump(mode="json", exclude_defaults=True)


def lines(plan: Plan, *, landmarks: bool, outline: bool = False) -> Iterator[str]:
    """The lines of one source. landmarks, outline: whether a method or the area needs them."""
    for frame in plan:
        line = {
            "source": plan.source,
            "sha256": plan.digest,
            "frame": frame.index,
            "time": None if frame.time is None else str(frame.time),
            "size": list(frame.size),
            "faces": [_face(frame, i, landmarks, outline) for i in range(len(frame.regions))],
        }
        yield json.dumps(line)


def _face(frame: FramePlan, i: int, landmarks: bool, outline: bool) -> dict[str, Any]:
    regions = frame.regions
    face: dict[str, Any] = {
        "box": [_exact(v) for v in regions.xyxy[i]],
        "score": round(float(regions.score[i]), 4),
        "method": frame.methods[i],
    }
    if regions.label is not None and regions.label[i] != FACE:
        face["label"] = str(regions.label[i])
    if regions.track is not None:
        face["track"] = int(regions.track[i])
    for name, wanted, points in (
        ("landmarks", landmarks, regions.landmarks),
        ("outline", outline, regions.outline),
    ):
        if wanted and points is not None and np.isfinite(points[i]).all():
            face[name] = [[_exact(x), _exact(y)] for x, y in points[i]]
    return face


def _exact(value: np.float32) -> float:
    """The shortest decimal that reads back as the same float32: a plan must cover what `veil` does, to the byte."""
    return float(str(value))


def relative(source: Path, plan: Path) -> str:
    """How a plan names a source: relative to the plan's folder where it lies below it, absolute elsewhere."""
    source, folder = source.absolute(), plan.parent.absolute()
    return source.relative_to(folder).as_posix() if source.is_relative_to(folder) else str(source)


# --- reading -------------------------------------------------------------------------------------------------------


def read(path: str | Path) -> list[Plan]:
    """The plans in a file, one for each source, in the file's order, with sources located from here.

    Raises:
        RequestError: the file cannot be read, is not a plan, or an edited line is wrong; the line is named.
    """
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read the plan {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    return parse(content, path)


def parse(content: str, path: Path) -> list[Plan]:
    """The plans in the text of a plan file; `path` locates relative sources and names the file in errors."""
    numbered = [(n, line) for n, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not numbered or "faceveil_plan" not in numbered[0][1]:
        raise RequestError(f"{path} is not a plan", hint="make one with: faceveil INPUT --plan FILE.jsonl")
    head = _parse(_Header, path, *numbered[0])
    policy = Policy.of(**head.policy)
    frames: dict[str, dict[int, FramePlan]] = {}
    digests: dict[str, str] = {}
    for number, line in numbered[1:]:
        parsed = _parse(_Line, path, number, line)
        planned = frames.setdefault(parsed.source, {})
        if parsed.frame in planned:
            raise RequestError(f"{path}, line {number}: frame {parsed.frame} of {parsed.source} is planned twice")
        planned[parsed.frame] = _frame(path, number, parsed, policy)
        digests.setdefault(parsed.source, parsed.sha256)
    return [
        Plan(str(path.parent / source), _followed(planned), digests[source], head.detector, head.policy)
        for source, planned in frames.items()
    ]


def _parse(kind: type[_Model], path: Path, number: int, line: str) -> _Model:
    try:
        return kind.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise RequestError(f"{path}, line {number}: is not JSON ({error.msg} at column {error.colno})") from None
    except ValidationError as error:
        raise RequestError(f"{path}, line {number}: {plugins.explain(error)}") from None


def _followed(planned: dict[int, FramePlan]) -> tuple[FramePlan, ...]:
    """The frames of one source. Where faces are followed, frames with none but added faces have tracks too."""
    frames = tuple(planned.values())
    if all(frame.regions.track is None for frame in frames):
        return frames
    return tuple(frame if frame.regions.track is not None else _as_tracks(frame) for frame in frames)


def _as_tracks(frame: FramePlan) -> FramePlan:
    numbers = np.arange(len(frame.regions), dtype=np.int64) + ADDED
    return replace(frame, regions=replace(frame.regions, track=numbers))


def _tracks(tracks: list[int | None]) -> NDArray[np.int64] | None:
    """The faces of a video by number; those that were added by hand get numbers of their own."""
    known = [track for track in tracks if track is not None]
    if not known:
        return None
    fresh = count(ADDED)
    return np.array([next(fresh) if track is None else track for track in tracks], np.int64)


def _points(of_each: list[tuple[tuple[float, float], ...] | None]) -> Floats | None:
    """Points of each face, (n, k, 2), NaN for those that have none; None where nobody has any."""
    most = max((len(points) for points in of_each if points), default=0)
    if not most:
        return None
    rows = [padded(np.array([points or [(np.nan, np.nan)]], np.float32), most) for points in of_each]
    return np.concatenate(rows)


def _frame(path: Path, number: int, line: _Line, policy: Policy) -> FramePlan:
    labels = [face.label for face in line.faces]
    tracks = [face.track for face in line.faces]
    methods = tuple(face.method or policy.method_of(face.label) for face in line.faces)
    try:
        for spec in set(methods):
            plugins.make(plugins.DEIDENTIFY, spec)
        regions = Regions(
            np.array([face.box for face in line.faces], np.float32).reshape(-1, 4),
            np.array([face.score for face in line.faces], np.float32),
            _points([face.landmarks for face in line.faces]),
            _tracks(tracks),
            None if set(labels) <= {FACE} else np.array(labels, np.str_),
            _points([face.outline for face in line.faces]),
        )
        time = None if line.time is None else Fraction(line.time)
    except (ValueError, ZeroDivisionError, RequestError) as error:
        raise RequestError(f"{path}, line {number}: {error}") from None
    return FramePlan(regions, methods, line.size, line.frame, time)
