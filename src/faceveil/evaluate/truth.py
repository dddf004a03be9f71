"""What is to be found: labelled pictures with their files, whatever format says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from faceveil.annotation import Annotations, Labelled, locate
from faceveil.annotation.files import read
from faceveil.errors import InputError, RequestError
from faceveil.types import FACE, LABELS

if TYPE_CHECKING:
    from faceveil.types import Floats, Mask

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One picture: its file, its faces xyxy (n, 4), which of them are ignored, and whether every face is labelled.

    about: what is said of each face, words (n,) by "difficulty", "occlusion", "pose" and "blur".
    """

    path: Path
    xyxy: Floats
    ignored: Mask
    complete: bool = True
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def heights(self) -> Floats:
        """Height of each face in pixels, (n,)."""
        made: Floats = self.xyxy[:, 3] - self.xyxy[:, 1]
        return made


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled pictures that are there.

    pictures: each with its file. missing: names of annotated pictures that are nowhere. labels: the words that mean a
    face. recall_only: patterns of names whose pictures are not labelled completely, so that nothing in them is false.
    """

    path: Path
    format: str
    pictures: tuple[tuple[Labelled, Path], ...]
    missing: tuple[str, ...]
    labels: frozenset[str]
    recall_only: tuple[str, ...] = ()

    def truth(self, at: int, size: tuple[int, int]) -> Truth:
        """The truth about one picture, whose upright (width, height) is `size`.

        Raises:
            InputError: the annotation is about another size, or has a box outside of the picture.
        """
        said, path = self.pictures[at]
        try:
            fitted = said.in_pixels(size)
        except ValueError as error:
            raise InputError(f"{path} does not fit its annotation: {said.place} {error}") from None
        meant = np.array([label in self.labels for label in said.regions.labels.tolist()], bool)
        xyxy = fitted.regions.xyxy[meant]
        ignored = said.ignored[meant] | (xyxy[:, :2] >= xyxy[:, 2:]).any(1)
        complete = not any(fnmatch(said.name, pattern) for pattern in self.recall_only)
        return Truth(path, xyxy, ignored, complete, {key: words[meant] for key, words in said.about.items()})

    @property
    def found_labels(self) -> frozenset[str]:
        """The labels of detections that are to be judged: those that were asked for and detectors know, else faces."""
        return self.labels & frozenset(LABELS) or frozenset((FACE,))


def load(
    path: str | Path,
    *,
    images: Path | None = None,
    labels: Sequence[str] = (),
    recall_only: Sequence[str] = (),
    limit: int | None = None,
) -> Dataset:
    """The labelled pictures of an annotation file or of the folder that holds one.

    images: the folder to which the names of pictures are relative. labels: the words that mean a face; unset, "face",
    or the only one. limit: only so many pictures, spread evenly.

    Raises:
        RequestError: the annotations cannot be read, name no picture that is there, or leave open what a face is.
    """
    said = read(path)
    if images is not None and not images.is_dir():
        raise RequestError(f"there is no folder '{images}'")
    if not said.pictures:
        raise RequestError(f"{path} names no picture: there is nothing to measure")
    if any(one.frame is not None for one in said.pictures):
        raise RequestError(f"{path} is about frames of films, and pictures are measured")
    here = locate(said, [] if images is None else [images])
    if not here:
        raise RequestError(
            f"none of the {len(said.pictures)} pictures of {path} is there, such as '{said.pictures[0].name}'",
            hint="--images FOLDER tells where they are",
        )
    there = {one.name for one, _ in here}
    missing = tuple(one.name for one in said.pictures if one.name not in there)
    return Dataset(
        Path(path), said.format, tuple(every(here, limit)), missing, _meant(said, labels), tuple(recall_only)
    )


def _meant(said: Annotations, asked: Sequence[str]) -> frozenset[str]:
    """The labels that mean a face."""
    used = sorted({str(label) for one in said.pictures for label in one.regions.labels})
    unknown = [label for label in asked if label not in used]
    if unknown and used:
        raise RequestError(f"nothing in {said.path} is labelled '{unknown[0]}'", hint="known: " + ", ".join(used))
    if asked:
        return frozenset(asked)
    faces = [label for label in used if label.casefold() == FACE]
    if faces or len(used) < 2:
        return frozenset(faces or used)
    raise RequestError(f"{said.path} has the labels {', '.join(used)}: which mean a face?", hint="--label NAME")


def every(items: Sequence[_Item], limit: int | None) -> list[_Item]:
    """All of them, or `limit` spread evenly."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, limit).astype(int)]
