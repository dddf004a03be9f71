"""Files, windows and virtual cameras."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
from live_samples import RATE, Endless, Scripted, exposed, leftovers, read, write

from faceveil import live, planes
from faceveil.errors import MissingExtra, OutputError, RequestError
from faceveil.live.camera import VirtualCamera
from faceveil.live.recording import Recording
from faceveil.live.report import Meter
from faceveil.live.window import Window
from faceveil.policy import Policy
from faceveil.types import Planes

Matrix = Literal["bt601", "bt709", "bt2020", "rgb", "grey"]


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    yield
    assert leftovers() == []


def flat(
    height: int, width: int, values: tuple[int, ...], time: Fraction = Fraction(0), orientation: int = 1, bits: int = 8
) -> Planes:
    """A frame of one colour, 4:2:0."""
    sizes = [(height, width), *[(-(-height // 2), -(-width // 2))] * 2]
    dtype = np.uint8 if bits == 8 else np.uint16
    parts = tuple(np.full(size, value, dtype) for size, value in zip(sizes, values, strict=True))
    return Planes(parts, bits, matrix="bt709", orientation=orientation, time=time)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.mp4", "OUT.MKV"])
def test_a_recording_is_whole_and_covered(tmp_path: Path, name: str) -> None:
    write(tmp_path / "in.mp4", 2 * RATE)
    report = live.run(tmp_path / "in.mp4", [str(tmp_path / name)], looks=Scripted().looks())
    assert report.sinks == (str(tmp_path / name),)
    pictures = read(tmp_path / name)
    assert len(pictures) == report.shown - sum(report.skipped.values())
    assert not any(map(exposed, pictures))
    with av.open(str(tmp_path / name)) as container:
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands", "encoder"}
        assert container.metadata.get("encoder", "Lavf") == "Lavf"  # no version
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.duration == pytest.approx(2_000_000, abs=600_000)
    if name == "out.mp4":
        assert _boxes((tmp_path / name).read_bytes()) == ["ftyp", "free", "mdat", "moov"]  # no fragments any more
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.mp4", name])


def _boxes(data: bytes) -> list[str]:
    """The outermost boxes of an MP4."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        size = int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
        found.append(data[at + 4 : at + 8].decode())
        at += size
    return found


def test_times_are_kept(tmp_path: Path) -> None:
    times = [Fraction(7), Fraction(71, 10), Fraction(75, 10), Fraction(751, 100)]
    recording = Recording(tmp_path / "out.mkv", Policy(), overwrite=False)
    for time_ in times:
        recording.show(flat(64, 64, (90, 128, 128), time_))
    recording.close(complete=True)
    with av.open(str(tmp_path / "out.mkv")) as container:
        found = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert found == pytest.approx([0, 0.1, 0.5, 0.51], abs=0.0011)


@pytest.mark.parametrize(("orientation", "bits"), [(1, 8), (6, 8), (3, 10), (1, 10)])
def test_a_recording_is_upright_and_of_even_size(tmp_path: Path, orientation: int, bits: int) -> None:
    scale = 1 << (bits - 8)
    recording = Recording(tmp_path / "out.mkv", Policy(), overwrite=False)
    for number in range(3):
        moment = flat(45, 81, (90 * scale, 100 * scale, 160 * scale), Fraction(number, 25), orientation, bits)
        recording.show(moment)
    recording.close(complete=True)
    picture = read(tmp_path / "out.mkv")[0]
    assert picture.shape == ((80, 44, 3) if orientation == 6 else (44, 80, 3))
    wanted = planes.small(moment, 8)[0, 0].astype(int)
    assert np.abs(picture[20, 20].astype(int) - wanted).max() <= 4


def test_a_picture_of_another_size_is_scaled(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "out.mkv", Policy(), overwrite=False)
    recording.show(flat(64, 64, (90, 128, 128)))
    recording.show(flat(32, 96, (200, 128, 128), Fraction(1)))
    recording.close(complete=True)
    assert [picture.shape for picture in read(tmp_path / "out.mkv")] == [(64, 64, 3)] * 2


