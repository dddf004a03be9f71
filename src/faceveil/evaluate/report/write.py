"""Where a report goes: a folder that is new, or held one before; each file whole, for its owner's eyes alone."""

from __future__ import annotations

from pathlib import Path

from faceveil.errors import OutputError, RequestError
from faceveil.evaluate import misses
from faceveil.evaluate.report import page, plots
from faceveil.evaluate.report.result import Evaluation, as_csv, as_json
from faceveil.media.atomic import publish

FILES = ("result.json", "result.csv", "report.html")
_MODE, _FOLDER_MODE = 0o600, 0o700


def expect_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise where a report could not be written there, before anybody waits for it.

    Raises:
        RequestError: it is no folder, or holds a report. MissingExtra: there is nothing to draw with.
    """
    plots.expect_matplotlib()
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"'{folder}' is a file, and a report is a folder")
    there = [name for name in FILES if (folder / name).exists()]
    if there and not overwrite:
        raise RequestError(f"'{folder}' holds a report already ({there[0]})", hint="--overwrite replaces it")


def write(folder: Path, made: Evaluation, *, pictures: bool = True, overwrite: bool = False) -> None:
    """Write the three files. pictures: show the worst misses. Raises as `expect_folder`, and `OutputError`."""
    expect_folder(folder, overwrite=overwrite)
    worst = misses.worst(made.looked)
    shots = misses.pictures(made.looked, worst) if pictures else None
    publish_all(folder, (as_json(made), as_csv(made), page.page(made, worst, shots)), overwrite=overwrite)


def publish_all(folder: Path, contents: tuple[bytes, bytes, bytes], *, overwrite: bool) -> None:
    """Write what the three files hold. Raises `OutputError`."""
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder '{folder}': {error.strerror}") from None
    for name, content in zip(FILES, contents, strict=True):
        publish(folder / name, content, overwrite=overwrite, mode=_MODE)
