"""CSV: one line for each box, for spreadsheets.

    file,frame,width,height,x1,y1,x2,y2,score,label,track
    a.jpg,,640,480,12.5,30,60,92.25,0.97,face,
    b.jpg,,640,480,,,,,,,                      a picture without faces

Needed are `file` and the four corners; the other columns may be missing, and unknown ones are passed over. Commas,
semicolons and tabs separate; numbers have a point.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faceveil.annotation.base import (
    Annotations,
    Labelled,
    box,
    certainty,
    expect_name,
    number,
    picture_size,
    regions,
    text_of,
    whole,
    wrong,
)
from faceveil.types import FACE

COLUMNS = ("file", "frame", "width", "height", "x1", "y1", "x2", "y2", "score", "label", "track")
_CORNERS = ("x1", "y1", "x2", "y2")


@dataclass(slots=True)
class _Rows:
    """What the lines of one picture say."""

    place: str
    size: tuple[int, int] | None
    empty: bool = False
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    tracks: list[int | None] = field(default_factory=list)


def read(path: Path) -> Annotations:
    """The annotations in a CSV file. Raises `RequestError` with the line."""
    text = text_of(path)
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    pictures: dict[tuple[str, int | None], _Rows] = {}
    try:
        missing = [name for name in ("file", *_CORNERS) if name not in (reader.fieldnames or ())]
        if missing:
            raise wrong(path, "line 1", f"there is no column '{missing[0]}'", hint=f"known: {', '.join(COLUMNS)}")
        for row in reader:
            try:
                _add(pictures, {key: (row.get(key) or "").strip() for key in COLUMNS}, f"line {reader.line_num}")
            except ValueError as error:
                raise wrong(path, f"line {reader.line_num}", str(error)) from None
    except csv.Error as error:
        raise wrong(path, f"line {reader.line_num + 1}", f"is not CSV ({error})") from None
    made = tuple(
        Labelled(
            name, rows.size, regions(rows.boxes, rows.scores, rows.labels, rows.tracks), frame=frame, place=rows.place
        )
        for (name, frame), rows in pictures.items()
    )
    return Annotations(path, "csv", made, (path.parent, path.parent / "images"))


def _add(pictures: dict[tuple[str, int | None], _Rows], row: dict[str, str], place: str) -> None:
    """Take one line. Raises `ValueError` for what is wrong in it."""
    name = expect_name(row["file"])
    frame = whole(row["frame"], "frame") if row["frame"] else None
    size = None
    if row["width"] or row["height"]:
        size = picture_size(number(row["width"], "width"), number(row["height"], "height"))
    rows = pictures.setdefault((name, frame), _Rows(place, size))
    if rows.size != size:
        raise ValueError(f"'{name}' has another size here than in {rows.place}")
    corners = [row[key] for key in _CORNERS]
    empty = not any(corners)
    if rows.empty or (empty and rows.boxes):
        raise ValueError(f"'{name}' is annotated with no face and with faces")
    if empty:
        rows.empty = True
        return
    x1, y1, x2, y2 = (number(row[key], key) for key in _CORNERS)
    rows.boxes.append(box(x1, y1, x2, y2))
    rows.scores.append(certainty(number(row["score"], "score")) if row["score"] else 1.0)
    rows.labels.append(row["label"] or FACE)
    rows.tracks.append(whole(row["track"], "track") if row["track"] else None)


def encode(pictures: Sequence[Labelled], *, scores: bool) -> bytes:
    """Such a file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in pictures:
        head = [one.name, "" if one.frame is None else one.frame, *(one.size or ("", ""))]
        if not len(one.regions):
            writer.writerow([*head, *[""] * (len(COLUMNS) - len(head))])
        for i, xyxy in enumerate(one.regions.xyxy.tolist()):
            score = round(float(one.regions.score[i]), 4) if scores else ""
            track = "" if one.regions.track is None else int(one.regions.track[i])
            writer.writerow([*head, *(round(v, 2) for v in xyxy), score, str(one.regions.labels[i]), track])
    return out.getvalue().encode()
