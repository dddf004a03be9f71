"""What programs read: the figures with all that is needed to make them again."""

from __future__ import annotations

import csv
import io
import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from faceveil import __version__
from faceveil.evaluate.gauge import IOUS, SIZES
from faceveil.evaluate.intervals import RESAMPLES
from faceveil.evaluate.run import Looked
from faceveil.evaluate.summary import Figure, Row
from faceveil.evaluate.truth import Dataset

PERSONAL = "Personal data: names of pictures and faces of people. Keep it as you keep the pictures."
_PARTS = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")
COLUMNS = "detector measure group iou n value low high difference difference_low difference_high".split()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that a report tells. names: short names of the detectors, as they were asked for."""

    data: Dataset
    looked: Looked
    rows: tuple[Row, ...]
    names: tuple[str, ...]
    remarks: tuple[str, ...]
    command: str = ""
    seed: int = 0
    resamples: int = RESAMPLES
    sizes: tuple[int, ...] = SIZES

    def about(self) -> dict[str, Any]:
        """Where the figures come from."""
        truths = self.looked.truths
        return {
            "made": {
                "faceveil": __version__,
                "python": platform.python_version(),
                **{part: _version(part) for part in _PARTS},
                "machine": f"{platform.system()} {platform.machine()}",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            "command": self.command,
            "data": {
                "path": str(self.data.path),
                "format": self.data.format,
                "sha256": self.looked.digest,
                "pictures": len(truths),
                "labelled_completely": sum(truth.complete for truth in truths),
                "faces": sum(int((~truth.ignored).sum()) for truth in truths),
                "ignored_faces": sum(int(truth.ignored.sum()) for truth in truths),
                "not_there": list(self.data.missing),
                "failed": [{"file": file, "reason": reason} for file, reason in self.looked.failed],
            },
            "settings": {
                "ious": list(IOUS),
                "sizes": list(self.sizes),
                "intervals": f"95 %, percentiles of {self.resamples} bootstrap draws of pictures",
                "seed": self.seed,
                "ms": "processor time of one thread, without reading the file",
            },
            "remarks": list(self.remarks),
        }


def _version(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return "not installed"


def as_json(made: Evaluation) -> bytes:
    """The whole evaluation."""
    detectors = [
        {
            "name": name,
            "spec": row.spec,
            "figures": [_entry(figure) for figure in row.figures],
            "differences_from_the_first": [_entry(figure) for figure in row.differences],
        }
        for name, row in zip(made.names, made.rows, strict=True)
    ]
    record = {"faceveil_evaluation": 1, "personal_data": PERSONAL, **made.about(), "detectors": detectors}
    return json.dumps(record, indent=1).encode() + b"\n"


def _entry(figure: Figure) -> dict[str, Any]:
    key = figure.key
    entry: dict[str, Any] = {"measure": key.measure}
    if key.group:
        entry["group"] = key.group
    if key.iou is not None:
        entry["iou"] = key.iou
    return {**entry, "n": key.n, "value": _six(figure.value), "low": _six(figure.low), "high": _six(figure.high)}


def _six(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def as_csv(made: Evaluation) -> bytes:
    """One line for each figure; the last three columns tell how it differs from the first detector's."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, row in zip(made.names, made.rows, strict=True):
        apart = row.differences or (None,) * len(row.figures)
        for figure, other in zip(row.figures, apart, strict=True):
            key = figure.key
            values = [figure.value, figure.low, figure.high]
            values += [None] * 3 if other is None else [other.value, other.low, other.high]
            cells = ["" if value is None else f"{value:.6g}" for value in values]
            writer.writerow([name, key.measure, key.group, "" if key.iou is None else key.iou, key.n, *cells])
    return out.getvalue().encode("utf-8", "backslashreplace")  # names that are no text
