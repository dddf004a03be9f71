"""FDDB's lists of ellipses: the name of a picture without its suffix, the number of its faces, a line for each.

    2002/08/11/big/img_591
    1
    123.583300 85.549500 1.265839 269.693400 161.781200  1     two radii, the angle in radians, x, y of the centre, 1

An ellipse becomes the upright box around it. The files FDDB-fold-*-ellipseList.txt of a folder are read together.

Source: Jain and Learned-Miller, FDDB: A Benchmark for Face Detection in Unconstrained Settings, 2010.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from faceveil.annotation.base import Annotations, Labelled, box, expect_name, expect_once, number, regions, wrong
from faceveil.annotation.wider import Line, blocks

PATTERN = "*ellipseList.txt"
_COLUMNS = (5, 6)


def read(path: Path) -> Annotations:
    """The annotations in one list, or in all lists of a folder. Raises `RequestError` with the line."""
    files = sorted(path.glob(PATTERN)) if path.is_dir() else [path]
    pictures = [
        _labelled(file, name, lines) for file in files for name, lines in blocks(file, lambda line: line == "0")
    ]
    expect_once(path, pictures)
    folder = path if path.is_dir() else path.parent
    return Annotations(
        path, "fddb", tuple(pictures), (folder, folder.parent, folder.parent / "originalPics", folder / "originalPics")
    )


def _labelled(path: Path, name: Line, lines: list[Line]) -> Labelled:
    boxes = []
    for n, line in lines:
        cells = line.split()
        try:
            if len(cells) not in _COLUMNS:
                raise ValueError(f"an ellipse is {_COLUMNS[0]} numbers and a 1, got {len(cells)} columns")
            boxes.append(around(*(number(cell, "a column") for cell in cells[: _COLUMNS[0]])))
        except ValueError as error:
            raise wrong(path, f"line {n}", str(error)) from None
    try:
        stated = expect_name(name[1])
    except ValueError as error:
        raise wrong(path, f"line {name[0]}", str(error)) from None
    ignored = np.array([x1 == x2 or y1 == y2 for x1, y1, x2, y2 in boxes], bool)
    return Labelled(stated, None, regions(boxes), ignored, stem=True, place=f"{path.name}, line {name[0]}")


def around(major: float, minor: float, angle: float, x: float, y: float) -> tuple[float, float, float, float]:
    """The box around an ellipse whose major radius has this angle to the x axis. Raises `ValueError`."""
    if major < 0 or minor < 0:
        raise ValueError(f"the radii must not be negative, got {major:g} and {minor:g}")
    across = math.hypot(major * math.cos(angle), minor * math.sin(angle))
    down = math.hypot(major * math.sin(angle), minor * math.cos(angle))
    return box(x - across, y - down, x + across, y + down)
