"""Originals leave the machine where the user has said so, and on no other way; the services of these tests listen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from cloud_server import Services
from PIL import Image

import faceveil
from faceveil import live, plugins
from faceveil.dataset.batch import process
from faceveil.dataset.task import Setup, Task, run
from faceveil.detect import build
from faceveil.detect.base import Detector
from faceveil.detect.cloud import Cloud
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.live import LiveSettings
from faceveil.policy import Policy
from faceveil.types import Frame

BLANK = Frame(np.zeros((90, 90, 3), np.uint8))


@pytest.fixture
def folder(tmp_path: Path, portrait: Path) -> Path:
    """A folder with `photo.jpg` and `clip.mp4`, half a second of it."""
    shutil.copy(portrait, tmp_path / "photo.jpg")
    with Image.open(portrait) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((256, 256)))
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = cast("Any", container.add_stream("libx264", rate=Fraction(12)))
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return tmp_path


def command(*arguments: object, cwd: Path, code: int = 0) -> tuple[str, str]:
    """Run a command; its standard output and error. The exit code is asserted."""
    line = [sys.executable, "-m", "faceveil", *map(str, arguments)]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def made(spec: str) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec))


def nested(spec: str) -> str:
    call = spec.replace(":", "(", 1) + ")" if ":" in spec else spec
    return f"union(centerface:size=64, tiles(flip({call})))"


Way = Callable[[str, Path], object]
WAYS: dict[str, Way] = {
    "called": lambda spec, folder: made(spec)(BLANK),
    "called within others": lambda spec, folder: made(nested(spec))(BLANK),
    "bound": lambda spec, folder: made(spec).on(Runtime()),
    "bound within others": lambda spec, folder: made(nested(spec)).on(Runtime()),
    "built": lambda spec, folder: build("balanced", spec, Runtime(), min_score=0.5),
    "built within others": lambda spec, folder: build("thorough", nested(spec), Runtime()),
    "an array": lambda spec, folder: faceveil.veil(BLANK.pixels, detector=spec),
    "a picture": lambda spec, folder: faceveil.veil(folder / "photo.jpg", detector=spec),
    "a plan": lambda spec, folder: faceveil.analyse(folder / "photo.jpg", detector=nested(spec)),
    "a video": lambda spec, folder: faceveil.veil(folder / "clip.mp4", detector=spec),
    "a video's plan": lambda spec, folder: faceveil.analyse(folder / "clip.mp4", detector=nested(spec)),
    "a check": lambda spec, folder: run(_task(folder), Setup(policy=Policy(detector=spec), action="check")),
    "a task": lambda spec, folder: run(_task(folder), Setup(policy=Policy(detector=nested(spec)))),
    "live": lambda spec, folder: live.run(
        folder / "clip.mp4", [str(folder / "out.mp4")], Policy(detector=spec), LiveSettings()
    ),
}


def _task(folder: Path) -> Task:
    return Task(source=folder / "photo.jpg", output=folder / "out.jpg")


@pytest.mark.parametrize("way", WAYS)
def test_without_consent_nothing_is_sent_on_any_way(
    way: str, cloud_spec: str, services: Services, folder: Path
) -> None:
    name = cloud_spec.partition(":")[0]
    with pytest.raises(RequestError, match=f"detector '{name}' would send the originals to .*, out of this machine"):
        WAYS[way](cloud_spec, folder)
    assert services.connections == 0
    assert {path.name for path in folder.iterdir()} == {"photo.jpg", "clip.mp4"}


def test_workers_refuse_what_their_policy_does_not_allow(cloud_spec: str, services: Services, folder: Path) -> None:
    tasks = [_task(folder), Task(source=folder / "photo.jpg", output=folder / "other.jpg")]
    outcomes = list(process(tasks, Setup(policy=Policy(detector=cloud_spec)), workers=2))
    assert [outcome.status for outcome in outcomes] == ["failed", "failed"]
    assert all("out of this machine — allow it with --allow-cloud" in outcome.reason for outcome in outcomes)
    assert services.connections == 0


def test_no_service_can_take_consent_from_elsewhere() -> None:
    def below(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    for kind in below(Cloud) - {Cloud}:
        assert "__call__" not in vars(kind)
        assert "_expect_consent" not in vars(kind)
        assert "on" not in vars(kind)


@pytest.mark.parametrize(
    "arguments",
    [
        ("photo.jpg", "-o", "out.jpg", "-d"),
        ("clip.mp4", "--plan", "plan.jsonl", "-d"),
        ("check", "photo.jpg", "-d"),
        ("live", "clip.mp4", "--to", "out.mp4", "-d"),
    ],
    ids=["a picture", "a video's plan", "a check", "live"],
)
def test_commands_without_consent_end_before_they_start(
    arguments: tuple[str, ...], services: Services, folder: Path
) -> None:
    _, err = command(*arguments, "union(centerface, rekognition)", cwd=folder, code=2)
    assert err == (
        "faceveil: detector 'rekognition' would send the originals to Amazon Rekognition, out of this machine — "
        "allow it with --allow-cloud, or allow_cloud: true\n"
    )
    assert services.connections == 0
    assert {path.name for path in folder.iterdir()} == {"photo.jpg", "clip.mp4"}


def test_a_job_says_consent_itself(cloud_spec: str, services: Services, folder: Path) -> None:
    job = folder / "job.yml"
    job.write_text(f"source: photo.jpg\noutputs: out.jpg\ndetector: {cloud_spec}\n")
    _, err = command("run", "job.yml", cwd=folder, code=2)
    assert err.startswith("faceveil: job.yml, line 3: detector '")
    assert services.connections == 0
    job.write_text(job.read_text() + "allow_cloud: true\n")
    _, err = command("run", "job.yml", cwd=folder)
    assert err.startswith("note: 1 picture to ")
    assert len(services.asked) == 1
    assert (folder / "out.jpg").exists()


def test_with_consent_a_picture_is_sent_once_and_its_face_covered(
    cloud_spec: str, services: Services, folder: Path
) -> None:
    out, err = command("photo.jpg", "-o", "out.jpg", "-d", cloud_spec, "--allow-cloud", "-m", "solid", cwd=folder)
    assert out == "photo.jpg: 1 face -> out.jpg\n"
    assert err.count("\n") == 1
    assert "1 picture to " in err
    assert ": less than 0.01 USD at 1." in err
    assert len(services.asked) == 1
    with Image.open(folder / "photo.jpg") as before, Image.open(folder / "out.jpg") as after:
        change = np.abs(np.asarray(before).astype(int) - np.asarray(after)).max(2)
    assert (change[60:170, 185:265] > 8).mean() > 0.9
    assert (change[:, :60] > 8).mean() < 0.01
    _, err = command("photo.jpg", "-o", "out.jpg", "-d", cloud_spec, "--allow-cloud", "-m", "solid", cwd=folder)
    assert err == ""
    assert len(services.asked) == 1


def test_a_batch_of_pictures_and_videos(services: Services, folder: Path) -> None:
    spec = services.specs["google-vision"]
    frames = [Image.new("RGB", (90, 90), color) for color in ("red", "green", "blue")]
    frames[0].save(folder / "move.gif", save_all=True, append_images=frames[1:])
    _, err = command(".", "-o", "out", "-d", spec, "--allow-cloud", "--report", "r.json", cwd=folder)
    report = json.loads((folder / "r.json").read_text())
    assert report["totals"]["done"] == 3
    assert report["policy"]["allow_cloud"] is True
    assert "note: 10 pictures to " in err
    assert len(services.asked) == 10
    assert all(max(asked.picture.size) <= 512 for asked in services.asked)


def test_checking_with_a_service(services: Services, folder: Path) -> None:
    arguments = ("check", "photo.jpg", "-d", "rekognition", "--min-score", 0.6)
    out, err = command(*arguments, "--allow-cloud", cwd=folder, code=4)
    assert "1 face is still visible" in out
    assert "1 picture to " in err
    assert "each takes several requests" in err
    assert 4 <= len(services.asked) <= 8


def test_live_pictures_of_a_service(services: Services, folder: Path) -> None:
    _, err = command("live", "clip.mp4", "--to", "out.mkv", "-d", "rekognition", "--allow-cloud", cwd=folder)
    assert "note: an hour at 25 frames a second to Amazon Rekognition: about 90.00 USD" in err
    assert 2 <= len(services.asked) <= 7  # a first look at black, and those that came in time
    assert (folder / "out.mkv").exists()


def test_a_refusal_costs_the_file_and_leaves_nothing(services: Services, folder: Path) -> None:
    services.troubles.append((400, {"__type": "AccessDeniedException", "Message": "Not you."}))
    _, err = command("photo.jpg", "-o", "out.jpg", "-d", "rekognition", "--allow-cloud", "-q", cwd=folder, code=1)
    assert err == (
        "failed: photo.jpg: Amazon Rekognition refused: AccessDeniedException: Not you — "
        "the account needs the permission rekognition:DetectFaces\n"
    )
    assert not (folder / "out.jpg").exists()
    services.troubles.extend([(400, {"__type": "InvalidImageFormatException"})] * 9)
    _, err = command("clip.mp4", "-o", "out.mp4", "-d", "rekognition", "--allow-cloud", "-q", cwd=folder, code=1)
    assert "InvalidImageFormatException" in err
    assert not (folder / "out.mp4").exists()


def test_missing_credentials_start_nothing(services: Services, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    _, err = command("photo.jpg", "-d", "rekognition", "--allow-cloud", cwd=folder, code=2)
    assert err == (
        "faceveil: detector 'rekognition' needs an AWS region — write rekognition:region=eu-central-1, "
        "or set AWS_DEFAULT_REGION\n"
    )
    assert services.connections == 0
    assert not (folder / "photo_veiled.jpg").exists()
