"""Long videos that are killed, interrupted, run twice or meet a full disk; and the memory that they take."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flow_samples as samples
import pytest
from flow_samples import Place, Scene, film, times

FACEVEIL = [sys.executable, "-m", "faceveil"]
# A whole look at three frames a second and nothing in between: these tests are about what becomes of it.
QUICK = ("--preset", "fast", "--every", "8")


def walk(number: int) -> Place:
    """A head that walks to and fro for ever."""
    return (abs(number % 120 - 60), 10)


LONG = Scene(
    (walk,), frames=1200, size=(128, 96), head=64, options=(("crf", "30"), ("preset", "ultrafast"), ("g", "100"))
)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of two segments."""
    return film(tmp_path_factory.mktemp("long") / "long.mp4", LONG)


@contextmanager
def begun(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A run of the command in the background."""
    command = [*FACEVEIL, *map(str, arguments)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def finished(folder: Path, *arguments: object, code: int = 0) -> str:
    """What a whole run of the command says; the exit code is asserted."""
    command = [*FACEVEIL, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def wait_for(folder: Path, pattern: str, run: subprocess.Popen[str], seconds: float = 60) -> Path:
    """The first file of this pattern, as soon as it is there."""
    end = time.monotonic() + seconds
    while not (found := sorted(folder.glob(pattern))):
        assert run.poll() is None, "it ended before"
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
    return found[0]


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_killed_run_goes_on_from_the_last_segment(tmp_path: Path, long: Path) -> None:
    """To the same bytes, with noise and no seed given too: the seed of the first run goes on."""
    command = (long, "-o", "out.mp4", *QUICK, "-m", "noise", "-q")
    with begun(tmp_path, *command) as run:
        segment = wait_for(tmp_path, ".faceveil-*-work/000000.segment", run)
        run.kill()
        run.wait()
    assert visible(tmp_path) == [segment.parent.name]
    before, journal = segment.stat(), (segment.parent / "journal").read_text().splitlines()
    assert len(journal) > 1000
    with begun(tmp_path, *command) as run:
        wait_for(tmp_path, ".faceveil-*-work/000001.segment.part", run)
        # It did not begin anew: segment and journal are those of the first run.
        again = segment.stat()
        assert (again.st_ino, again.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert (segment.parent / "journal").read_text().splitlines()[: len(journal) - 1] == journal[:-1]
        assert run.wait() == 0
    seed = json.loads(journal[0])["seed"]
    finished(tmp_path, long, "-o", "whole.mp4", *QUICK, "-m", "noise", "--seed", seed, "-q")
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert times(tmp_path / "out.mp4") == times(long)
    assert visible(tmp_path) == ["out.mp4", "whole.mp4"]


def test_other_settings_begin_anew(tmp_path: Path, long: Path) -> None:
    with begun(tmp_path, long, "-o", "out.mp4", *QUICK, "-q") as run:
        segment = wait_for(tmp_path, ".faceveil-*-work/000000.segment", run)
        run.kill()
        run.wait()
    with begun(tmp_path, long, "-o", "out.mp4", *QUICK, "-q", "-m", "solid") as run:
        end = time.monotonic() + 60
        while segment.exists() and time.monotonic() < end:
            time.sleep(0.005)
        assert not segment.exists()
        assert run.poll() is None


def test_ctrl_c_leaves_nothing_under_the_name(tmp_path: Path, long: Path) -> None:
    with begun(tmp_path, long, "-o", "out.mp4", *QUICK) as run:
        wait_for(tmp_path, ".faceveil-*-work/*.segment*", run)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert (out, err.strip()) == ("", "faceveil: interrupted")
    assert not (tmp_path / "out.mp4").exists()
    assert all(name.startswith(".faceveil-") for name in visible(tmp_path))


def test_two_runs_of_one_target_are_told_apart(tmp_path: Path, long: Path) -> None:
    with begun(tmp_path, long, "-o", "out.mp4", *QUICK, "-q") as run:
        wait_for(tmp_path, ".faceveil-*-work/*.segment*", run)
        said = finished(tmp_path, long, "-o", "out.mp4", *QUICK, "-q", code=1)
        assert said == f"failed: {long}: out.mp4 is being made by another run\n"
        assert run.poll() is None, "the first run was disturbed"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_fails_by_name_and_leaves_nothing(tmp_path: Path, tiny_disk: Path) -> None:
    clip = film(tmp_path / "clip.mp4", Scene((samples.across,), frames=50))
    said = finished(tmp_path, "clip.mp4", "-o", tiny_disk / "out.mp4", "--crf", "1", code=1)
    assert said == f"failed: {clip.name}: cannot write {tiny_disk}/out.mp4: no space left on device\n"
    assert visible(tiny_disk) == []


PEAK = """
import resource, sys
from faceveil.apps.cli import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Ten times the frames, the same peak of the whole process: within a tenth of it."""
    peaks = []
    for frames in (60, 600):
        scene = Scene(
            (lambda number: (40 + number % 100, 60),), frames=frames, size=(640, 360), head=128, options=LONG.options
        )
        film(tmp_path / f"{frames}.mp4", scene)
        command = [sys.executable, "-c", PEAK, f"{frames}.mp4", "--preset", "fast", "-q"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < peaks[0] * 1.1, peaks
