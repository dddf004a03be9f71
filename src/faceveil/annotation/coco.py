"""COCO: one JSON file of images, annotations and categories. The format that most tools read and write.

A frame of a film is an image called `clip.mp4#12` with a field `frame`; without that field the name is taken as it
stands. `score` and `track_id` of an annotation are read, and so are the fields of a ground truth: `ignore`, `iscrowd`,
`difficulty`, `occlusion`, `pose` and `blur`. FiftyOne reads the file as `COCODetectionDataset`, scores included.

Source: the data format of cocodataset.org; x and y begin at the picture's top left corner, boxes are half-open.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from faceveil.annotation.base import (
    ABOUT,
    MEANINGS,
    Annotations,
    Labelled,
    box,
    expect_name,
    expect_once,
    explained,
    picture_size,
    regions,
    text_of,
    wrong,
)
from faceveil.errors import RequestError
from faceveil.types import FACE

_Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Whole = Annotated[int, Strict(), Field(ge=0, lt=1 << 53)]
_Id = Annotated[int, Strict()] | Annotated[str, Strict()]
_LENIENT = ConfigDict(frozen=True, extra="ignore")  # files of other tools hold much else


class _Image(BaseModel):
    model_config = _LENIENT
    id: _Id
    file_name: Annotated[str, Strict()]
    width: _Number | None = None
    height: _Number | None = None
    frame: _Whole | None = None


class _Face(BaseModel):
    model_config = _LENIENT
    image_id: _Id
    category_id: _Id | None = None
    bbox: list[_Number] = Field(min_length=4, max_length=4)
    score: float | None = Field(None, ge=0, le=1, strict=True)
    track_id: _Whole | None = None
    ignore: bool | int | None = None
    iscrowd: bool | int | None = None
    difficulty: str | int | None = None
    occlusion: str | int | None = None
    pose: str | int | None = None
    blur: str | int | None = None


class _Category(BaseModel):
    model_config = _LENIENT
    id: _Id
    name: Annotated[str, Strict(), Field(min_length=1)]


class _Coco(BaseModel):
    model_config = _LENIENT
    images: list[_Image]
    annotations: list[_Face] = []
    categories: list[_Category] = []


# --- reading -------------------------------------------------------------------------------------------------------


def load_json(path: Path) -> Any:
    """What a JSON file holds. Raises `RequestError` with the line."""
    try:
        return json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise wrong(path, f"line {error.lineno}", f"is not JSON ({error.msg} at column {error.colno})") from None
    except (RecursionError, ValueError):
        raise wrong(path, "", "is not JSON (brackets or digits without end)") from None


def read(path: Path, content: Any = None) -> Annotations:
    """The annotations in a COCO file; `content` where it was parsed already. Raises `RequestError` with the field."""
    try:
        coco = _Coco.model_validate(load_json(path) if content is None else content)
    except ValidationError as error:
        raise explained(path, error) from None
    names = {category.id: category.name for category in coco.categories}
    by_image: dict[int | str, list[tuple[str, _Face]]] = {}
    for i, image in enumerate(coco.images):
        if image.id in by_image:
            raise wrong(path, f"images.{i}", f"the id {image.id} is given twice")
        by_image[image.id] = []
    for i, face in enumerate(coco.annotations):
        place = f"annotations.{i}"
        if face.image_id not in by_image:
            raise wrong(path, place, f"there is no image with the id {face.image_id}")
        if face.category_id is not None and names and face.category_id not in names:
            raise wrong(path, place, f"there is no category with the id {face.category_id}")
        by_image[face.image_id].append((place, face))
    pictures = [_labelled(path, f"images.{i}", one, by_image[one.id], names) for i, one in enumerate(coco.images)]
    expect_once(path, pictures)
    folder = path.parent
    return Annotations(path, "coco", tuple(pictures), (folder, folder / "images", folder.parent / "images"))


def _labelled(
    path: Path, place: str, image: _Image, faces: list[tuple[str, _Face]], names: dict[int | str, str]
) -> Labelled:
    try:
        name = expect_name(image.file_name)
        if image.frame is not None:
            name = name.removesuffix(f"#{image.frame}")
        size = None
        if image.width is not None and image.height is not None:
            size = picture_size(image.width, image.height)
    except ValueError as error:
        raise wrong(path, place, str(error)) from None
    boxes = []
    for where, face in faces:
        x, y, width, height = face.bbox
        try:
            boxes.append(box(x, y, x + width, y + height))
        except ValueError as error:
            raise wrong(path, f"{where}.bbox", str(error)) from None
    found = [face for _, face in faces]
    return Labelled(
        name=name,
        size=size,
        regions=regions(
            boxes,
            [1.0 if face.score is None else face.score for face in found],
            [_label(names, face.category_id) for face in found],
            [face.track_id for face in found],
        ),
        ignored=np.array([bool(face.ignore) or bool(face.iscrowd) for face in found], bool),
        about=_about(found),
        frame=image.frame,
        place=place,
    )


def _label(names: dict[int | str, str], category: int | str | None) -> str:
    return FACE if category is None or not names else names[category]


def _about(faces: list[_Face]) -> dict[str, Any]:
    said = {key: [_word(key, getattr(face, key)) for face in faces] for key in ABOUT}
    return {key: np.array(words, np.str_) for key, words in said.items() if any(words)}


def _word(key: str, value: str | int | None) -> str:
    """What is said of a face, as a word; WIDER's numbers have theirs."""
    if value is None:
        return ""
    known = MEANINGS.get(key, ())
    return known[value] if isinstance(value, int) and 0 <= value < len(known) else str(value)


