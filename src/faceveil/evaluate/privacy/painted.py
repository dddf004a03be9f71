"""Conditions: ways of painting, each a method with its cover; and one picture painted so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from faceveil.deidentify.cover import covers_of
from faceveil.deidentify.paint import method, paint_area
from faceveil.errors import RequestError
from faceveil.evaluate.privacy.evidence import CONTROL, ORIGINAL, Kind
from faceveil.policy import Area, Policy
from faceveil.types import Frame, FramePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faceveil.types import Mask, Regions

METHODS = (
    "veil",
    "solid",
    "veil@head",
    "solid@head",
    "mosaic:cells=8",
    "blur:sigma=0.25",
    "noise:percent=50",
    "mask",
)
"""What is measured where nobody says what: the default, its peers on both covers, and the methods of the field."""


class Condition(BaseModel):
    """One way of painting: as the user wrote it, the method's spec and the cover; or what is no painting of ours.

    made: which of the folders of anonymised pictures, from 0 on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind = "painted"
    spec: str = ""
    area: Area = Area()
    made: int = 0


UNTOUCHED = Condition(name=ORIGINAL, kind="original")
BLACKOUT = Condition(name=CONTROL, kind="blackout")


def conditions(texts: Sequence[str], anonymised: Sequence[str] = (), area: Area | None = None) -> tuple[Condition, ...]:
    """What `SPEC` and `SPEC@AREA` mean, and folders by their names. AREA is face, head or settings as for --area.

    area: of those that name none.

    Raises `RequestError` for methods, settings and covers that do not exist, and for what is given twice.
    """
    made = [_condition(text.strip(), area or Area()) for text in texts]
    made += [Condition(name=f"folder {name}", kind="anonymised", made=i) for i, name in enumerate(anonymised)]
    seen: set[str] = {ORIGINAL, CONTROL}
    for one in made:
        if one.name in seen:
            raise RequestError(f"'{one.name}' is given twice, or is measured anyway")
        seen.add(one.name)
    return tuple(made)


def _condition(text: str, area: Area) -> Condition:
    spec, at, own = text.rpartition("@")
    if not at or not (own in ("face", "head") or "=" in own):
        spec, own = text, ""
    method(spec)
    return Condition(name=text, spec=spec, area=Policy.of(area=own).area if own else area)


def painted(frame: Frame, faces: Regions, condition: Condition, seed: int) -> Frame:
    """The frame with all its faces painted as the condition says. seed: of random methods."""
    if condition.kind == "blackout":
        return Frame(np.zeros_like(frame.pixels))
    return painted_area(frame, faces, condition, seed)[0]


def painted_area(frame: Frame, faces: Regions, condition: Condition, seed: int) -> tuple[Frame, Mask]:
    """As `painted`, and where: (H, W), the covers with their soft edges. Nowhere where nothing of ours is painted."""
    if condition.kind != "painted" or not len(faces):
        return frame, np.zeros((frame.height, frame.width), bool)
    plan = FramePlan(faces, (condition.spec,) * len(faces), (frame.width, frame.height))
    return paint_area(frame, plan, condition.area, seed=seed)


def cover(frame: Frame, faces: Regions, at: int | None, condition: Condition) -> NDArray[np.float64]:
    """Centre x, y, width and height (4,) of the cover of one face, in sides of the picture; NaN where there is none."""
    if at is None or condition.kind != "painted":
        return np.full(4, np.nan)
    covers = covers_of(faces, condition.area)
    sides = np.array([frame.width, frame.height], np.float64)
    return np.concatenate([covers.centre[at] / sides, 2 * covers.half[at] / sides])


def changed(before: NDArray[Any], after: NDArray[Any], box: NDArray[Any]) -> NDArray[np.float64]:
    """Where another tool's cover of a face lies, as `cover`: what it changed, as far as it hangs together there.

    before, after: (H, W, 3) uint8. box: the face's, xyxy. NaN where nothing of the face was changed.
    """
    import cv2  # noqa: PLC0415  (people and conditions are read without it)

    differs = (np.abs(before.astype(np.int16) - after.astype(np.int16)).max(axis=2) > CHANGED).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(differs, connectivity=8)
    height, width = differs.shape
    x1, y1, x2, y2 = np.clip(np.rint(box), 0, [width, height, width, height]).astype(int)
    counts = np.bincount(labels[y1:y2, x1:x2].ravel(), minlength=len(stats))
    counts[0] = 0
    largest = int(counts.argmax())
    if not counts[largest]:
        return np.full(4, np.nan)
    left, top, wide, high = stats[largest, :4]
    return np.array([(left + wide / 2) / width, (top + high / 2) / height, wide / width, high / height])


CHANGED = 24  # grey levels; JPEG of quality 75 changes 1 pixel in 1,000 of LFW by more


def claim(condition: Condition) -> str:
    """What the method promises or is known to leak, in a sentence; empty for what is no method."""
    return method(condition.spec).claim if condition.kind == "painted" else ""
