"""The command line as a user meets it: real pictures, real processes, four exit codes."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FACEVEIL = [sys.executable, "-m", "faceveil"]


def faceveil(*arguments: object, cwd: Path, code: int = 0) -> tuple[str, str]:
    """Run a command; its standard output and error. The exit code is asserted."""
    done = subprocess.run(
        [*FACEVEIL, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path, portrait: Path) -> Path:
    """A folder with the portrait as `photo.jpg`."""
    shutil.copy(portrait, tmp_path / "photo.jpg")
    return tmp_path


@pytest.fixture
def holiday(folder: Path) -> Path:
    """`holiday/` with twelve pictures of several formats, one damaged, one text file."""
    target = folder / "holiday"
    target.mkdir()
    with Image.open(folder / "photo.jpg") as picture:
        for i in range(8):
            picture.resize((200 + 8 * i, 200)).save(target / f"{i}.jpg")
        picture.resize((128, 128)).save(target / "p.png")
        picture.resize((128, 128)).save(target / "w.webp")
    data = (folder / "photo.jpg").read_bytes()
    (target / "cut.jpg").write_bytes(data[: len(data) // 2])
    (target / "notes.txt").write_text("not a picture")
    return target


def test_one_photo_needs_one_word(folder: Path) -> None:
    before = (folder / "photo.jpg").read_bytes()
    out, _ = faceveil("photo.jpg", cwd=folder)
    assert out == "photo.jpg: 1 face -> photo_veiled.jpg\n"
    assert sorted(p.name for p in folder.iterdir()) == ["photo.jpg", "photo_veiled.jpg"]
    assert (folder / "photo.jpg").read_bytes() == before


def test_an_existing_output_is_kept_unless_told(folder: Path) -> None:
    faceveil("photo.jpg", cwd=folder)
    first = (folder / "photo_veiled.jpg").read_bytes()
    out, _ = faceveil("photo.jpg", "-m", "solid", cwd=folder)
    assert "is there already and was kept (--overwrite makes it anew)" in out
    assert (folder / "photo_veiled.jpg").read_bytes() == first
    faceveil("photo.jpg", "-m", "solid", "--overwrite", cwd=folder)
    assert (folder / "photo_veiled.jpg").read_bytes() != first


def test_a_copied_original_does_not_pass_for_an_output(folder: Path) -> None:
    shutil.copy(folder / "photo.jpg", folder / "photo_veiled.jpg")
    out, _ = faceveil("photo.jpg", cwd=folder)
    assert "1 face ->" in out
    assert (folder / "photo_veiled.jpg").read_bytes() != (folder / "photo.jpg").read_bytes()


def test_a_folder_names_each_failure_and_does_the_rest(holiday: Path) -> None:
    cwd = holiday.parent
    out, err = faceveil("holiday", "-o", "out", "--report", "r.json", "-j", 2, cwd=cwd, code=1)
    assert re.search(r"^failed: holiday/cut.jpg: .+", err, re.MULTILINE)
    assert out.startswith("10 done, 1 failed, 1 left alone (not pictures); ")
    report = json.loads((cwd / "r.json").read_text())
    assert report["totals"]["done"] == 10
    assert [f["source"] for f in report["files"] if f["status"] == "failed"] == ["holiday/cut.jpg"]
    assert sorted(p.name for p in (cwd / "out").iterdir()) == sorted(
        p.name for p in holiday.iterdir() if p.name not in ("cut.jpg", "notes.txt")
    )


def test_a_rerun_resumes(holiday: Path) -> None:
    cwd = holiday.parent
    faceveil("holiday", "-o", "out", "--report", "r.json", cwd=cwd, code=1)
    stamps = {p.name: p.stat().st_mtime_ns for p in (cwd / "out").iterdir()}
    (cwd / "out" / "3.jpg").unlink()
    shutil.copy(cwd / "photo.jpg", holiday / "cut.jpg")
    out, _ = faceveil("holiday", "-o", "out", "--report", "r.json", cwd=cwd)
    assert out.startswith("2 done, 9 kept")
    after = {p.name: p.stat().st_mtime_ns for p in (cwd / "out").iterdir()}
    assert {name for name in after if after[name] != stamps.get(name)} == {"3.jpg", "cut.jpg"}
    report = json.loads((cwd / "r.json").read_text())
    assert report["totals"]["faces"] >= 10  # those of kept files are remembered


def test_the_report_tells_when_a_kept_output_is_stale(folder: Path) -> None:
    faceveil("photo.jpg", "--report", "r.json", cwd=folder)
    out, _ = faceveil("photo.jpg", "--report", "r.json", "-m", "solid", cwd=folder)
    assert "the output was made with other settings — --overwrite makes it anew" in out
    with Image.open(folder / "photo.jpg") as picture:
        picture.rotate(180).save(folder / "photo.jpg")
    out, _ = faceveil("photo.jpg", "--report", "r.json", cwd=folder)
    assert "the picture has changed since its output was made" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["photo.jpg", "--method", "blurr"], "no method is called 'blurr' — did you mean 'blur'?"),
        (["photo.jpg", "-d", "retina"], "no detector is called 'retina'"),
        (["photo.jpg", "-m", "mosaic:cells=0"], "method 'mosaic': 'cells': input should be greater than or equal to"),
        (["photo.jpg", "--preset", "slow"], "'slow' is not one of 'fast', 'balanced', 'thorough'"),
        (["photo.jpg", "--area", "hat"], "area is 'face', 'head' or settings"),
        (["nothing.jpg"], "there is no 'nothing.jpg'"),
        (["nothing.jpg", "--method", "blurr"], "no method is called 'blurr' — did you mean 'blur'?"),
        (["photo.jpg", "--policy", "none.yml"], "cannot read the policy none.yml"),
        (["photo.jpg", "--wrong"], "No such option"),
        (["photo.jpg", "-o", "x.png"], "would be another format"),
        (["photo.jpg", "-j", "0"], "is not in the range"),
        (["photo.jpg", "--plan", "p", "-o", "x"], "--plan looks only and writes no pictures"),
        ([".", "--in-place"], "--in-place would replace all originals in a folder — confirm with --yes"),
        (["apply", "photo.jpg"], "photo.jpg"),
    ],
)
def test_wrong_requests_start_nothing(folder: Path, arguments: list[str], complaint: str) -> None:
    _, err = faceveil(*arguments, cwd=folder, code=2)
    assert complaint in err
    assert err.count("\n") == 1
    assert [p.name for p in folder.iterdir()] == ["photo.jpg"]


def test_a_missing_part_is_named_with_its_cure(folder: Path) -> None:
    _, err = faceveil("photo.jpg", "--provider", "coreml", cwd=folder, code=3)
    assert "coreml" in err
    assert " — " in err
    assert [p.name for p in folder.iterdir()] == ["photo.jpg"]


def test_what_is_no_picture_ends_in_one_sentence(folder: Path) -> None:
    (folder / "a.jpg").write_text("hello")
    out, err = faceveil("a.jpg", cwd=folder, code=1)
    assert err.startswith("failed: a.jpg: ")
    assert (out, err.count("\n")) == ("", 1)
    assert not (folder / "a_veiled.jpg").exists()


def test_a_plan_is_made_edited_and_applied(folder: Path) -> None:
    out, _ = faceveil("photo.jpg", "--plan", "plan.jsonl", "-m", "solid:color=#ff0000", cwd=folder)
    assert "personal data" in out
    assert not (folder / "photo_veiled.jpg").exists()
    assert (folder / "plan.jsonl").stat().st_mode & 0o777 == 0o600
    head, line = (folder / "plan.jsonl").read_text().splitlines()
    edited = json.loads(line)
    assert len(edited["faces"]) == 1
    edited["faces"].append({"box": [10, 10, 40, 40]})
    edited["faces"][0]["method"] = "keep"
    (folder / "plan.jsonl").write_text(f"{head}\n{json.dumps(edited)}\n")
    out, _ = faceveil("apply", "plan.jsonl", "-o", "done", cwd=folder)
    assert out == "photo.jpg: 2 faces, 1 of them left visible -> done/photo.jpg\n"
    done, original = (
        np.asarray(Image.open(path)).astype(int) for path in (folder / "done" / "photo.jpg", folder / "photo.jpg")
    )
    assert (done[20:30, 20:30, 0] > 200).all()
    assert (done[20:30, 20:30, 1:] < 80).all()
    x1, y1, x2, y2 = (int(v) for v in edited["faces"][0]["box"])
    assert np.abs(done - original)[y1:y2, x1:x2].mean() < 2
    _, err = faceveil("photo.jpg", "--plan", "plan.jsonl", cwd=folder, code=2)
    assert "perhaps with edits" in err


def test_a_plan_of_another_picture_is_refused(folder: Path) -> None:
    faceveil("photo.jpg", "--plan", "plan.jsonl", cwd=folder)
    with Image.open(folder / "photo.jpg") as picture:
        picture.rotate(180).save(folder / "photo.jpg")
    _, err = faceveil("apply", "plan.jsonl", cwd=folder, code=1)
    assert "photo.jpg: has changed since its plan was made — make the plan anew" in err


def test_in_place_replaces_the_original(folder: Path) -> None:
    before = (folder / "photo.jpg").read_bytes()
    faceveil("photo.jpg", "--in-place", cwd=folder)
    assert [p.name for p in folder.iterdir()] == ["photo.jpg"]
    assert (folder / "photo.jpg").read_bytes() != before


def test_cosmetic_methods_say_so_once(holiday: Path) -> None:
    _, err = faceveil("holiday", "-o", "o", "-m", "blur", cwd=holiday.parent, code=1)
    assert err.count("re-identifiable") == 1


def test_no_face_is_said(folder: Path) -> None:
    Image.new("RGB", (200, 100), "teal").save(folder / "wall.png")
    out, _ = faceveil("wall.png", cwd=folder)
    assert out == "wall.png: no face found -> wall_veiled.png\n"


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc to find the workers")


def _many(folder: Path, n: int) -> Path:
    target = folder / "many"
    target.mkdir()
    for i in range(n):
        shutil.copy(folder / "photo.jpg", target / f"{i:03}.jpg")
    return target


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def _count(folder: Path) -> int:
    return len(list(folder.glob("*.jpg")))


def _workers(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # threads end
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _has_workers(pid: int) -> bool:
    return _gone(pid) or bool(_workers(pid))


def _gone(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


@needs_proc
def test_a_worker_that_dies_costs_one_file(folder: Path) -> None:
    _many(folder, 40)
    process = subprocess.Popen(
        [*FACEVEIL, "many", "-o", "out", "-j", "2"],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _wait_for(lambda: _count(folder / "out") > 3)
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.count("failed: ") == 1
    assert "the process that worked on it was ended by SIGKILL (out of memory?)" in err
    assert out.startswith("39 done, 1 failed")


@needs_proc
def test_kill_leaves_complete_files_and_a_rerun_finishes(folder: Path) -> None:
    """Killed at random moments, 4 in `make test` and 100 in `make fuzz`; after each the outputs are looked at."""
    _many(folder, 40)
    rng = random.Random(int(os.environ.get("FACEVEIL_FUZZ_SEED", "1")))
    command = [*FACEVEIL, "many", "-o", "out", "-j", "2", "-q", "--report", "r.json", "--preset", "fast"]
    stamps: dict[str, int] = {}
    for _ in range(int(os.environ.get("FACEVEIL_KILLS", "4"))):
        process = subprocess.Popen(command, cwd=folder)
        _wait_for(partial(_has_workers, process.pid))
        time.sleep(rng.uniform(0, 1.2))
        workers = _workers(process.pid) if process.poll() is None else []
        process.kill()
        process.wait()
        for worker in workers:
            _wait_for(partial(_gone, worker))
        for path in (folder / "out").glob("*.jpg"):
            with Image.open(path) as picture:
                picture.load()
            assert stamps.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns, "done twice"
        if _count(folder / "out") == 40:
            shutil.rmtree(folder / "out")
            (folder / "r.json").unlink(missing_ok=True)
            (folder / "r.json.part").unlink(missing_ok=True)
            stamps.clear()
    faceveil(*command[3:], cwd=folder)
    assert sorted(p.name for p in (folder / "out").iterdir()) == [f"{i:03}.jpg" for i in range(40)]
    report = json.loads((folder / "r.json").read_text())
    assert report["totals"]["done"] + report["totals"]["kept"] == 40
    assert not (folder / "r.json.part").exists()


def test_ctrl_c_finishes_what_was_started_and_says_so(folder: Path) -> None:
    _many(folder, 60)
    process = subprocess.Popen(
        [*FACEVEIL, "many", "-o", "out", "-j", "2", "--report", "r.json"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    _wait_for(lambda: _count(folder / "out") > 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping: started files are finished; a rerun resumes" in err
    report = json.loads((folder / "r.json").read_text())
    assert report["interrupted"] is True
    done = {Path(f["output"]).name for f in report["files"] if f["status"] == "done"}
    assert done == {p.name for p in (folder / "out").iterdir()}
    assert 3 < len(done) < 60
    faceveil("many", "-o", "out", "-q", cwd=folder)
    assert len(list((folder / "out").iterdir())) == 60


def test_help_is_short_and_names_every_policy_field(folder: Path) -> None:
    from faceveil import Policy  # noqa: PLC0415

    out, _ = faceveil("--help", cwd=folder)
    assert "faceveil photo.jpg" in out
    out, _ = faceveil("veil", "--help", cwd=folder)
    for name in Policy.model_fields:
        # One option says both: -m veil -m plate=solid.
        assert ("[LABEL=]NAME" if name == "methods" else f"--{name.replace('_', '-')}") in out
    assert len(out.splitlines()) < 80


def test_what_there_is(folder: Path) -> None:
    out, _ = faceveil("methods", cwd=folder)
    assert {"veil", "solid", "mosaic", "independent", "cosmetic"} <= set(re.findall(r"\w+", out))
    out, _ = faceveil("detectors", cwd=folder)
    assert "centerface" in out
    assert "MIT" in out
    out, _ = faceveil("doctor", cwd=folder)
    assert "centerface_int8: " in out
    assert "DAMAGED" not in out
    assert out.count("\nlossless JPEG: ") == 1


def test_an_option_of_the_policy_overrides_its_file(folder: Path) -> None:
    (folder / "p.yml").write_text("method: solid\narea: head\n")
    faceveil("photo.jpg", "--policy", "p.yml", "-m", "keep", "--report", "r.json", cwd=folder)
    policy = json.loads((folder / "r.json").read_text())["policy"]
    assert policy["method"] == "keep"
    assert policy["area"]["width"] == 2.4
