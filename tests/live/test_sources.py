"""What counts as a source, and how the clock of a stream is followed."""

from __future__ import annotations

import sys
import threading
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_samples import write

from faceveil.errors import InputError, RequestError, UnreadableError
from faceveil.live import LiveSettings, sources
from faceveil.live.reader import pause
from faceveil.live.sources import Clock, Played, Stream, shown_name, source_of

SETTINGS = LiveSettings()


def test_a_url_is_a_stream_and_keeps_its_secrets() -> None:
    for scheme in sources.PROTOCOLS:
        source = source_of(f"{scheme}://user:pa:ss@host:8554/path/1?token=secret", SETTINGS)
        assert type(source) is Stream
        assert source.name == f"{scheme}://host:8554/path/1"
    assert shown_name("rtsp://[::1]:554/x") == "rtsp://[::1]:554/x"


@pytest.mark.parametrize("text", ["ftp://host/x", "file:///etc/passwd", "concat://a", "data://x"])
def test_other_urls_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="cannot be read — known: rtsp"):
        source_of(text, SETTINGS)


def test_no_address_may_lead_to_files() -> None:
    assert not any("file" in allowed.split(",") for allowed in sources.PROTOCOLS.values())


@pytest.mark.skipif(sys.platform != "linux", reason="V4L2 is Linux's")
@pytest.mark.parametrize("text", ["93", "/dev/video93", "camera:93"])
def test_a_camera_that_is_not_there_is_named(text: str) -> None:
    with pytest.raises(InputError, match="there is no camera /dev/video93"):
        source_of(text, SETTINGS)


def test_anything_else_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing"):
        source_of(str(tmp_path / "nothing.mp4"), SETTINGS)
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(UnreadableError):
        Played(tmp_path / "text.mp4")


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [pause(n) for n in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert pause(10**6) == 30


class _Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> _Hand:
    made = _Hand()
    monkeypatch.setattr(sources, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


@given(st.lists(st.tuples(st.floats(0, 3), st.one_of(st.none(), st.floats(-1e6, 1e6)), st.booleans()), max_size=40))
def test_times_grow_strictly_and_stay_near_ours(moves: list[tuple[float, float | None, bool]]) -> None:
    clock = Clock()
    begun = time.monotonic()
    stamps: list[Fraction] = []
    for _, theirs, again in moves:
        if again:
            clock.anew()
        stamps.append(clock.stamp(theirs))
    assert all(b > a for a, b in pairwise(stamps))
    assert not stamps or float(stamps[-1]) <= time.monotonic() - begun + 0.25 + 0.001 * len(stamps)


def test_jitter_is_taken_out_and_jumps_are_followed(hand: _Hand) -> None:
    clock = Clock()
    late = [0.0, 0.03, 0.01, 0.12, 0.0]
    stamps = []
    for i, jitter in enumerate(late):
        hand.now = 1000 + 0.04 * i + jitter
        stamps.append(float(clock.stamp(50 + 0.04 * i)))
    assert stamps == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-5)
    hand.now = 1005.0
    assert float(clock.stamp(3.0)) == pytest.approx(5.0)  # the stream began anew
    hand.now = 1005.04
    assert float(clock.stamp(3.04)) == pytest.approx(5.04)
    hand.now = 1006.0
    assert float(clock.stamp(None)) == pytest.approx(6.0)


def test_what_comes_early_is_waited_for(hand: _Hand) -> None:
    clock = Clock()
    assert clock.early(7.0) == 0
    clock.stamp(7.0)
    assert clock.early(8.5) == pytest.approx(1.5)
    hand.now += 2
    assert clock.early(8.5) == 0
    assert clock.early(None) == 0


@pytest.mark.parametrize("lost", [1, 3, 20])
def test_what_was_damaged_on_the_way_is_left_out_up_to_the_next_key_frame(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "whole.ts"
    write(path, 60, form="mpegts")
    data = path.read_bytes()
    with av.open(str(path)) as container:
        whole = {frame.pts: frame.to_ndarray() for frame in container.decode(video=0)}
    packets = len(data) // 188
    good = damaged = 0
    for first in range(packets // 8, packets - lost, packets // 8):  # as UDP loses them
        (tmp_path / "cut.ts").write_bytes(data[: 188 * first] + data[188 * (first + lost) :])
        with av.open(str(tmp_path / "cut.ts")) as container:
            for frame in sources._decoded(container, threading.Event()):
                if frame is None:
                    damaged += 1
                    continue
                good += 1
                assert np.array_equal(frame.to_ndarray(), whole[frame.pts])
    assert good > 100
    assert damaged > 0
