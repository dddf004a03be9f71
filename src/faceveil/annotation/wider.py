"""WIDER FACE's list: the name of a picture, the number of its faces, and a line for each.

    0--Parade/0_Parade_marchingband_1_849.jpg
    1
    449 330 122 149 0 0 0 0 0 0       x y width height blur expression illumination invalid occlusion pose

Four numbers do as well. A picture without faces has the number 0 and, in WIDER's own files, one line of zeros. Invalid
faces, and those without area, are ignored. Neither sizes nor scores have a place here; pixels are whole.

Source: readme of wider_face_split (shuoyang1213.me/WIDERFACE).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faceveil.annotation.base import (
    MEANINGS,
    Annotations,
    Labelled,
    box,
    expect_name,
    expect_once,
    number,
    regions,
    text_of,
    whole,
    wrong,
)
from faceveil.errors import RequestError

_SHORT, _FULL = 4, 10
_PLACES = {"blur": 4, "occlusion": 8, "pose": 9}
_INVALID = 7
_ZEROS = re.compile(r"0(\s+0){3}((\s+0){6})?")

Line = tuple[int, str]
"""The number of a line, from 1, and what is in it."""


def read(path: Path) -> Annotations:
    """The annotations in such a list. Raises `RequestError` with the line."""
    pictures = [
        _labelled(path, name, rows) for name, rows in blocks(path, lambda line: _ZEROS.fullmatch(line) is not None)
    ]
    expect_once(path, pictures)
    folder = path.parent
    beside = [folder.parent / f"WIDER_{part}" / "images" for part in ("val", "train", "test")]
    return Annotations(path, "wider", tuple(pictures), (folder, folder / "images", folder.parent / "images", *beside))


def blocks(path: Path, is_filler: Any) -> list[tuple[Line, list[Line]]]:
    """Each name with the lines of its faces. is_filler: tells a line that stands for no face. Raises `RequestError`."""
    lines = [(n, line.strip()) for n, line in enumerate(text_of(path).splitlines(), 1) if line.strip()]
    made, at = [], 0
    while at < len(lines):
        name = lines[at]
        if at + 1 == len(lines):
            raise wrong(path, f"line {name[0]}", f"the file ends where the number of faces of '{name[1]}' should be")
        try:
            count = whole(lines[at + 1][1], "the number of faces")
        except ValueError as error:
            raise wrong(path, f"line {lines[at + 1][0]}", str(error)) from None
        at += 2
        if at + count > len(lines):
            raise wrong(path, f"line {name[0]}", f"'{name[1]}' has {count} faces, and the file ends before the last")
        made.append((name, lines[at : at + count]))
        at += count
        if not count and at < len(lines) and is_filler(lines[at][1]):
            at += 1
    return made


def _labelled(path: Path, name: Line, lines: list[Line]) -> Labelled:
    boxes, rows = [], []
    for n, line in lines:
        cells = line.split()
        try:
            if len(cells) not in (_SHORT, _FULL):
                raise ValueError(f"a face is {_SHORT} or {_FULL} numbers, got {len(cells)}")
            row = [number(cell, "a column") for cell in cells]
            boxes.append(box(row[0], row[1], row[0] + row[2], row[1] + row[3]))
            rows.append(row)
        except ValueError as error:
            raise wrong(path, f"line {n}", str(error)) from None
    try:
        stated = expect_name(name[1])
    except ValueError as error:
        raise wrong(path, f"line {name[0]}", str(error)) from None
    ignored = [0 in row[2:_SHORT] or (len(row) == _FULL and row[_INVALID] == 1) for row in rows]
    return Labelled(
        name=stated,
        regions=regions(boxes),
        ignored=np.array(ignored, bool),
        about={key: np.array([_word(key, row) for row in rows], np.str_) for key in _PLACES if rows},
        place=f"line {name[0]}",
    )


def _word(key: str, row: list[float]) -> str:
    if len(row) < _FULL:
        return ""
    value, known = row[_PLACES[key]], MEANINGS[key]
    return known[int(value)] if value in range(len(known)) else f"{value:g}"


def encode(pictures: Sequence[Labelled]) -> bytes:
    """Such a list. Boxes are rounded outward: what is covered by them stays covered."""
    made = []
    for one in pictures:
        if "\n" in one.name or "\r" in one.name:
            raise RequestError(f"'{one.name!r}' has a line end in its name", hint="write COCO, which can hold it")
        made += [one.name, str(len(one.regions))]
        for x1, y1, x2, y2 in one.regions.xyxy.tolist():
            left, top = math.floor(x1), math.floor(y1)
            made.append(f"{left} {top} {math.ceil(x2) - left} {math.ceil(y2) - top} 0 0 0 0 0 0")
    return ("\n".join(made) + "\n" if made else "").encode()
