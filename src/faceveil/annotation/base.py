"""What an annotation file says of one picture, and the checks that all formats share.

Formats differ in what they can say: some know the size of a picture, some give boxes in parts of its sides, some name
pictures without their suffix. `Labelled` holds what was said; `in_pixels` makes it the same for all, once the picture
is at hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.types import FACE, Regions

if TYPE_CHECKING:
    from faceveil.types import Mask

BYTE_CAP = 1 << 30  # the annotations of a million pictures with ten faces each are about this long
LONGEST_COMPLAINT = 200  # characters
LARGEST = 1e6  # px; no picture within the cap of `media` has a longer side that holds a face
BEYOND = 1.0  # sides of the picture by which a box may reach beyond it; WIDER FACE has boxes that stick out a little

MEANINGS = {
    "blur": ("clear", "normal", "heavy"),
    "occlusion": ("none", "partial", "heavy"),
    "pose": ("typical", "atypical"),
}
"""The words of WIDER FACE for its numbers (readme of wider_face_split)."""
ABOUT = ("difficulty", *MEANINGS)
"""What a ground truth may say of a face beside its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """What an annotation file says of one picture, or of one frame of a file that has several.

    name: of the picture, relative to the folder of the pictures, or absolute; without its suffix where `stem`.
    size: (width, height) of the upright picture, None where the format does not tell.
    regions: n boxes with scores and labels; in parts of the picture's sides where `relative`, else in pixels.
    ignored: (n,), faces that count neither way when a detector is judged.
    about: words of `ABOUT` -> str (n,), empty where nothing is said.
    frame: which frame of the file, None where it is a picture of one. place: where in the file it is said.
    """

    name: str
    size: tuple[int, int] | None = None
    regions: Regions = field(default_factory=Regions)
    ignored: Mask = field(default_factory=lambda: np.zeros(0, bool))
    about: dict[str, Any] = field(default_factory=dict)
    frame: int | None = None
    relative: bool = False
    stem: bool = False
    place: str = ""

    def __post_init__(self) -> None:
        if not len(self.ignored):
            object.__setattr__(self, "ignored", np.zeros(len(self.regions), bool))
        if len(self.ignored) != len(self.regions):
            raise ValueError(f"ignored must have one value for each of {len(self.regions)} boxes")

    def in_pixels(self, size: tuple[int, int]) -> Labelled:
        """The same in pixels of the picture, whose upright (width, height) is `size`.

        Raises:
            ValueError: the annotation is about a picture of another size, or a box with an area lies outside of it;
                one sentence without a subject.
        """
        if self.size is not None and self.size != size:
            turned = ", turned" if self.size == size[::-1] and size[0] != size[1] else ""
            raise ValueError(
                f"is about {self.size[0]} x {self.size[1]} pixels, and the picture has {size[0]} x {size[1]} upright"
                f"{turned}"
            )
        sides = np.array([*size, *size], np.float32)
        xyxy = self.regions.xyxy * sides if self.relative else self.regions.xyxy
        apart = (xyxy[:, 2:] <= 0) | (xyxy[:, :2] >= sides[:2])
        far = (xyxy[:, :2] < -BEYOND * sides[:2]) | (xyxy[:, 2:] > (1 + BEYOND) * sides[:2])
        outside = (apart | far).any(1) & (xyxy[:, :2] < xyxy[:, 2:]).all(1)
        if outside.any():
            box = ", ".join(f"{v:g}" for v in xyxy[outside.argmax()])
            raise ValueError(f"has a box outside of the picture of {size[0]} x {size[1]} pixels ({box})")
        return replace(self, size=size, regions=replace(self.regions, xyxy=xyxy), relative=False)


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """A whole file, or folder: what is said of each picture, and the folders in which its pictures may lie."""

    path: Path
    format: str
    pictures: tuple[Labelled, ...]
    folders: tuple[Path, ...]


