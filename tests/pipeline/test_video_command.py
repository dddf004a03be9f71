"""Videos from the command line as a user meets it: names, options, folders, plans, five exit codes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import flow_samples as samples
import numpy as np
import pytest
from flow_samples import Scene, across, faces, film, shown, still, times, visitor
from PIL import Image

from faceveil import Policy
from faceveil.apps.cli import main, show
from faceveil.dataset import pool
from faceveil.dataset.task import Setup, Task
from faceveil.pipeline import base

COVERED = 0.5  # see test_video_flow.py
TWO = Scene((across, visitor), frames=40, sound=True)
ONE = Scene((still,), frames=12)
Command = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips, made once."""
    folder = tmp_path_factory.mktemp("made")
    film(folder / "two.mp4", TWO)
    film(folder / "one.mp4", ONE)
    return folder


@pytest.fixture
def folder(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip of one face, `clip.mp4`, which is the current one."""
    shutil.copy(made / "one.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def faceveil(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process; its standard output and error. The exit code is asserted."""

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        assert ended.value.code == code, f"exit {ended.value.code}: {said.out}{said.err}"
        return said.out, said.err

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def worst(scene: Scene, path: Path) -> float:
    return max(max(row) for row in faces(scene, shown(path)))


def test_one_video_needs_one_word(folder: Path, faceveil: Command) -> None:
    before = (folder / "clip.mp4").read_bytes()
    out, err = faceveil("clip.mp4")
    assert (out, err) == ("clip.mp4: 1 face in 12 frames -> clip_veiled.mp4\n", "")
    assert names(folder) == ["clip.mp4", "clip_veiled.mp4"]
    assert (folder / "clip.mp4").read_bytes() == before
    assert worst(ONE, folder / "clip_veiled.mp4") < COVERED
    first = (folder / "clip_veiled.mp4").read_bytes()
    out, _ = faceveil("clip.mp4", "-m", "solid")
    assert "is there already and was kept (--overwrite makes it anew)" in out
    assert (folder / "clip_veiled.mp4").read_bytes() == first
    faceveil("clip.mp4", "-m", "solid", "--overwrite")
    assert (folder / "clip_veiled.mp4").read_bytes() != first


def test_in_place(folder: Path, faceveil: Command) -> None:
    faceveil("clip.mp4", "--in-place")
    assert names(folder) == ["clip.mp4"]
    assert worst(ONE, folder / "clip.mp4") < COVERED


@pytest.mark.parametrize("name", ["out.mkv", "out.mov", "out.gif", "100%.mp4"])
def test_the_container_is_the_name_s(folder: Path, faceveil: Command, name: str) -> None:
    faceveil("clip.mp4", "-o", name)
    assert names(folder) == sorted(["clip.mp4", name])
    assert worst(ONE, folder / name) < COVERED
    if not name.endswith(".gif"):
        assert times(folder / name) == times(folder / "clip.mp4")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_row_of_pictures(folder: Path, faceveil: Command, suffix: str) -> None:
    faceveil("clip.mp4", "-o", f"frames/%05d{suffix}")
    assert names(folder / "frames") == [f"{number:05}{suffix}" for number in range(1, 13)]
    for path, before in zip(sorted((folder / "frames").iterdir()), samples.pictures(ONE), strict=True):
        with Image.open(path) as picture:
            part = (slice(100, 150), slice(135, 170))
            assert samples.likeness(before[part], np.asarray(picture)[part]) < COVERED
    _, err = faceveil("clip.mp4", "-o", f"frames/%05d{suffix}", code=1)
    assert f"frames/00001{suffix} exists already — choose another name, or overwrite it" in err
    faceveil("clip.mp4", "-o", f"frames/%05d{suffix}", "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-o", "x.jpg"], "'x.jpg' is no name for a video — known: .gif, .mp4, .m4v"),
        (["-o", "x.avi"], "'x.avi' is no name for a video"),
        (["-o", "%05d.xyz"], "'%05d.xyz' is no name for a video"),
        (["-o", "%d%d.png"], "no pictures are called %d%d.png — use a name like %05d.png"),
        (["-o", "x.webm"], "WebM cannot hold h264 video — choose another codec (av1, vp8, vp9) or another suffix"),
        (["--codec", "h265"], "'h265' is not one of"),
        (["--codec", "prores"], "MP4 cannot hold prores video"),
        (["--crf", "abc"], "'crf': input should be a valid number"),
        (["--crf", "52"], "crf of h264 goes from 0, the best, to 51, got 52"),
        (["--crf", "3", "--codec", "vp8", "-o", "x.mkv"], "crf of vp8 goes from 4, the best, to 63, got 3"),
        (["--encoder-preset", "silly"], "the encoder 'libx264' knows no preset 'silly'"),
        (["--encoder-preset", "medium", "--codec", "av1"], "the encoder 'libsvtav1' knows no preset 'medium'"),
        (["--audio", "loud"], "'loud' is not one of 'drop', 'keep', 'disguise'"),
        (["--every", "0"], "'every': input should be greater than or equal to 1"),
        (["--extend", "-1"], "'extend': input should be greater than or equal to 0"),
        (["-m", "blurr"], "no method is called 'blurr' — did you mean 'blur'?"),
        (["-d", "retina"], "no detector is called 'retina'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_requests_write_nothing(folder: Path, faceveil: Command, arguments: list[str], complaint: str) -> None:
    out, err = faceveil("clip.mp4", *arguments, code=2)
    assert complaint in err
    assert (out, err.count("\n")) == ("", 1)
    assert names(folder) == ["clip.mp4"]


def test_a_picture_does_not_become_a_video(folder: Path, faceveil: Command, portrait: Path) -> None:
    shutil.copy(portrait, folder / "photo.jpg")
    _, err = faceveil("photo.jpg", "-o", "photo.mp4", code=2)
    assert "'photo.mp4' would be another format than 'photo.jpg', and formats are kept" in err


@pytest.mark.parametrize(("option", "value"), [("--provider", "coreml"), ("--hardware", "vaapi")])
def test_a_missing_part_is_named_with_its_cure(folder: Path, faceveil: Command, option: str, value: str) -> None:
    _, err = faceveil("clip.mp4", option, value, code=3)
    assert value in err
    assert " — " in err
    assert names(folder) == ["clip.mp4"]


@pytest.mark.parametrize("kind", ["cut", "hole", "no video"])
def test_damaged_videos_fail_with_their_reason_and_leave_nothing(folder: Path, faceveil: Command, kind: str) -> None:
    data = (folder / "clip.mp4").read_bytes()
    reason = {"cut": "ends too early", "hole": "is damaged", "no video": "not a"}[kind]
    middle = len(data) // 2
    if kind == "cut":
        data = data[:middle]
    elif kind == "hole":
        data = data[:middle] + bytes(600) + data[middle + 600 :]
    else:
        data = b"hello"
    (folder / "clip.mp4").write_bytes(data)
    out, err = faceveil("clip.mp4", code=1)
    assert err.startswith("failed: clip.mp4: ")
    assert reason in err
    assert (out, err.count("\n")) == ("", 1)
    assert names(folder) == ["clip.mp4"]


def test_a_part_is_kept_if_asked_for_and_counts_as_failed(folder: Path, faceveil: Command) -> None:
    scene = Scene((across,), frames=30, options=(*ONE.options, ("bf", "0")))
    whole = film(folder / "clip.mkv", scene).read_bytes()
    with av.open(str(folder / "clip.mkv")) as file:
        starts = [packet.pos for packet in file.demux(video=0) if packet.size]
    (folder / "clip.mkv").write_bytes(whole[: (starts[20] or 0) + 40])
    _, err = faceveil("clip.mkv", "-o", "out.mkv", "--keep-partial", code=1)
    assert "the 20 frames before that are in out.mkv" in err
    assert worst(replace(scene, frames=20), folder / "out.mkv") < COVERED


@pytest.mark.parametrize("audio", ["drop", "keep", "disguise"])
def test_sound(folder: Path, faceveil: Command, made: Path, audio: str) -> None:
    out, _ = faceveil(made / "two.mp4", "-o", "out.mp4", "--audio", audio)
    with av.open(str(folder / "out.mp4")) as file:
        assert len(file.streams.audio) == (audio != "drop")
    assert ("1 sound track is dropped." in out) == (audio == "drop")
    packets = [sound(path) for path in (made / "two.mp4", folder / "out.mp4")]
    assert (packets[0] == packets[1]) == (audio == "keep")
    assert times(folder / "out.mp4") == times(made / "two.mp4")


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        tracks = file.streams.audio
        packets = file.demux(*tracks) if tracks else ()
        return [bytes(packet) for packet in packets if packet.size and not packet.is_discard]


def test_a_folder_of_photos_and_videos(folder: Path, faceveil: Command, made: Path, portrait: Path) -> None:
    """Each failure is named, the rest is done; what one video cannot be written as costs that video alone."""
    (folder / "in" / "deep").mkdir(parents=True)
    shutil.copy(portrait, folder / "in" / "photo.jpg")
    shutil.copy(made / "two.mp4", folder / "in" / "deep" / "two.mp4")
    film(folder / "in" / "old.avi", Scene((still,), frames=8), "mpeg4")
    film(folder / "in" / "web.webm", Scene((still,), frames=8), "libvpx-vp9")
    (folder / "in" / "cut.mp4").write_bytes((made / "one.mp4").read_bytes()[:900])
    (folder / "in" / "notes.txt").write_text("no video")
    arguments = ("in", "-o", "out", "--report", "r.json", "--codec", "h264", "-j", 2)
    out, err = faceveil(*arguments, code=1)
    assert out.startswith("3 done, 2 failed, 1 left alone (not pictures); ")
    assert sorted(err.splitlines()) == [
        "failed: in/cut.mp4: ends too early: some of its pictures are missing",
        "failed: in/web.webm: WebM cannot hold h264 video — choose another codec (av1, vp8, vp9) or another suffix",
    ]
    files = {entry["source"]: entry for entry in json.loads((folder / "r.json").read_text())["files"]}
    assert files["in/deep/two.mp4"]["frames"] == 40
    assert "An AVI video is written as an MP4." in files["in/old.avi"]["notes"]
    made_files = sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*.*"))
    assert made_files == ["deep/two.mp4", "old.mp4", "photo.jpg"]
    assert worst(TWO, folder / "out" / "deep" / "two.mp4") < COVERED
    assert worst(Scene((still,), frames=8), folder / "out" / "old.mp4") < COVERED
    (folder / "out" / "old.mp4").unlink()
    out, _ = faceveil(*arguments, code=1)
    assert out.startswith("1 done, 2 kept (there already; --overwrite makes them anew), 2 failed")


def test_neutral_names(folder: Path, faceveil: Command, made: Path) -> None:
    (folder / "in").mkdir()
    shutil.copy(made / "one.mp4", folder / "in" / "Alice.MP4")
    film(folder / "in" / "Bob.avi", Scene((still,), frames=8), "mpeg4")
    faceveil("in", "-o", "out", "--neutral-names", "--report", "r.json")
    outputs = names(folder / "out")
    assert [Path(name).suffix for name in outputs] == [".mp4", ".mp4"]
    assert not any(word in name for name in outputs for word in ("Alice", "Bob"))
    report = {entry["source"]: entry["output"] for entry in json.loads((folder / "r.json").read_text())["files"]}
    assert len(shown(Path(report["in/Alice.MP4"]))) == 12


def test_a_plan_is_made_and_applied(folder: Path, faceveil: Command) -> None:
    faceveil("clip.mp4", "-o", "once.mp4", "-m", "noise", "--seed", 5)
    out, _ = faceveil("clip.mp4", "--plan", "plan.jsonl", "-m", "noise", "--seed", 5)
    assert "the plan is in plan.jsonl; it is personal data" in out
    assert len((folder / "plan.jsonl").read_text().splitlines()) == 13
    faceveil("apply", "plan.jsonl", "-o", "twice.mp4")
    assert (folder / "once.mp4").read_bytes() == (folder / "twice.mp4").read_bytes()
    film(folder / "clip.mp4", Scene((across,), frames=12))
    _, err = faceveil("apply", "plan.jsonl", code=1)
    assert "failed: clip.mp4: has changed since its plan was made — make the plan anew" in err


def test_verification_of_a_video(folder: Path, faceveil: Command) -> None:
    faceveil("clip.mp4", "-o", "good.mp4", "--verify")
    faceveil("clip.mp4", "-o", "kept.mp4", "--verify", "-m", "keep")
    _, err = faceveil("clip.mp4", "-o", "bad.mp4", "--verify", "--min-score", "1", code=4)
    assert err == (
        "refused: clip.mp4: bad.mp4 was not published: 1 face is still visible — it is kept in "
        "bad.mp4.quarantine/bad.mp4\n"
    )
    assert names(folder) == ["bad.mp4.quarantine", "clip.mp4", "good.mp4", "kept.mp4"]
    aside = folder / "bad.mp4.quarantine"
    assert names(aside) == ["bad.mp4", "bad.mp4.json"]
    assert json.loads((aside / "bad.mp4.json").read_text())["clean"] is False
    assert min(faces(ONE, shown(aside / "bad.mp4"))[0]) > 0.9
    for name, code in (("good.mp4", 0), ("kept.mp4", 4)):
        faceveil("check", name, "--original", "clip.mp4", code=code)


@pytest.mark.parametrize("name", ["frames/%03d.png", "out.gif"])
def test_verification_of_pictures(folder: Path, faceveil: Command, name: str) -> None:
    """A kept face may be seen where it is in that picture, and nowhere else."""
    film(folder / "clip.mp4", Scene((lambda number: (10 + 20 * number, 60),), frames=6))
    faceveil("clip.mp4", "-o", name, "--verify", "-m", "keep")
    faceveil("clip.mp4", "-o", name, "--verify", "--overwrite")
    _, err = faceveil("clip.mp4", "-o", name, "--verify", "--overwrite", "--min-score", "1", code=4)
    assert "was not published: 1" in err or "faces are still visible" in err
    aside = folder / f"{name}.quarantine" / Path(name.replace("%03d", "001")).name
    assert aside.is_file()


# --- long videos -----------------------------------------------------------------------------------------------------


def test_a_long_video_says_how_far_it_is(faceveil: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "_EVERY_S", 0.0)
    monkeypatch.setattr(base, "EVERY_S", 0.0)
    _, err = faceveil("clip.mp4", "-o", "out.mp4")
    first, *_, last = err.splitlines()
    assert first == "clip.mp4: frame 0 of 12, looking ahead"
    assert last.startswith("clip.mp4: frame 12 of 12, ")
    assert " fps, 1 face, 0 s left" in last
    _, err = faceveil("clip.mp4", "-o", "quiet.mp4", "-q")
    assert err == ""


def test_a_video_that_takes_longer_than_the_limit_is_alive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word of a worker begins the limit anew, and looking ahead is a word, too."""
    film(folder / "long.mp4", Scene((across, visitor), frames=50, size=(960, 540)))
    setup = Setup(policy=Policy(detector="mtcnn:min_size=20"), threads=1)
    told: list[int] = []
    worker = pool._Worker(setup)
    worker.ask(Task(source=folder / "clip.mp4", output=folder / "out.mp4"))  # it starts, and loads its networks
    monkeypatch.setattr(pool, "TIME_LIMIT_S", 2.0)
    started = time.monotonic()
    task = Task(source=folder / "long.mp4", output=folder / "long_out.mp4")
    outcome = worker.ask(task, lambda _, at: told.append(at.frames))
    worker.close()
    assert (outcome.status, outcome.frames) == ("done", 50)
    assert time.monotonic() - started > pool.TIME_LIMIT_S, "too fast to prove anything: take more frames"
    assert told[0] == 0
    assert told == sorted(told)
