"""A run from end to end: nothing is shown that was not looked at, covered, and old enough."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from live_samples import FAST, RATE, Collector, Scripted, exposed, leftovers, meanwhile, number_of, portrait, write

from faceveil import live
from faceveil.errors import InputError, OutputError, RequestError
from faceveil.live import LiveReport, LiveSettings
from faceveil.live.sources import Played
from faceveil.policy import Policy
from faceveil.types import Planes


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the portrait."""
    path = tmp_path_factory.mktemp("clip") / "portrait.mp4"
    write(path, 2 * RATE)
    return path


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    yield
    assert leftovers() == []


def test_the_samples_tell_a_face_from_a_cover(clip: Path) -> None:
    assert exposed(portrait())
    covered = portrait()
    covered[20:100, 70:150] = 128
    assert not exposed(covered)


def test_a_file_is_played_at_its_own_pace_with_the_face_covered(clip: Path) -> None:
    sink = Collector()
    accounts: list[LiveReport] = []
    started = time.monotonic()
    report = live.run(clip, [sink], FAST, progress=accounts.append)
    assert report.frames == 2 * RATE == report.shown + report.veiled + report.dropped
    assert report.shown == len(sink.pictures) >= 10
    assert report.faces == 1
    assert report.veiled == report.damaged == report.reconnects == 0
    assert not any(map(exposed, sink.pictures))
    assert all(sink.moments[i].time < sink.moments[i + 1].time for i in range(len(sink.moments) - 1))
    assert time.monotonic() - started > 2
    assert report.latency_ms[0] >= 500
    assert accounts[-1] == report
    assert sink.complete


def test_nothing_but_the_face_changes(clip: Path) -> None:
    sink = Collector()
    live.run(clip, [sink], FAST)
    for picture in sink.pictures:
        plain = portrait(number_of(picture))
        assert np.abs(picture[150:].astype(int) - plain[150:]).mean() < 5


def test_every_frame_waits_for_the_delay(clip: Path) -> None:
    arrived: dict[int, float] = {}

    class Noted(live.Source):
        name, again = "noted", False

        def frames(self, stop: threading.Event) -> Iterator[Planes]:
            for moment in Played(clip).frames(stop):
                arrived[moment.index] = time.monotonic()
                yield moment

    sink = Collector()
    live.run(Noted(), [sink], settings=LiveSettings(delay=0.3), looks=Scripted().looks())
    waited = [at - arrived[moment.index] for at, moment in zip(sink.at, sink.moments, strict=True)]
    assert waited
    assert min(waited) >= 0.3


def test_a_face_is_covered_before_it_is_first_found(clip: Path) -> None:
    sink = Collector()
    live.run(clip, [sink], looks=Scripted(since=25).looks())
    bare = [number_of(picture) for picture in sink.pictures if exposed(picture)]
    assert bare  # or this test would prove nothing
    assert max(bare) < 25 - 0.5 * RATE + 1  # the delay, and what `extend` covers of it


def test_without_a_delay_the_look_alone_decides(clip: Path) -> None:
    sink = Collector()
    report = live.run(clip, [sink], settings=LiveSettings(delay=0), looks=Scripted(since=25).looks())
    assert report.latency_ms[0] < 500
    assert all(number_of(picture) < 25 for picture in sink.pictures if exposed(picture))


def test_nothing_is_shown_before_the_detector_has_seen_anything(clip: Path) -> None:
    slow = Scripted()
    sink = Collector()
    looks = slow.looks(shut=True)
    with meanwhile(lambda: live.run(clip, [sink], looks=looks)):
        time.sleep(1.2)
        assert sink.pictures == []
        slow.open()
    assert sink.pictures
    assert not any(map(exposed, sink.pictures))


# --- overload --------------------------------------------------------------------------------------------------------


def test_frames_that_come_too_fast_are_dropped(clip: Path) -> None:
    sink = Collector()
    report = live.run(clip, [sink], looks=Scripted(pause=0.2).looks())
    assert report.frames == 50
    assert 3 <= report.shown == len(sink.pictures) <= 15
    assert report.dropped == 50 - report.shown
    assert not any(map(exposed, sink.pictures))


def test_frames_that_come_too_fast_are_covered_as_a_whole(clip: Path) -> None:
    sink = Collector()
    report = live.run(clip, [sink], settings=LiveSettings(overload="veil"), looks=Scripted(pause=0.2).looks())
    assert report.shown + report.veiled == report.frames == len(sink.pictures) == 50
    assert report.veiled >= 30
    blank = [moment for moment in sink.moments if all(plane.min() == plane.max() == 128 for plane in moment.planes)]
    assert len(blank) == report.veiled
    assert not any(map(exposed, sink.pictures))
    assert [moment.index for moment in sink.moments] == list(range(50))


@pytest.mark.parametrize("overload", ["drop", "veil"])
def test_painting_that_falls_behind_shows_nothing_either(clip: Path, overload: str) -> None:
    sink = Collector()
    heavy = Policy(method="mosaic:cells=4", area="width=6,height=5")
    report = live.run(clip, [sink], heavy, LiveSettings.of(overload=overload, delay=0.1), looks=Scripted().looks())
    assert report.shown + report.veiled + report.dropped == 50
    assert not any(map(exposed, sink.pictures))


