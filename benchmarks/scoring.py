"""Scoring of face detectors, the COCO way: own code, numpy only.

Ground truth is what `annotations.json` says: boxes xywh, `ignore` set for faces that count neither way. Detections are
matched in order of score, each to the free face with the highest IoU. A detection that matches only an ignored face is
left out; the rest are false positives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from faceveil.detect import boxes
from faceveil.types import Regions

HEIGHTS = (12, 20, 40)
IOU, LOOSE_IOU = 0.5, 0.4


@dataclass(frozen=True)
class Truth:
    """One picture: its file, its faces xyxy (n, 4), which of them are ignored, and whether every face is labelled."""

    path: Path
    xyxy: Any
    ignored: Any
    complete: bool


def truths(folder: Path) -> list[Truth]:
    """All pictures of `folder` (`annotations.json` beside `images/`). The face-mask pictures are not complete."""
    coco = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    faces: dict[int, list[Any]] = {image["id"]: [] for image in coco["images"]}
    for face in coco["annotations"]:
        faces[face["image_id"]].append(face)
    made = []
    for image in coco["images"]:
        xywh = np.array([face["bbox"] for face in faces[image["id"]]], np.float32).reshape(-1, 4)
        xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)
        ignored = np.array([bool(face["ignore"]) for face in faces[image["id"]]], bool)
        made.append(Truth(folder / image["file_name"], xyxy, ignored, image["source"].startswith("WIDER")))
    return made


@dataclass
class Tally:
    """What was found over many pictures."""

    heights: list[Any] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)
    found_loosely: list[Any] = field(default_factory=list)
    scores: list[Any] = field(default_factory=list)
    hits: list[Any] = field(default_factory=list)
    pictures: int = 0
    faces: int = 0

    def add(self, truth: Truth, regions: Regions) -> None:
        """Count one picture."""
        matched, hit, counts = match(truth, regions, IOU)
        loosely = match(truth, regions, LOOSE_IOU)[0]
        real = ~truth.ignored
        self.heights.append((truth.xyxy[:, 3] - truth.xyxy[:, 1])[real])
        self.found.append(matched[real])
        self.found_loosely.append(loosely[real])
        if truth.complete:
            self.pictures += 1
            self.faces += int(real.sum())
            self.scores.append(regions.score[counts])
            self.hits.append(hit[counts])

    def figures(self) -> dict[str, float]:
        """Recall at each height and IoU, AP at IoU .5, false positives per picture."""
        heights = np.concatenate(self.heights)
        figures = {}
        for name, found in (("recall", self.found), ("recall_iou40", self.found_loosely)):
            flags = np.concatenate(found)
            for least in HEIGHTS:
                figures[f"{name}_{least}"] = float(flags[heights >= least].mean())
        scores, hits = np.concatenate(self.scores), np.concatenate(self.hits)
        figures["ap"] = average_precision(scores, hits, self.faces)
        figures["false_per_picture"] = float((~hits).sum() / max(self.pictures, 1))
        return {name: round(value, 4) for name, value in figures.items()}


def match(truth: Truth, regions: Regions, limit: float) -> tuple[Any, Any, Any]:
    """Which faces were matched (n,), which detections hit a face (m,), and which detections count at all (m,)."""
    iou = boxes.overlap(regions.xyxy, truth.xyxy)
    matched = np.zeros(len(truth.xyxy), bool)
    hit, counts = np.zeros(len(regions), bool), np.ones(len(regions), bool)
    for i in np.argsort(-regions.score, kind="stable"):
        free = np.where(matched | truth.ignored, 0, iou[i])
        if len(free) and free.max() >= limit:
            matched[free.argmax()] = True
            hit[i] = True
        elif (iou[i][truth.ignored] >= limit).any():
            counts[i] = False
    return matched, hit, counts


def average_precision(scores: Any, hits: Any, faces: int) -> float:
    """Area under the interpolated precision-recall curve, all points."""
    if not faces or not len(scores):
        return 0.0
    ordered = hits[np.argsort(-scores, kind="stable")]
    true = ordered.cumsum()
    recall = np.concatenate([[0], true / faces])
    precision = np.maximum.accumulate((true / np.arange(1, len(true) + 1))[::-1])[::-1]
    return float((np.diff(recall) * precision).sum())


def every(items: list[Truth], limit: int | None) -> Iterator[Truth]:
    """All of them, or `limit` spread evenly."""
    if limit is None or limit >= len(items):
        yield from items
        return
    yield from (items[i] for i in np.linspace(0, len(items) - 1, limit).astype(int))
