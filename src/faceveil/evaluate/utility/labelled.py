"""Pictures with one label each, from the layouts that classification sets come in.

- a folder for each class: `CLASS/*.jpg`; as in ImageNet also `train/CLASS/*.jpg` beside `val/CLASS/*.jpg`
- a CSV file with the columns file and label, and perhaps split (train, val or test)
- a COCO file whose picture records hold the label in a field of their own, which must be named (`event`, `scene`)
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.people import PICTURES, twin, twins

TESTED = ("val", "test", "validation")
"""Names of the part of a set that a model is tested on; `train` is the other."""
FEWEST = 6
"""Pictures of a class that can be learned and tested; classes with fewer are left out, and named."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file and its class.

    tested: whether the set itself has it for testing, None where it does not say. made: what other tools made of it.
    """

    file: Path
    label: str
    tested: bool | None = None
    made: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures and their classes.

    layout: in words. names: the classes, in alphabetical order. split: whether the set says what is tested on.
    left_out: files that count nowhere, each with the reason.
    """

    path: Path
    layout: str
    pictures: tuple[Picture, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(sorted({picture.label for picture in self.pictures}))

    @property
    def split(self) -> bool:
        """Whether the set itself says what is learned from and what is tested on."""
        return any(picture.tested is not None for picture in self.pictures)


def load(path: Path, *, field: str | None = None, images: Path | None = None) -> Labelled:
    """The labelled pictures of a folder, a CSV file or a COCO file.

    field: of the picture records of a COCO file. images: the folder to which names in a file are relative.

    Raises `RequestError` where nothing can be learned: it says what is missing.
    """
    if not path.exists():
        raise RequestError(f"there is no '{path}'")
    if path.is_dir():
        return _enough(path, "a folder for each class", *_of_folder(path))
    root = images or path.parent
    if path.suffix.lower() == ".json":
        return _enough(path, f"COCO, by '{field}'", _of_coco(path, field, root), ())
    return _enough(path, "CSV", _of_csv(path, root), ())


def beside(labelled: Labelled, root: Path, folder: Path) -> Labelled:
    """The same with what another tool has made of each picture, by their names below both folders.

    Pictures without it are left out. Raises `RequestError`.
    """
    there = twins(folder)
    kept, lost = [], []
    for picture in labelled.pictures:
        made = twin(picture.file.relative_to(root), there)
        if made is None:
            lost.append((str(picture.file), f"has no picture in '{folder}'"))
        else:
            kept.append(replace(picture, made=(*picture.made, made)))
    return _enough(labelled.path, labelled.layout, kept, (*labelled.left_out, *lost))


# --- layouts --------------------------------------------------------------------------------------------------------


def _of_folder(path: Path) -> tuple[list[Picture], list[tuple[str, str]]]:
    parts = {name: path / name for name in ("train", *TESTED) if (path / name).is_dir()}
    if "train" in parts and len(parts) > 1:
        split = [picture for name, part in parts.items() for picture in _classes(part, part, tested=name != "train")]
        return split, []
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix.lower() in PICTURES]
    return _classes(path, path), [(str(file), "lies beside the folders of classes") for file in files]


def _classes(root: Path, folder: Path, *, tested: bool | None = None) -> list[Picture]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and file.is_file())
    return [Picture(file, file.relative_to(root).parts[0], tested) for file in files if file.parent != root]


def _of_csv(path: Path, root: Path) -> list[Picture]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"cannot read the labels {path}: {error}") from None
    made = []
    for number, row in enumerate(rows, 2):
        name, label, split = (str(row.get(key) or "").strip() for key in ("file", "label", "split"))
        if not (name and label) or split not in ("", "train", *TESTED):
            raise RequestError(
                f"{path}, line {number}: it needs the columns file and label, and split may be train, val or test"
            )
        made.append(Picture(root / name, label, split != "train" if split else None))
    return made


def _of_coco(path: Path, field: str | None, root: Path) -> list[Picture]:
    try:
        told: Any = json.loads(path.read_bytes())
        records = [dict(record) for record in told["images"]]
        names = [str(record["file_name"]) for record in records]
    except OSError as error:
        raise RequestError(f"cannot read the labels {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(f"{path} is no COCO file: it needs 'images' with a 'file_name' each") from None
    known = sorted({key for record in records for key in record if key not in ("id", "file_name", "width", "height")})
    if field is None or field not in known:
        what = "which field holds the label?" if field is None else f"no picture of {path} has a field '{field}'"
        raise RequestError(what, hint=f"--label NAME, of {', '.join(known) or 'none: the file has no other fields'}")
    rows = zip(records, names, strict=True)
    return [Picture(root / name, str(record[field])) for record, name in rows if record.get(field) is not None]


# --- enough of them -------------------------------------------------------------------------------------------------


def _enough(path: Path, layout: str, pictures: Sequence[Picture], beside: Iterable[tuple[str, str]]) -> Labelled:
    """The pictures without those of classes that are too small. Raises `RequestError` where nothing is left."""
    missing = [picture.file for picture in pictures if not picture.file.is_file()]
    if missing:
        raise RequestError(
            f"{len(missing)} of the {len(pictures)} pictures of {path} are not there, such as '{missing[0]}'",
            hint="--images FOLDER tells where they are",
        )
    counts = Counter(picture.label for picture in pictures)
    both = {picture.label for picture in pictures if picture.tested} & {p.label for p in pictures if not p.tested}
    split = any(picture.tested is not None for picture in pictures)
    large = {label for label, count in counts.items() if count >= FEWEST and (not split or label in both)}
    if len(large) < 2:
        sizes = ", ".join(f"{label} {count}" for label, count in counts.most_common(5)) or "none"
        raise RequestError(
            f"'{path}' has {len(large)} classes of at least {FEWEST} pictures: a model needs two to tell apart "
            f"(the largest: {sizes})"
        )
    small = [
        (str(p.file), f"is of the class '{p.label}', which is too small") for p in pictures if p.label not in large
    ]
    return Labelled(path, layout, tuple(p for p in pictures if p.label in large), (*beside, *small))