# --- how runs end ----------------------------------------------------------------------------------------------------


def test_a_detector_that_fails_ends_the_run_and_its_frame_is_never_shown(clip: Path, tmp_path: Path) -> None:
    sink = Collector()
    accounts: list[LiveReport] = []
    with pytest.raises(ArithmeticError, match="the detector broke"):
        live.run(
            clip,
            [sink, str(tmp_path / "out.mp4")],
            looks=Scripted(fails_at=30).looks(),
            progress=accounts.append,
        )
    assert sink.pictures
    assert not any(map(exposed, sink.pictures))
    assert max(map(number_of, sink.pictures)) < 30
    assert sink.complete is False
    assert list(tmp_path.iterdir()) == []
    assert accounts[-1].error == "the detector broke"
    assert accounts[-1].frames == accounts[-1].shown + accounts[-1].dropped


def test_a_run_is_stopped_from_another_thread(clip: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    sink = Collector(lambda count: stop.set() if count == 5 else None)
    started = time.monotonic()
    report = live.run(clip, [sink, str(tmp_path / "out.mkv")], stop=stop, looks=Scripted().looks())
    assert time.monotonic() - started < 2
    assert report.shown < 50
    assert sink.complete
    assert (tmp_path / "out.mkv").exists()


def test_a_viewer_may_end_the_run(clip: Path) -> None:
    def leave(count: int) -> None:
        if count == 3:
            raise live.Closed

    sink, other = Collector(leave), Collector()
    live.run(clip, [sink, other], looks=Scripted().looks())
    assert len(sink.pictures) == 3
    assert other.complete


def test_a_sink_that_fails_ends_the_run(clip: Path, tmp_path: Path) -> None:
    def fail(count: int) -> None:
        raise OutputError("the screen burns")

    with pytest.raises(OutputError, match="the screen burns"):
        live.run(clip, [Collector(fail), str(tmp_path / "out.mp4")], looks=Scripted().looks())
    assert list(tmp_path.iterdir()) == []


def test_a_slow_sink_holds_nobody_up(clip: Path) -> None:
    class Slow(Collector):
        name = "slow"
        patience = 2

    slow, quick = Slow(lambda count: time.sleep(0.4)), Collector()
    report = live.run(clip, [slow, quick], looks=Scripted().looks())
    assert len(slow.pictures) < len(quick.pictures) == report.shown
    assert report.skipped == {"slow": report.shown - len(slow.pictures)}


def test_a_damaged_file_ends_in_words_and_gives_no_recording(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    middle = data.find(b"mdat") + len(data) // 2
    data[middle : middle + 400] = bytes(400)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with pytest.raises(InputError, match=r"broken\.mp4"):
        live.run(broken, [str(tmp_path / "out.mp4")], looks=Scripted().looks())
    assert not (tmp_path / "out.mp4").exists()


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"verify": True}, "gone before it could be verified"),
        ({"audio": "keep"}, "no sound"),
        ({"codec": "vp9"}, "encoded as h264"),
        ({"hardware": "nvenc"}, "on the CPU"),
        ({"method": "blurr"}, "no method is called"),
    ],
)
def test_what_live_pictures_cannot_have_is_refused(clip: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        live.run(clip, [Collector()], Policy.of(**settings))


@pytest.mark.parametrize("spec", ["previw", "preview:99999", "preview:", "out.avi", "http://host/x", "windows", ""])
def test_a_wrong_sink_is_refused_before_anything_starts(clip: Path, spec: str) -> None:
    sink = Collector()
    with pytest.raises(RequestError):
        live.run(clip, [sink, spec], looks=Scripted().looks())
    assert sink.complete is False


def test_no_sink_is_no_run(clip: Path) -> None:
    with pytest.raises(RequestError, match="nowhere to show"):
        live.run(clip, [], looks=Scripted().looks())


@pytest.mark.parametrize("wrong", [{"delay": -1}, {"delay": 99}, {"overload": "show"}, {"retry": 3}, {"size": "big"}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="live: "):
        LiveSettings.of(**wrong)


def test_the_account_is_json_and_one_line() -> None:
    report = LiveReport("camera 0", ("preview",), 10, 8, 0, 2, faces=1, seconds=1, fps=8, latency_ms=(500, 510, 600))
    loaded = json.loads(json.dumps(report.as_dict()))
    assert loaded["latency_ms"] == {"median": 500, "p95": 510, "max": 600}
    assert report.sentence() == (
        "camera 0: 10 frames in 1.0 s, 8 shown, 2 dropped, 1 face, 8.0 fps, latency 500 ms (95 %: 510, most: 600)"
    )


def test_importing_the_room_loads_no_engine() -> None:
    code = "import sys, faceveil.live; print([m for m in ('av', 'cv2', 'onnxruntime', 'pygame') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
