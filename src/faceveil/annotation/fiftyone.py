"""FiftyOne's own JSON of detections (`FiftyOneImageDetectionDataset`): boxes in parts of the picture's sides.

    {"classes": ["face"], "labels": {"sub/a": [{"label": "face", "bounding_box": [0.1, 0.2, 0.3, 0.4],
                                                "confidence": 0.97}], "b": null}}

Pictures are named without their suffix. Their size is not told, so it cannot be checked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from faceveil.annotation.base import Annotations, Labelled, box, expect_name, expect_once, explained, regions, wrong
from faceveil.annotation.coco import load_json
from faceveil.annotation.yolo import RELATIVE, parts
from faceveil.types import FACE

_Part = Annotated[float, Strict(), Field(ge=-RELATIVE, le=RELATIVE)]


class _Detection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    label: Annotated[str, Strict(), Field(min_length=1)] | Annotated[int, Strict()]
    bounding_box: list[_Part] = Field(min_length=4, max_length=4)
    confidence: float | None = Field(None, ge=0, le=1, strict=True)


class _Dataset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    classes: list[str] | None = None
    labels: dict[str, list[_Detection] | None]


def read(path: Path, content: Any = None) -> Annotations:
    """The annotations in such a file; `content` where it was parsed already. Raises `RequestError` with the field."""
    try:
        dataset = _Dataset.model_validate(load_json(path) if content is None else content)
    except ValidationError as error:
        raise explained(path, error) from None
    pictures = []
    for name, found in dataset.labels.items():
        place = f"labels.{name}"
        try:
            boxes = [box(x, y, x + w, y + h, RELATIVE) for x, y, w, h in (one.bounding_box for one in found or ())]
            labels = [_word(one.label, dataset.classes) for one in found or ()]
            scores = [1.0 if one.confidence is None else one.confidence for one in found or ()]
            pictures.append(
                Labelled(expect_name(name), None, regions(boxes, scores, labels), relative=True, stem=True, place=place)
            )
        except ValueError as error:
            raise wrong(path, place, str(error)) from None
    expect_once(path, pictures)
    folder = path.parent
    return Annotations(path, "fiftyone", tuple(pictures), (folder, folder / "data", folder / "images"))


def _word(label: str | int, classes: list[str] | None) -> str:
    """The label; numbers point into the classes."""
    if isinstance(label, str):
        return label
    if classes is None or not 0 <= label < len(classes):
        raise ValueError(f"there is no class {label}")
    return classes[label]


def encode(pictures: Sequence[Labelled], *, scores: bool) -> bytes:
    """Such a file."""
    labels = list(dict.fromkeys([FACE, *(str(label) for one in pictures for label in one.regions.labels)]))
    rows: dict[str, Any] = {}
    for one in pictures:
        found = []
        for i, (x1, y1, x2, y2) in enumerate(parts(one)):
            detection: dict[str, Any] = {"label": str(one.regions.labels[i])}
            detection["bounding_box"] = [round(v, 6) for v in (x1, y1, x2 - x1, y2 - y1)]
            if scores:
                detection["confidence"] = round(float(one.regions.score[i]), 4)
            found.append(detection)
        rows[str(Path(one.name).with_suffix("").as_posix())] = found
    return json.dumps({"classes": labels, "labels": rows}, indent=1).encode() + b"\n"
