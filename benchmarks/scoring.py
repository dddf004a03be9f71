"""Scoring of face detectors on the test data, by the package's own measuring (`faceveil.evaluate`).

Ground truth is what `annotations.json` says: boxes xywh, `ignore` set for faces that count neither way. The pictures of
people with masks are not labelled completely: they count for recall alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faceveil.evaluate.match import average_precision, match
from faceveil.evaluate.tally import HEIGHTS, IOU, LOOSE_IOU, Tally
from faceveil.evaluate.truth import Truth, load
from faceveil.evaluate.truth import every as _every

__all__ = ["HEIGHTS", "IOU", "LOOSE_IOU", "Tally", "Truth", "average_precision", "every", "match", "truths"]

INCOMPLETE = "images/mask_*"


def truths(folder: Path) -> list[Truth]:
    """All pictures of `folder` (`annotations.json` beside `images/`)."""
    data = load(folder / "annotations.json", recall_only=(INCOMPLETE,))
    return [data.truth(at, said.size) for at, (said, _) in enumerate(data.pictures) if said.size is not None]


def every(items: list[Truth], limit: int | None) -> Iterator[Truth]:
    """All of them, or `limit` spread evenly."""
    yield from _every(items, limit)
