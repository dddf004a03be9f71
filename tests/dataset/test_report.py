"""The report is whole or absent; its journal survives a kill, and a foreign file is never written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceveil.dataset.report import Journal, Outcome, Report, exit_code
from faceveil.errors import RequestError


def _journal(path: Path | None) -> Journal:
    return Journal(path, version="0", command="faceveil a", policy={})


def test_a_report_ends_whole_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "r.json"
    with _journal(path) as journal:
        journal.add(Outcome(source="b.jpg", status="failed", reason="is not a picture"))
        journal.add(Outcome(source="a.jpg", output="o/a.jpg", status="done", faces=2, plan=("secret",)))
        assert not path.exists()
    report = Report.model_validate_json(path.read_bytes())
    assert [f.source for f in report.files] == ["a.jpg", "b.jpg"]
    assert report.totals.model_dump() == {
        "labels": {},
        "inputs": 2, "done": 1, "kept": 0, "failed": 1, "refused": 0, "faces": 2, "ignored": 0,
    }  # fmt: skip
    assert "secret" not in path.read_text()
    assert sorted(p.name for p in path.parent.iterdir()) == ["r.json"]
    assert _journal(path).earlier()["a.jpg"].faces == 2


def test_a_killed_run_leaves_its_journal_and_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(RuntimeError), _journal(path) as journal:
        journal.add(Outcome(source="a.jpg", status="done"))
        raise RuntimeError
    part = tmp_path / "r.json.part"
    part.write_text(part.read_text() + '\n{"source": "b.jpg", "sta')
    assert list(_journal(path).earlier()) == ["a.jpg"]
    with _journal(path) as journal:
        journal.add(Outcome(source="c.jpg", status="done"))
        assert set(_journal(path).earlier()) == {"a.jpg", "c.jpg"}
    assert not part.exists()


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", "notes"])
def test_a_file_that_is_no_report_is_not_written_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(RequestError, match="is there and is not a report of faceveil"):
        _journal(path).earlier()
    assert path.read_text() == content


def test_a_report_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write the report"), _journal(tmp_path / "file" / "r.json"):
        pass


def test_the_exit_code_is_the_worst_of_the_run() -> None:
    done, kept = Outcome(source="a", status="done"), Outcome(source="b", status="kept")
    failed, refused = Outcome(source="c", status="failed"), Outcome(source="d", status="refused")
    assert exit_code([done, kept]) == 0
    assert exit_code([done, failed]) == 1
    assert exit_code([failed, refused]) == 4
    assert exit_code([]) == 0
    assert exit_code([done], interrupted=True) == 130
    assert json.dumps(exit_code([failed])) == "1"