# --- writing -------------------------------------------------------------------------------------------------------


def encode(pictures: Sequence[Labelled], *, scores: bool, made_by: str) -> bytes:
    """A COCO file. Every picture needs its size."""
    labels = list(dict.fromkeys([FACE, *(str(label) for one in pictures for label in one.regions.labels)]))
    images: list[dict[str, Any]] = []
    faces: list[dict[str, Any]] = []
    for number, one in enumerate(pictures, 1):
        if one.size is None:
            raise RequestError(f"COCO needs the size of '{one.name}'")
        image: dict[str, Any] = {"id": number, "file_name": one.name, "width": one.size[0], "height": one.size[1]}
        if one.frame is not None:
            image |= {"file_name": f"{one.name}#{one.frame}", "frame": one.frame}
        images.append(image)
        for i, label in enumerate(one.regions.labels):
            faces.append({"id": len(faces) + 1, "image_id": number, **_face(one, i, labels.index(label) + 1, scores)})
    made = {
        "info": {"description": f"Boxes in pixels of the upright pictures, by {made_by}. Personal data."},
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, 1)],
        "images": images,
        "annotations": faces,
    }
    rows = {key: _lines(made[key]) for key in ("categories", "images", "annotations")}
    lists = ",\n".join(f' "{key}": {text}' for key, text in rows.items())
    return f'{{\n "info": {json.dumps(made["info"])},\n{lists}\n}}\n'.encode()


def _face(one: Labelled, i: int, category: int, scores: bool) -> dict[str, Any]:
    x1, y1, x2, y2 = (float(v) for v in one.regions.xyxy[i])
    width, height = x2 - x1, y2 - y1
    face: dict[str, Any] = {
        "category_id": category,
        "bbox": [round(v, 2) for v in (x1, y1, width, height)],
        "area": round(width * height, 2),
        "iscrowd": 0,
    }
    if scores:
        face["score"] = round(float(one.regions.score[i]), 4)
    if one.regions.track is not None:
        face["track_id"] = int(one.regions.track[i])
    return face


def _lines(rows: Any) -> str:
    """A list with one entry to a line: people and diffs read such files."""
    return "[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n ]" if rows else "[]"