def wrong(path: Path, place: str, message: str, hint: str = "") -> RequestError:
    """A complaint that names the file and the place in it."""
    return RequestError(f"{path}, {place}: {message}" if place else f"{path}: {message}", hint=hint)


def explained(path: Path, error: ValidationError) -> RequestError:
    """What a model says is wrong in a file, with the field; values without end are cut."""
    text = plugins.explain(error)
    return wrong(path, "", text if len(text) <= LONGEST_COMPLAINT else text[:LONGEST_COMPLAINT] + "…")


def text_of(path: Path) -> str:
    """The text of an annotation file. Raises `RequestError` where it cannot be read, is not UTF-8, or is too long."""
    try:
        if path.stat().st_size > BYTE_CAP:
            raise RequestError(f"the annotations {path} have more than {BYTE_CAP >> 20} MiB")
        return path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the text
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise RequestError(f"cannot read the annotations {path}: {reason}") from None


def number(text: str, name: str) -> float:
    """A finite number. Raises `ValueError` with what it was."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got '{text[:40]}'")
    return value


def whole(text: str, name: str) -> int:
    """A whole number from 0. Raises `ValueError` with what it was."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError(f"{name} must be a whole number, got '{text[:40]}'")
    return int(text)


def box(x1: float, y1: float, x2: float, y2: float, largest: float = LARGEST) -> tuple[float, float, float, float]:
    """The corners of a box, checked. Raises `ValueError`: not finite, absurdly large, or turned inside out."""
    corners = (x1, y1, x2, y2)
    if not all(math.isfinite(v) and abs(v) <= largest for v in corners):
        raise ValueError(f"the box must lie within {largest:g}, got {', '.join(f'{v:g}' for v in corners)}")
    if x2 < x1 or y2 < y1:
        raise ValueError(f"the box must not have negative sides, got {x2 - x1:g} x {y2 - y1:g}")
    return corners


def certainty(value: float) -> float:
    """A score from 0 to 1. Raises `ValueError`."""
    if not 0 <= value <= 1:
        raise ValueError(f"the score must be from 0 to 1, got {value:g}")
    return value


def picture_size(width: float, height: float) -> tuple[int, int]:
    """A (width, height) in whole pixels. Raises `ValueError`."""
    if not (1 <= width <= LARGEST and 1 <= height <= LARGEST and width == int(width) and height == int(height)):
        raise ValueError(f"the size must be whole pixels from 1 to {LARGEST:g}, got {width:g} x {height:g}")
    return int(width), int(height)


def regions(
    boxes: Sequence[tuple[float, float, float, float]],
    scores: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    tracks: Sequence[int | None] | None = None,
) -> Regions:
    """Regions from rows. Without a score a box is certain; tracks stay only where every box has one."""
    score = np.ones(len(boxes), np.float32) if scores is None else np.array(scores, np.float32)
    plain = labels is None or all(label == FACE for label in labels)
    known = [track for track in tracks or () if track is not None]
    return Regions(
        np.array(boxes, np.float32).reshape(-1, 4),
        score,
        track=np.array(known, np.int64) if known and len(known) == len(boxes) else None,
        label=None if plain else np.array(labels, np.str_),
    )


def expect_name(name: str) -> str:
    """The name of a picture, with forward slashes. Raises `ValueError` where there is none."""
    if not name.strip() or "\0" in name:
        raise ValueError("the name of the picture is missing")
    return name.replace("\\", "/")


def expect_once(path: Path, pictures: Sequence[Labelled]) -> None:
    """Raises where one picture, or one frame of it, is annotated twice: nobody can tell which is meant."""
    seen: dict[tuple[str, int | None], str] = {}
    for one in pictures:
        key = (one.name, one.frame)
        if key in seen:
            frame = "" if one.frame is None else f"frame {one.frame} of "
            raise wrong(path, one.place, f"{frame}'{one.name}' is annotated twice (first in {seen[key]})")
        seen[key] = one.place
