"""Neutral names: nothing of an original's name, folder or time is in the output folder, and a rerun resumes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from faceveil.dataset.names import NEUTRAL_TIME, NeutralNames
from faceveil.errors import RequestError

FACEVEIL = [sys.executable, "-m", "faceveil"]
NAMES = ("anna/IMG_20240312_Anna.JPG", "anna/beach.jpeg", "berlin/beach.png", "berlin/2024/scan.TIFF", "nameless")


def _run(*arguments: object, cwd: Path, code: int = 0) -> tuple[str, str]:
    command = [*FACEVEIL, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def holiday(tmp_path: Path, portrait: Path) -> Path:
    """`in/` with five pictures whose names and folders tell of a person, a day and a place."""
    with Image.open(portrait) as picture:
        for i, name in enumerate(NAMES):
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            form = {".png": "PNG", ".TIFF": "TIFF"}.get(path.suffix, "JPEG")
            picture.resize((96 + i, 96)).save(path, form)
    return tmp_path


def _outputs(folder: Path) -> dict[str, bytes]:
    assert all(path.is_file() for path in folder.iterdir())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _mapping(report: Path) -> dict[str, str]:
    return {f["source"]: f["output"] for f in json.loads(report.read_text())["files"]}


def test_names_folders_and_times_are_neutral(holiday: Path) -> None:
    _run("in", "-o", "out", "--neutral-names", "--report", "r.json", "--preset", "fast", cwd=holiday)
    for path in [*(holiday / "out").iterdir(), holiday / "out"]:  # looked at before reading changes it
        assert path.stat().st_mtime == NEUTRAL_TIME
        assert path.stat().st_atime == NEUTRAL_TIME or path.is_dir()
    names = sorted(_outputs(holiday / "out"))
    assert all(re.fullmatch(r"[0-9a-f]{16}\.(jpg|png|tif)", name) for name in names)
    assert sorted(Path(name).suffix for name in names) == [".jpg", ".jpg", ".jpg", ".png", ".tif"]
    mapping = _mapping(holiday / "r.json")
    assert set(mapping) == {f"in/{name}" for name in NAMES}
    assert sorted(Path(output).name for output in mapping.values()) == names
    for source, output in mapping.items():
        with Image.open(holiday / source) as before, Image.open(holiday / output) as after:
            assert before.size == after.size
    assert (holiday / "r.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("zone", ["UTC0", "AAA+12", "ZZZ-14"])
def test_the_time_fits_into_a_zip_in_every_time_zone(
    tmp_path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        (tmp_path / "a").write_text("a")
        os.utime(tmp_path / "a", (NEUTRAL_TIME, NEUTRAL_TIME))
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "a")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_names_cannot_be_found_by_trying(tmp_path: Path) -> None:
    """No plain hash of the name or path, and another name in each run."""
    source = tmp_path / "Anna.jpg"
    first, second = (NeutralNames.of(tmp_path / "out", None) for _ in range(2))
    assert first.stem(source) != second.stem(source)
    assert first.key not in repr(first)
    for text in ("Anna.jpg", "Anna", str(source)):
        for method in ("md5", "sha1", "sha256", "blake2b"):
            assert first.stem(source) not in hashlib.new(method, text.encode()).hexdigest()


def test_without_a_report_nothing_tells_which_is_which(holiday: Path) -> None:
    _run("in", "-o", "out", "--neutral-names", "-q", "--preset", "fast", cwd=holiday)
    assert sorted(path.name for path in holiday.iterdir()) == ["in", "out"]
    first = set(_outputs(holiday / "out"))
    assert len(first) == len(NAMES)
    shutil.move(holiday / "out", holiday / "first")
    _run("in", "-o", "out", "--neutral-names", "-q", "--preset", "fast", cwd=holiday)
    assert not first & set(_outputs(holiday / "out"))


def test_a_rerun_with_the_report_resumes(holiday: Path) -> None:
    command = ("in", "-o", "out", "--neutral-names", "--report", "r.json", "--preset", "fast")
    _run(*command, cwd=holiday)
    before, mapping = _outputs(holiday / "out"), _mapping(holiday / "r.json")
    gone = Path(mapping["in/nameless"])
    (holiday / gone).unlink()
    shutil.copy(holiday / "in" / "nameless", holiday / "in" / "new.jpg")
    out, _ = _run(*command, cwd=holiday)
    assert out.startswith("2 done, 4 kept")
    after = _outputs(holiday / "out")
    assert {name: after[name] for name in before if name != gone.name} == {
        name: data for name, data in before.items() if name != gone.name
    }
    assert set(after) == {*before, Path(_mapping(holiday / "r.json")["in/new.jpg"]).name}
    assert all(path.stat().st_mtime == NEUTRAL_TIME for path in (holiday / "out").iterdir())
    out, _ = _run(*command, "-m", "solid", "--overwrite", cwd=holiday)
    assert out.startswith("6 done")
    assert set(_outputs(holiday / "out")) == set(after)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc to find the workers")
def test_a_run_that_was_killed_is_finished_under_the_same_names(tmp_path: Path, portrait: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(24):
        shutil.copy(portrait, tmp_path / "in" / f"Anna{i:02}.jpg")
    command = ("in", "-o", "out", "--neutral-names", "--report", "r.json", "-j", 2, "--preset", "fast", "-q")
    rng, done = random.Random(3), dict[str, int]()
    for _ in range(3):
        process = subprocess.Popen([*FACEVEIL, *map(str, command)], cwd=tmp_path)
        end = time.monotonic() + 60
        while process.poll() is None and len(list((tmp_path / "out").glob("*.jpg"))) <= len(done):
            assert time.monotonic() < end
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        threads = Path(f"/proc/{process.pid}/task")  # workers are children of the threads that started them
        children = [int(child) for path in threads.glob("*/children") for child in path.read_text().split()]
        process.kill()
        process.wait()
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.2)
        assert (tmp_path / "r.json.part").stat().st_mode & 0o777 == 0o600
        for path in (tmp_path / "out").glob("*.jpg"):
            assert done.setdefault(path.name, path.stat().st_ino) == path.stat().st_ino, "done twice"
    _run(*command, cwd=tmp_path)
    outputs = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(outputs) == 24
    assert set(done) <= set(outputs)
    assert sorted(Path(output).name for output in _mapping(tmp_path / "r.json").values()) == outputs
    assert all(path.stat().st_mtime == NEUTRAL_TIME for path in (tmp_path / "out").iterdir())


def test_plans_are_applied_under_neutral_names(holiday: Path) -> None:
    _run("in/anna", "--plan", "p.jsonl", cwd=holiday)
    _run("apply", "p.jsonl", "-o", "out", "--neutral-names", "--report", "r.json", cwd=holiday)
    mapping = _mapping(holiday / "r.json")
    assert len(mapping) == 2
    assert set(_outputs(holiday / "out")) == {Path(output).name for output in mapping.values()}
    assert all(re.fullmatch(r"out/[0-9a-f]{16}\.jpg", output) for output in mapping.values())


def test_check_finds_originals_through_the_report(holiday: Path) -> None:
    _run("in/anna", "-o", "out", "--neutral-names", "--report", "r.json", cwd=holiday)
    shutil.move(holiday / "out", holiday / "elsewhere")
    out, _ = _run("check", "elsewhere", "--original", "r.json", "--json", "-q", cwd=holiday)
    assert [entry["outside"]["psnr"] is None or entry["outside"]["psnr"] > 40 for entry in json.loads(out)] == [
        True
    ] * 2
    shutil.copy(holiday / "in" / "nameless", holiday / "elsewhere" / "stray.jpg")
    _, err = _run("check", "elsewhere", "--original", "r.json", cwd=holiday, code=2)
    assert "'r.json' knows no original of 'stray.jpg'" in err
    _run("in/anna", "-o", "plain", "--report", "plain.json", "-q", cwd=holiday)
    _, err = _run("check", "plain", "--original", "plain.json", cwd=holiday, code=2)
    assert "'plain.json' is no report of a run with --neutral-names" in err


def test_what_is_refused_lies_aside_under_its_neutral_name(tmp_path: Path, portrait: Path) -> None:
    shutil.copy(portrait, tmp_path / "Anna.jpg")
    _run("Anna.jpg", "-o", "out", "--neutral-names", "-m", "mask", "--verify", cwd=tmp_path, code=4)
    assert _outputs(tmp_path / "out") == {}
    names = sorted(_outputs(tmp_path / "out.quarantine"))
    assert [re.sub("[0-9a-f]{16}", "x", name) for name in names] == ["x.jpg", "x.jpg.json"]


def test_sources_of_one_name_do_not_meet(holiday: Path) -> None:
    shutil.copy(holiday / "in" / "anna" / "beach.jpeg", holiday / "in" / "berlin" / "beach.jpeg")
    pattern = "in/*/beach.jpeg"
    _run(pattern, "-o", "plain", cwd=holiday, code=2)
    _run(pattern, "-o", "out", "--neutral-names", "-q", "--preset", "fast", cwd=holiday)
    assert len(_outputs(holiday / "out")) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["in"], "--neutral-names needs a folder of its own for the outputs — --output FOLDER"),
        (["in/nameless", "-o", "x.jpg"], "--neutral-names chooses names itself, so --output must be a folder"),
        (["in", "--plan", "p.jsonl"], "--neutral-names is about new files, and --plan makes none — leave --plan out"),
        (["in", "--in-place", "--yes"], "--neutral-names is about new files, and --in-place makes none"),
        (["in", "-o", "full"], "'full' is not empty, and without a report nobody can tell which originals are done"),
        (["in", "-o", "full", "--report", "r.json"], "'full' is not empty, and 'r.json' does not know the names in it"),
        (["in", "-o", "out", "--report", "out/r.json"], "the report 'out/r.json' names the originals, and would lie"),
        (["in", "-o", "out", "--report", "note.txt"], "'note.txt' is there and is not a report of faceveil"),
    ],
)
def test_wrong_requests_start_nothing(holiday: Path, arguments: list[str], complaint: str) -> None:
    (holiday / "full").mkdir()
    (holiday / "full" / "a.jpg").write_text("")
    (holiday / "note.txt").write_text("mine")
    before = sorted(holiday.rglob("*"))
    _, err = _run(*arguments, "--neutral-names", cwd=holiday, code=2)
    assert complaint in err
    assert err.count("\n") == 1
    assert sorted(holiday.rglob("*")) == before


def test_a_report_with_neutral_names_is_not_used_without_them(holiday: Path) -> None:
    command = ("in", "-o", "out", "--report", "r.json", "--preset", "fast")
    _run(*command, "--neutral-names", cwd=holiday)
    before = _outputs(holiday / "out")
    _, err = _run(*command, cwd=holiday, code=2)
    assert "'r.json' is of a run with --neutral-names" in err
    assert _outputs(holiday / "out") == before


def test_an_output_that_cannot_get_its_times_is_a_failure(tmp_path: Path) -> None:
    from faceveil.dataset.report import Outcome  # noqa: PLC0415

    names = NeutralNames.of(tmp_path / "out", None)
    settled = names.settled(Outcome(source="a.jpg", output=str(tmp_path / "gone.jpg"), status="done"))
    assert settled.status == "failed"
    assert "its times cannot be made neutral" in settled.reason


def test_a_damaged_key_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "r.json.part").write_text('{"names_key": "Anna"}\n')
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("")
    with pytest.raises(RequestError, match="does not know the names in it"):
        NeutralNames.of(tmp_path / "out", tmp_path / "r.json")
