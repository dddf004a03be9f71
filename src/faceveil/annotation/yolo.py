"""YOLO: a folder with one text file for each picture, boxes in parts of the picture's sides.

    labels/a.txt:        class x-centre y-centre width height [score]
    labels/classes.txt:  the names of the classes, one to a line; `data.yaml` beside `labels` serves too

An empty file is a picture without faces. A picture without a file is not annotated. The size of the picture is not
told, so it cannot be checked. The score is the sixth column, as detectors of this family write it and FiftyOne reads
it; training wants five, which `scores=False` writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from faceveil.annotation.base import (
    Annotations,
    Labelled,
    box,
    certainty,
    expect_once,
    number,
    regions,
    text_of,
    whole,
    wrong,
)
from faceveil.errors import RequestError
from faceveil.policy import read_yaml
from faceveil.types import FACE

CLASSES = "classes.txt"
RELATIVE = 3.0  # sides; what lies further out is no part of the picture
_COLUMNS = (5, 6)


_ROW = re.compile(r"\s*\d+(\s+[-+.\deE]+){4,5}\s*")


def is_labels(folder: Path) -> bool:
    """Whether a folder looks like one of labels: by its name, its list of classes, or the first line in it."""
    if folder.name == "labels" or (folder / CLASSES).is_file():
        return True
    for path in sorted(folder.rglob("*.txt")):
        with suppress(OSError), path.open("rb") as file:
            if _ROW.fullmatch(file.readline(200).decode("ascii", "replace")):
                return True
    return False


def read(folder: Path) -> Annotations:
    """The annotations in a folder of labels, or in the folder that holds `labels`. Raises `RequestError` with the line.

    Pictures are looked for in `images` beside `labels`, and among the labels themselves.
    """
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    names = _classes(labels)
    files = sorted(path for path in labels.rglob("*.txt") if path != labels / CLASSES)
    pictures = [_labelled(path, path.relative_to(labels).with_suffix("").as_posix(), names) for path in files]
    expect_once(folder, pictures)
    return Annotations(folder, "yolo", tuple(pictures), (labels.parent / "images", labels, labels.parent))


def _labelled(path: Path, name: str, names: dict[int, str]) -> Labelled:
    boxes, labels, scores = [], [], []
    for n, line in enumerate(text_of(path).splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        try:
            if len(cells) not in _COLUMNS:
                raise ValueError(f"a box is 'class x y width height [score]', got {len(cells)} columns")
            x, y, width, height = (number(cell, "a place") for cell in cells[1:5])
            boxes.append(box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, RELATIVE))
            labels.append(_name(whole(cells[0], "the class"), names))
            scores.append(certainty(number(cells[5], "the score")) if len(cells) == max(_COLUMNS) else 1.0)
        except ValueError as error:
            raise wrong(path, f"line {n}", str(error)) from None
    return Labelled(name, None, regions(boxes, scores, labels), relative=True, stem=True, place=str(path))


def _name(number_: int, names: dict[int, str]) -> str:
    if not names and number_ == 0:
        return FACE
    if number_ not in names:
        known = f"the {len(names)} classes" if names else f"a single class without a {CLASSES}"
        raise ValueError(f"class {number_} is not among {known}")
    return names[number_]


def _classes(labels: Path) -> dict[int, str]:
    """The names of the classes by number; none where nobody names them."""
    if (labels / CLASSES).is_file():
        lines = [line.strip() for line in text_of(labels / CLASSES).splitlines()]
        return {i: line for i, line in enumerate(lines) if line}
    for name in ("data.yaml", "data.yml", "dataset.yaml"):
        if (labels.parent / name).is_file():
            return _named(labels.parent / name, read_yaml(labels.parent / name).get("names"))
    return {}


def _named(path: Path, names: Any) -> dict[int, str]:
    pairs = enumerate(names) if isinstance(names, list) else names.items() if isinstance(names, dict) else None
    if pairs is None:
        raise wrong(path, "names", "the classes must be a list, or numbers with names")
    named = dict(pairs)
    if not all(isinstance(i, int) and isinstance(name, str) for i, name in named.items()):
        raise wrong(path, "names", "the classes must be a list, or numbers with names")
    return named


# --- writing -------------------------------------------------------------------------------------------------------


def parts(one: Labelled) -> list[tuple[float, float, float, float]]:
    """The corners of each box in parts of the picture's sides. Raises `RequestError` without the picture's size."""
    if one.relative:
        return [(float(a), float(b), float(c), float(d)) for a, b, c, d in one.regions.xyxy]
    if one.size is None:
        raise RequestError(f"boxes in parts of the picture need the size of '{one.name}'")
    width, height = one.size
    return [
        (float(a) / width, float(b) / height, float(c) / width, float(d) / height) for a, b, c, d in one.regions.xyxy
    ]


def encode(pictures: Sequence[Labelled], *, scores: bool) -> dict[str, bytes]:
    """The files of a folder of labels, by relative name."""
    labels = list(dict.fromkeys([FACE, *(str(label) for one in pictures for label in one.regions.labels)]))
    files = {CLASSES: ("\n".join(labels) + "\n").encode()}
    for one in pictures:
        name = Path(one.name).with_suffix(".txt").as_posix()
        rows = []
        for i, (x1, y1, x2, y2) in enumerate(parts(one)):
            cells = [f"{v:.6f}" for v in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)]
            cells += [f"{one.regions.score[i]:.4f}"] if scores else []
            rows.append(" ".join([str(labels.index(str(one.regions.labels[i]))), *cells]))
        files[name] = "".join(row + "\n" for row in rows).encode()
    return files
