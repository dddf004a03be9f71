"""Sources and sinks on the network, served and received by FFmpeg itself on 127.0.0.1."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import pytest
from live_samples import (
    RATE,
    Collector,
    Endless,
    Scripted,
    exposed,
    free_port,
    leftovers,
    meanwhile,
    read,
    serving,
    write,
)

from faceveil import live
from faceveil.errors import InputError, OutputError
from faceveil.live import LiveReport, LiveSettings

QUICK = LiveSettings(retries=0, timeout=1)


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    yield
    assert leftovers() == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "portrait.mkv"
    write(path, 3 * RATE)
    return path


# --- sources ---------------------------------------------------------------------------------------------------------


def test_a_stream_over_udp_is_covered_until_it_falls_silent() -> None:
    port = free_port(socket.SOCK_DGRAM)
    enough = threading.Event()
    sink = Collector(lambda count: enough.set() if count == 10 else None)
    sending = partial(write, f"udp://127.0.0.1:{port}?pkt_size=1316", 10_000, form="mpegts", until=enough)
    with meanwhile(sending), pytest.raises(InputError, match="nothing came for 1 s"):
        live.run(f"udp://127.0.0.1:{port}", [sink], settings=QUICK, looks=Scripted().looks())
    assert len(sink.pictures) >= 10
    assert not any(map(exposed, sink.pictures))
    assert sink.complete  # a stream over UDP has no other end


def test_a_stream_over_http_ends_with_its_server() -> None:
    enough = threading.Event()
    sink = Collector(lambda count: enough.set() if count == 10 else None)
    with serving(enough=enough) as port:
        report = live.run(f"http://127.0.0.1:{port}", [sink], settings=QUICK, looks=Scripted().looks())
    assert report.shown >= 10
    assert report.faces >= 1
    assert not any(map(exposed, sink.pictures))


def test_a_server_that_goes_away_is_found_again() -> None:
    port = free_port()
    said: list[str] = []
    reports: list[LiveReport] = []
    back = threading.Event()
    sink = Collector(lambda count: back.set() if reports and reports[-1].reconnects else None)

    def watching() -> None:
        url = f"http://user:secret@127.0.0.1:{port}/path?key=secret"
        settings = LiveSettings(retries=2, timeout=1)
        with pytest.raises(InputError, match="cannot connect to .* refused .3 attempts"):
            live.run(
                url, [sink], settings=settings, looks=Scripted().looks(), announce=said.append, progress=reports.append
            )

    with meanwhile(watching):
        with serving(port=port):
            _until(lambda: len(sink.pictures) > 3)
        first = len(sink.pictures)  # what was served has come to its end, and nobody serves
        with serving(port=port):
            assert back.wait(30)
    assert len(sink.pictures) > first
    assert not any(map(exposed, sink.pictures))
    times = [moment.time for moment in sink.moments]
    assert times == sorted(set(times))
    assert reports[-1].reconnects >= 3
    assert "trying again in 1 s" in said[0]
    assert f"http://127.0.0.1:{port}/path" in said[0]
    assert not any("secret" in text for text in [*said, reports[-1].error, reports[-1].source])


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_does_not_answer_is_tried_again_and_then_named() -> None:
    port = free_port()
    started = time.monotonic()
    with pytest.raises(InputError, match=r"cannot connect to rtsp://127.*connection refused \(2 attempts\)"):
        live.run(
            f"rtsp://127.0.0.1:{port}/x", [Collector()], settings=LiveSettings(retries=1), looks=Scripted().looks()
        )
    assert time.monotonic() - started > 1


def test_a_stop_does_not_wait_for_the_next_attempt() -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    source = f"http://127.0.0.1:{free_port()}/"
    report = live.run(source, [Collector()], looks=Scripted().looks(), stop=stop)
    assert time.monotonic() - started < 5
    assert (report.frames, report.error) == (0, "")


def test_a_stored_file_on_a_server_is_played_at_its_own_pace(clip: Path) -> None:
    sink = Collector()
    with serving(clip.parent) as port:
        started = time.monotonic()
        live.run(f"http://127.0.0.1:{port}/{clip.name}", [sink], settings=QUICK, looks=Scripted().looks())
        assert time.monotonic() - started > 2.8
    assert sink.pictures
    assert not any(map(exposed, sink.pictures))


def test_a_playlist_does_not_lead_to_files_of_this_machine(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{clip}\n#EXT-X-ENDLIST\n"
    )
    sink = Collector()
    with serving(tmp_path) as port, pytest.raises(InputError):
        live.run(f"http://127.0.0.1:{port}/list.m3u8", [sink], settings=QUICK, looks=Scripted().looks())
    assert sink.pictures == []


# --- sinks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "form", "options"),
    [
        ("udp", "mpegts", {}),
        ("rtsp", "rtsp", {"rtsp_flags": "listen", "listen_timeout": "30"}),
        ("rtmp", "flv", {"listen": "1", "analyzeduration": "200000"}),
    ],
)
def test_what_is_pushed_arrives_covered(scheme: str, form: str, options: dict[str, str]) -> None:
    url = f"{scheme}://127.0.0.1:{free_port(socket.SOCK_DGRAM if scheme == 'udp' else socket.SOCK_STREAM)}/live/x"
    stop = threading.Event()

    def receive() -> None:
        try:
            pictures = read(url, 8, timeout=(30, 10), format=form, options=options)
        finally:
            stop.set()
        assert len(pictures) == 8
        assert not any(map(exposed, pictures))

    with meanwhile(receive):
        time.sleep(0.5)
        to = url + "?pkt_size=1316" if scheme == "udp" else url
        report = live.run(Endless(), [to], looks=Scripted().looks(), stop=stop)
    assert report.sinks == (url,)


def test_a_receiver_that_never_answers_ends_the_run(clip: Path) -> None:
    url = f"rtmp://user:secret@127.0.0.1:{free_port()}/live/x"
    with pytest.raises(OutputError, match="cannot send to rtmp://127.*connection refused .1 attempt") as failed:
        live.run(clip, [url], settings=LiveSettings(retries=0, timeout=1), looks=Scripted().looks())
    assert "secret" not in str(failed.value)


def test_a_receiver_that_hangs_holds_the_run_no_longer_than_the_timeout(clip: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live/x"
        started = time.monotonic()
        with pytest.raises(OutputError, match="it took nothing for 1 s"):
            live.run(clip, [url], settings=LiveSettings(retries=0, timeout=1), looks=Scripted().looks())
        assert time.monotonic() - started < 8


def test_the_pushed_stream_holds_nothing_but_pictures() -> None:
    port = free_port(socket.SOCK_DGRAM)
    stop = threading.Event()

    def receive() -> None:
        try:
            with av.open(f"udp://127.0.0.1:{port}", format="mpegts", timeout=(30, 10)) as container:
                assert [stream.type for stream in container.streams] == ["video"]
                assert container.streams.video[0].codec_context.name == "h264"
                assert container.metadata == {}
        finally:
            stop.set()

    with meanwhile(receive):
        live.run(Endless(), [f"udp://127.0.0.1:{port}?pkt_size=1316"], looks=Scripted().looks(), stop=stop)
