"""The leak matrix: no side door of any format lets anything of the original through, from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import leak_cases
import pytest
from leak_cases import Case

from faceveil.verify.carve import carve


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases in one folder, veiled by one run of the command."""
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "in").mkdir()
    for case in leak_cases.cases():
        (folder / "in" / case.name).write_bytes(case.data)
    command = [sys.executable, "-m", "faceveil", "in", "-o", "out", "--report", "r.json"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    (folder / "said").write_text(run.stderr)
    return folder


def test_there_are_enough_doors() -> None:
    assert len(leak_cases.cases()) >= 40
    assert len({case.name for case in leak_cases.cases()}) == len(leak_cases.cases())


@pytest.mark.parametrize("case", leak_cases.cases(), ids=lambda case: case.name)
def test_every_case_has_its_leak(case: Case) -> None:
    """Otherwise the next test would prove nothing."""
    shows = max(leak_cases.same_place(frame)[0] for frame in leak_cases.frames_of(case.data))
    assert leak_cases.SECRET in case.data or shows > 0.9 or carve(case.data)


@pytest.mark.parametrize("case", leak_cases.cases(), ids=lambda case: case.name)
def test_nothing_comes_through(case: Case, done: Path) -> None:
    output = done / "out" / case.name
    if not output.exists():
        assert f"failed: in/{case.name}: " in (done / "said").read_text()
        return
    data = output.read_bytes()
    assert leak_cases.SECRET not in data
    assert carve(data) == []
    for frame in leak_cases.frames_of(data):
        assert leak_cases.same_place(frame)[0] < 0.7
