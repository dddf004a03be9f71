"""`faceveil live` as a user meets it: processes, signals, exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from live_samples import RATE, exposed, free_port, read, write

FACEVEIL = [sys.executable, "-m", "faceveil", "live"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a clip of ten seconds."""
    write(tmp_path / "clip.mp4", 10 * RATE)
    return tmp_path


def live(*arguments: str, cwd: Path, code: int) -> str:
    """Run to the end; standard error. The exit code is asserted."""
    done = subprocess.run([*FACEVEIL, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_the_run_cleanly(folder: Path, number: signal.Signals) -> None:
    command = [*FACEVEIL, "clip.mp4", "--preset", "fast", "--to", "out.mp4", "--to", "preview", "--report", "r.json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        line = running.stderr.readline()
        url = re.fullmatch(r"preview: (http://127\.0\.0\.1:\d+/[\w-]{22}/)\n", line)
        assert url, line
        deadline = time.monotonic() + 60
        while json.loads(urllib.request.urlopen(url[1] + "state", timeout=10).read())["shown"] < 5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = time.monotonic()
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
        assert time.monotonic() - started < 20
    assert (running.returncode, err) == (0, "")
    assert re.fullmatch(r"clip\.mp4: \d+ frames in [\d.]+ s, \d+ shown, .* 1 face, [\d.]+ fps, latency .*\n", out)
    report = json.loads((folder / "r.json").read_text())
    assert report["frames"] == report["shown"] + report["veiled"] + report["dropped"] > 5
    assert report["faces"] == 1
    assert report["latency_ms"]["median"] >= 500
    pictures = read(folder / "out.mp4")
    assert len(pictures) == report["shown"] - report["skipped"].get("out.mp4", 0)
    assert not any(map(exposed, pictures))
    assert sorted(path.name for path in folder.iterdir()) == ["clip.mp4", "out.mp4", "r.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("no.mp4",), 1, "no.mp4"),
        (("/dev/video93",), 1, "there is no camera /dev/video93"),
        (("rtsp://127.0.0.1:{port}/x", "--retries", "0"), 1, "cannot connect to rtsp://127.0.0.1:{port}/x: connection"),
        (("clip.mp4", "--to", "out.avi"), 2, "cannot show pictures in 'out.avi' — known: preview"),
        (("clip.mp4", "--delay", "soon"), 2, "live: 'delay': input should be a valid number"),
        (("clip.mp4", "--overload", "show"), 2, "'show' is not one of 'drop', 'veil'"),
        (("clip.mp4", "--audio", "keep"), 2, "live runs carry no sound"),
        (("clip.mp4", "-m", "blurr"), 2, "no method is called 'blurr'"),
        (("clip.mp4", "--provider", "cuda"), 3, "provider 'cuda' is not installed"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_an_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    write(tmp_path / "clip.mp4", 2)
    port = free_port()
    err = live(*(word.format(port=port) for word in arguments), cwd=tmp_path, code=code)
    lines = [line for line in err.splitlines() if not line.startswith("preview: ")]
    assert len(lines) == 1
    assert said.format(port=port) in lines[0]


def test_a_report_tells_of_a_run_that_failed(tmp_path: Path) -> None:
    live("udp://127.0.0.1:9", "--retries", "0", "--timeout", "0.5", "--report", "r.json", cwd=tmp_path, code=1)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["error"] == "cannot connect to udp://127.0.0.1:9: nothing came for 0.5 s (1 attempt)"
    assert report["frames"] == 0
