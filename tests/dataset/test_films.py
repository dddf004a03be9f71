"""Videos among the inputs: taken by name where they are damaged."""

from __future__ import annotations

from pathlib import Path

from faceveil.dataset.inputs import to_check


def test_damaged_films_in_a_folder_are_checked_by_name(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.MKV", "c.mov", "notes.txt", "code.ts"):
        (tmp_path / name).write_text("no film")
    found = to_check([tmp_path])
    assert [task.source.name for task in found.tasks] == ["a.mp4", "b.MKV", "c.mov"]
    assert sorted(path.name for path in found.ignored) == ["code.ts", "notes.txt"]
