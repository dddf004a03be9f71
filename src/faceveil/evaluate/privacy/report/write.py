"""Where a report goes: a folder that is new, or held one before; each file whole, for its owner's eyes alone."""

from __future__ import annotations

from pathlib import Path

from faceveil.evaluate.privacy.report.page import page
from faceveil.evaluate.privacy.report.result import Report, as_csv, as_json
from faceveil.evaluate.report.write import expect_folder, publish_all

__all__ = ["expect_folder", "write"]


def write(folder: Path, report: Report, *, overwrite: bool = False) -> None:
    """Write result.json, result.csv and report.html. Raises as `expect_folder`, and `OutputError`."""
    expect_folder(folder, overwrite=overwrite)
    publish_all(folder, (as_json(report), as_csv(report), page(report)), overwrite=overwrite)
