"""A file is complete or absent: full disks, kills, races, leftovers, permissions."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import media_samples as samples
import pytest

from faceveil import media
from faceveil.errors import OutputError
from faceveil.media import atomic
from faceveil.types import Frame

FRAME = Frame(samples.picture())
INFO = media.Info("PNG", samples.WIDTH, samples.HEIGHT)


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.endswith(".part"))


def test_publish_writes_whole_files(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    media.publish(tmp_path / "a", data)
    assert (tmp_path / "a").read_bytes() == data
    assert leftovers(tmp_path) == []


def test_existing_files_stay_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"a exists already — choose another name, or overwrite it$"):
        media.publish(path, b"new")
    assert path.read_bytes() == b"old"
    media.publish(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert leftovers(tmp_path) == []


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(OutputError, match="exists already"), media.writing(path) as file:
        file.write(b"new")
        path.write_bytes(b"other")
    assert path.read_bytes() == b"other"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    media.publish(tmp_path / "a", b"first")
    assert (tmp_path / "a").read_bytes() == b"first"
    with pytest.raises(OutputError, match="exists already"), media.writing(tmp_path / "b") as file:
        file.write(b"new")
        (tmp_path / "b").write_bytes(b"other")
    assert (tmp_path / "b").read_bytes() == b"other"
    assert leftovers(tmp_path) == []


def test_links_are_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OutputError, match="exists already"):
        media.publish(tmp_path / "link", b"new")
    media.publish(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert not (tmp_path / "link").is_symlink()


def test_permissions_respect_umask_and_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        media.publish(tmp_path / "a", b"x")
        media.publish(tmp_path / "b", b"x", mode=0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_an_error_inside_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), media.writing(tmp_path / "a") as file:
        file.write(b"half")
        assert leftovers(tmp_path)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError), media.writing(tmp_path / "a"):
        (tmp_path / "other").read_bytes()  # an error of the block stays what it is
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("missing/a", "there is no such folder"), ("file/a", "not a directory"), ("x" * 300, "file name too long")],
)
def test_impossible_targets_are_said(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=f"^cannot write {tmp_path}/{name}: {sentence}$"):
        media.publish(tmp_path / name, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match="a: it is a folder$"):
        media.publish(tmp_path / "a", b"x", overwrite=True)
    assert leftovers(tmp_path) == []


def test_names_as_long_as_the_system_allows(tmp_path: Path) -> None:
    name = "é" * 125 + ".jpg"
    media.publish(tmp_path / name, b"x")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_temporary_names_are_hidden_and_not_guessable(tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        with media.writing(tmp_path / "a", overwrite=True):
            seen |= set(leftovers(tmp_path))
    assert len(seen) == 2
    assert all(re.fullmatch(r"\.faceveil-[0-9a-f]{12}-[0-9a-f]{16}\.part", name) for name in seen)


def _limited(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    start = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    start += "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
    return subprocess.run(
        [sys.executable, "-c", start + code, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom faceveil.media import publish\nfrom faceveil.errors import OutputError\n"
        "try: publish(sys.argv[1], bytes(1_000_000))\nexcept OutputError as error: print(error)\n"
    )
    done = _limited(code, str(tmp_path / "a"))
    assert (done.stdout, done.stderr) == (f"cannot write {tmp_path}/a: file too large\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("mounting needs rights that this machine does not give; the file size limit is tested above")
    try:
        for size in (70_000, 1_000_000):
            with pytest.raises(OutputError, match=r"a: no space left on device$"):
                media.publish(disk / "a", os.urandom(size))
            assert list(disk.iterdir()) == []
        media.publish(disk / "a", bytes(1000))
        assert (disk / "a").read_bytes() == bytes(1000)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


_SLOW = """
import sys, time
from faceveil.media import writing
with writing(sys.argv[1], overwrite=True) as file:
    file.write(bytes(100_000)); file.flush()
    print("half", flush=True)
    time.sleep(60)
"""


def test_a_killed_run_leaves_no_final_name_and_the_next_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "a"
    process = subprocess.Popen([sys.executable, "-c", _SLOW, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    alive = leftovers(tmp_path)
    atomic.remove_stale(path)
    assert leftovers(tmp_path) == alive != []  # it is being written: not stale
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not path.exists()
    media.publish(tmp_path / "b", b"x")
    assert leftovers(tmp_path) == alive  # not b's
    media.publish(path, b"done")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


_LOOP = """
import sys
from faceveil.media import publish
data = [bytes([i]) * 400_000 for i in range(2)]
print("ready", flush=True)
while True:
    for d in data: publish(sys.argv[1], d, overwrite=True)
"""


def test_kills_at_any_moment_leave_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for i in range(6):
        process = subprocess.Popen([sys.executable, "-c", _LOOP, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 + 0.003 * i)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if path.exists():
            data = path.read_bytes()
            assert len(data) == 400_000
            assert len(set(data)) == 1
    media.publish(path, b"end", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    glob = Path.glob

    def counted(self: Path, pattern: str) -> Iterator[Path]:
        listed.append(self)
        return iter(glob(self, pattern))

    monkeypatch.setattr(Path, "glob", counted)
    for i in range(5):
        media.publish(tmp_path / str(i), b"x")
    assert listed == [tmp_path]


def test_two_writers_of_one_name_do_not_clash(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom faceveil.media import publish\n"
        "for i in range(80): publish(sys.argv[1], sys.argv[2].encode() * 1000, overwrite=True)\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a"), word]) for word in "xy"]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert (tmp_path / "a").read_bytes() in (b"x" * 1000, b"y" * 1000)
    assert leftovers(tmp_path) == []


# --- the sink ------------------------------------------------------------------------------------------------------


def test_the_sink_publishes_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with media.create(path, INFO) as sink:
        sink.append(FRAME)
        assert list(tmp_path.iterdir()) == []
    assert media.open(path).info.size == (samples.WIDTH, samples.HEIGHT)


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), media.create(tmp_path / "a.png", INFO) as sink:
        sink.append(FRAME)
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_none_or_two_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="got no frame"), media.create(tmp_path / "a.png", INFO):
        pass
    with pytest.raises(OutputError, match="one frame only"), media.create(tmp_path / "a.png", INFO) as sink:
        sink.append(FRAME)
        sink.append(FRAME)
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415

    wide = Frame(np.zeros((1, 70_000, 3), np.uint8))
    for form in ("JPEG", "WebP"):
        with pytest.raises(OutputError), media.create(tmp_path / "a", media.Info(form, 70_000, 1)) as sink:
            sink.append(wide)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", samples.FORMATS)
def test_an_encoder_that_stops_early_is_noticed(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceveil.media import codecs  # noqa: PLC0415

    module = codecs.codec(form)
    whole = module.encode(FRAME, media.Info.plain(form, FRAME))
    for cut in (len(whole) - 1, len(whole) // 2, 20, 0):
        monkeypatch.setattr(module, "encode", lambda *_, cut=cut: whole[:cut])
        with pytest.raises(OutputError):
            media.encode(FRAME, media.Info.plain(form, FRAME))
