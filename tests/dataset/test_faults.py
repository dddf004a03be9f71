"""What can go wrong around a batch: full disks, missing permissions, odd names, two runs at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

FACEVEIL = [sys.executable, "-m", "faceveil"]


def _run(*arguments: object, cwd: Path, code: int, prefix: tuple[str, ...] = ()) -> str:
    command = [*prefix, *FACEVEIL, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path, portrait: Path) -> Path:
    """`in/` with a small and a large picture."""
    (tmp_path / "in").mkdir()
    with Image.open(portrait) as picture:
        picture.resize((64, 64)).save(tmp_path / "in" / "small.jpg")
        picture.save(tmp_path / "in" / "large.png")
    return tmp_path


def _complete(out: Path) -> set[str]:
    names = set()
    for path in out.iterdir():
        with Image.open(path) as picture:
            picture.load()
        names.add(path.name)
    return names


def test_a_file_larger_than_allowed_fails_by_name_and_leaves_nothing(folder: Path) -> None:
    limited = ("bash", "-c", 'ulimit -f 64; exec "$@"', "bash")
    said = _run("in", "-o", "out", cwd=folder, code=1, prefix=limited)
    assert "failed: in/large.png: " in said
    assert _complete(folder / "out") == {"small.jpg"}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_fails_by_name_and_leaves_nothing(folder: Path, tiny_disk: Path) -> None:
    said = _run("in", "-o", tiny_disk / "out", cwd=folder, code=1)
    assert "large.png: cannot write" in said.replace("failed: in/large.png: ", "large.png: ")
    assert "space" in said
    assert _complete(tiny_disk / "out") == {"small.jpg"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_without_permission(folder: Path) -> None:
    (folder / "out").mkdir(mode=0o500)
    said = _run("in", "-o", "out", cwd=folder, code=1)
    assert said.count("failed: ") == 2
    assert list((folder / "out").iterdir()) == []


def test_a_target_that_is_a_file(folder: Path) -> None:
    (folder / "out").write_text("mine")
    assert "is a file" in _run("in", "-o", "out", cwd=folder, code=2)
    assert (folder / "out").read_text() == "mine"


def test_odd_names_are_names(folder: Path) -> None:
    names = ["new\nline.jpg", "ß 😀.jpg", "-m.jpg", "%s{}.jpg", "x" * 240 + ".jpg", "café.jpg"]
    for name in names:
        shutil.copy(folder / "in" / "small.jpg", folder / "in" / name)
    _run("in", "-o", "out", "--report", "r.json", cwd=folder, code=0)
    assert _complete(folder / "out") == {*names, "small.jpg", "large.png"}
    sources = {entry["source"] for entry in json.loads((folder / "r.json").read_text())["files"]}
    assert {f"in/{name}" for name in names} <= sources


def test_a_name_that_is_not_text_is_a_name_too(folder: Path) -> None:
    odd = os.fsencode(str(folder / "in")) + b"/\xff\xfe.jpg"
    try:
        Path(os.fsdecode(odd)).write_bytes((folder / "in" / "small.jpg").read_bytes())
    except OSError:
        pytest.skip("this file system takes only names that are text")
    _run("in", "-o", "out", "--report", "r.json", cwd=folder, code=0)
    assert len(_complete(folder / "out")) == 3


def test_a_name_too_long_for_its_output_fails_by_name(folder: Path) -> None:
    name = "x" * 250 + ".jpg"
    shutil.copy(folder / "in" / "small.jpg", folder / name)
    assert "failed: " in _run(name, cwd=folder, code=1)
    assert sorted(path.name for path in folder.iterdir()) == ["in", name]


def test_link_loops_and_dead_links(folder: Path) -> None:
    (folder / "in" / "loop").symlink_to(folder / "in", target_is_directory=True)
    (folder / "in" / "self.jpg").symlink_to(folder / "in" / "self.jpg")
    (folder / "in" / "dead.jpg").symlink_to(folder / "nowhere.jpg")
    said = _run("in", "-o", "out", cwd=folder, code=1)
    assert "failed: in/self.jpg: " in said
    assert "failed: in/dead.jpg: is a link to nothing" in said
    assert _complete(folder / "out") == {"small.jpg", "large.png"}


def test_an_output_that_is_a_link_to_the_original_is_replaced_not_followed(folder: Path) -> None:
    before = (folder / "in" / "small.jpg").read_bytes()
    (folder / "out").mkdir()
    (folder / "out" / "small.jpg").symlink_to(folder / "in" / "small.jpg")
    _run("in", "-o", "out", cwd=folder, code=0)
    assert not (folder / "out" / "small.jpg").is_symlink()
    assert (folder / "in" / "small.jpg").read_bytes() == before


def test_two_runs_on_one_folder_do_not_clash(folder: Path) -> None:
    for i in range(20):
        shutil.copy(folder / "in" / "small.jpg", folder / "in" / f"{i:02}.jpg")
    runs = [
        subprocess.Popen(
            [*FACEVEIL, "in", "-o", "out", "--report", f"{i}.json"], cwd=folder, stderr=subprocess.PIPE, text=True
        )
        for i in range(2)
    ]
    said = [run.communicate(timeout=120)[1] for run in runs]
    assert "Traceback" not in "".join(said)
    assert len(_complete(folder / "out")) == 22
    # Who comes second finds the file there: kept if it looked before, named if it was writing at the same moment.
    for run, words in zip(runs, said, strict=True):
        assert run.returncode == (1 if "failed" in words else 0)
        assert words.count("failed: ") == words.count("exists already")


def test_no_space_for_the_report_is_said(folder: Path) -> None:
    (folder / "readonly").write_text("")
    said = _run("in", "-o", "out", "--report", "readonly/r.json", cwd=folder, code=2)
    assert "cannot write the report" in said
    assert not (folder / "out").exists()
