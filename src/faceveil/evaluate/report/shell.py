"""The page around every report: one file that needs nothing else, loads nothing and runs nothing."""

from __future__ import annotations

from html import escape
from importlib import resources

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing may be loaded and no script may run, whatever the names of files and methods hold."""
CSS = ("faceveil.evaluate.report", "page.css")


def html(title: str, body: str, *styles: tuple[str, str]) -> bytes:
    """A page. body: HTML. styles: packages and their style sheets, beside that of all reports."""
    css = "".join((resources.files(room) / name).read_text(encoding="utf-8") for room, name in (CSS, *styles))
    head = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>\n{css}</style></head>"
    )
    return f"{head}<body><main>\n{body}\n</main></body></html>\n".encode("utf-8", "backslashreplace")