def test_nothing_to_record_is_no_file(tmp_path: Path) -> None:
    Recording(tmp_path / "out.mp4", Policy(), overwrite=False).close(complete=True)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        live.run(Endless(), [str(tmp_path / "out.mp4")], looks=Scripted().looks())
    with pytest.raises(OutputError, match="no such folder"):
        live.run(Endless(), [str(tmp_path / "nowhere" / "out.mp4")], looks=Scripted().looks())
    assert (tmp_path / "out.mp4").read_text() == "mine"


def test_a_killed_run_leaves_no_recording_and_the_next_removes_what_is_left(tmp_path: Path) -> None:
    write(tmp_path / "in.mp4", 8 * RATE)
    command = [sys.executable, "-m", "faceveil", "live", "in.mp4", "--preset", "fast", "--to", "out.mkv"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size for path in tmp_path.glob(".faceveil-*.part")):
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
    assert not (tmp_path / "out.mkv").exists()
    recording = Recording(tmp_path / "out.mkv", Policy(), overwrite=False)
    recording.show(flat(64, 64, (90, 128, 128)))
    recording.close(complete=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mkv"]


# --- windows and cameras ---------------------------------------------------------------------------------------------


@pytest.fixture
def dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame", reason="needs pygame-ce: pip install 'faceveil[window]'")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.usefixtures("dummy")
def test_a_window_shows_the_picture_in_proportion() -> None:
    import pygame  # noqa: PLC0415

    window = Window()
    window.show(flat(90, 160, (235, 128, 128)))
    screen = pygame.display.get_surface()
    assert screen is not None
    assert screen.get_size() == (1280, 720)
    assert screen.get_at((640, 360))[:3] == (255, 255, 255)
    window.show(flat(90, 90, (235, 128, 128), Fraction(1)))
    assert screen.get_at((640, 360))[:3] == (255, 255, 255)
    assert screen.get_at((10, 360))[:3] == (0, 0, 0)
    window.close(complete=True)


@pytest.mark.usefixtures("dummy")
@pytest.mark.parametrize("how", ["QUIT", "ESCAPE"])
def test_closing_the_window_ends_the_run(how: str) -> None:
    import pygame  # noqa: PLC0415

    class Watched(Window):
        def __init__(self) -> None:
            super().__init__()
            self.shown = 0

        def show(self, moment: Planes) -> None:
            self.shown += 1
            if self.shown == 3:
                escape = pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE)
                pygame.event.post(pygame.event.Event(pygame.QUIT) if how == "QUIT" else escape)
            super().show(moment)

    window = Watched()
    report = live.run(Endless(), [window], looks=Scripted().looks())
    assert window.shown == 3
    assert report.error == ""
    assert not pygame.display.get_init()


@pytest.mark.usefixtures("dummy")
def test_there_is_one_window_at_most() -> None:
    with pytest.raises(RequestError, match="one window"):
        live.run(Endless(), ["window", "window"], looks=Scripted().looks())


def test_without_pygame_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(MissingExtra, match=r"the sink 'window' needs pygame-ce — pip install 'faceveil\[window\]'"):
        Window()


def test_without_pyvirtualcam_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(MissingExtra, match=r"the sink 'camera' needs pyvirtualcam — pip install 'faceveil\[camera\]'"):
        VirtualCamera()


# --- counting --------------------------------------------------------------------------------------------------------


def test_latencies_are_exact_to_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceveil.live.report.time.monotonic", lambda: 100.0)
    meter = Meter("x", ())
    for milliseconds in range(1, 101):
        meter.done(100 - milliseconds / 1000)
    meter.done(0)
    assert meter.report().latency_ms == (51, 96, 60_000)


def test_a_meter_without_frames_is_all_zero() -> None:
    meter = Meter("x", ("y",))
    meter.settle()
    assert meter.report().as_dict() == {
        **dict.fromkeys("frames shown veiled dropped damaged faces reconnects fps seconds".split(), 0),
        "source": "x",
        "sinks": ("y",),
        "latency_ms": {"median": 0, "p95": 0, "max": 0},
        "skipped": {},
        "error": "",
    }
