"""The page on 127.0.0.1, read by a client of its own and by a browser."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from live_samples import FAST, RATE, SIDE, Picture, exposed, free_port, leftovers, meanwhile, write
from PIL import Image

from faceveil import live
from faceveil.errors import OutputError
from faceveil.live.preview import CONNECTIONS, Preview
from faceveil.types import Planes

CHROMIUM = "/usr/bin/chromium"
CURE = "apt-get install chromium, pip install playwright"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "portrait.mp4"
    write(path, 4 * RATE)
    return path


@pytest.fixture
def preview() -> Iterator[Preview]:
    """A preview on its own, with one grey picture in it."""
    made = Preview()
    made.show(Planes((np.full((SIDE, SIDE), 90, np.uint8), *[np.full((SIDE // 2, SIDE // 2), 128, np.uint8)] * 2)))
    yield made
    made.close(complete=True)
    assert leftovers() == []


def ask(url: str, what: str = "", *, method: str = "GET", host: str | None = None) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request(method, parts.path + what, headers={"Host": host} if host is not None else {})
    return connection.getresponse()


def pictures(url: str, count: int) -> list[Picture]:
    """The first pictures of the stream, each a whole JPEG."""
    found: list[Picture] = []
    with closing(ask(url, "stream")) as answer:
        assert answer.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
        assert answer.readline() == b"--frame\r\n"
        while len(found) < count:
            assert answer.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(answer.readline().removeprefix(b"Content-Length: "))
            assert answer.readline() == b"\r\n"
            with Image.open(BytesIO(answer.read(length))) as image:
                assert image.format == "JPEG"
                found.append(np.array(image.convert("RGB")))
            assert answer.readline() == b"\r\n"
            assert answer.readline() == b"--frame\r\n"
    return found


def running(clip: Path, stop: threading.Event, urls: list[str]) -> None:
    live.run(clip, policy=FAST, stop=stop, announce=lambda line: urls.append(line.removeprefix("preview: ")))


def address(urls: list[str]) -> str:
    deadline = time.monotonic() + 20
    while not urls and time.monotonic() < deadline:
        time.sleep(0.01)
    return urls[0]


def test_a_client_sees_the_clip_with_its_face_covered(clip: Path) -> None:
    urls: list[str] = []
    stop = threading.Event()
    with meanwhile(lambda: running(clip, stop, urls)):
        url = address(urls)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", url)
        seen = pictures(url, 8)
        now = json.loads(ask(url, "state").read())
        stop.set()
    assert {picture.shape for picture in seen} == {(SIDE, SIDE, 3)}
    assert not any(map(exposed, seen))
    assert now["state"] == "live"
    assert now["covered"] == 1
    assert now["fps"] > 0
    assert now["latency_ms"] >= 500
    assert now["source"] == str(clip)
    assert leftovers() == []


def test_all_that_a_page_loads_comes_from_here(preview: Preview) -> None:
    html = ask(preview.url).read().decode()
    for name in re.findall(r'(?:src|href)="([^"]+)"', html):
        answer = ask(preview.url, name)
        assert answer.status == 200
        assert "://" not in answer.read().decode().replace("http://www.w3.org/2000/svg", "")
    assert "://" not in html


def test_headers_keep_the_page_to_itself(preview: Preview) -> None:
    for what in ("", "page.js", "state", "stream"):
        with closing(ask(preview.url, what)) as answer:
            assert answer.getheader("Cache-Control") == "no-store"
            assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))
            assert "frame-ancestors 'none'" in str(answer.getheader("Content-Security-Policy"))
            assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
            assert answer.getheader("X-Content-Type-Options") == "nosniff"
            assert answer.getheader("Referrer-Policy") == "no-referrer"
            assert "Python" not in str(answer.getheader("Server"))


@pytest.mark.parametrize(
    "path", ["/", "/stream", "/state", "/favicon.ico", "/AAAAAAAAAAAAAAAAAAAAAA/stream", "//stream"]
)
def test_without_the_token_there_is_nothing(preview: Preview, path: str) -> None:
    parts = urlsplit(preview.url)
    answer = ask(f"{parts.scheme}://{parts.netloc}", path)
    assert (answer.status, answer.read()) == (404, b"")


@pytest.mark.parametrize("what", ["..", "../", "page.py", "page.css/../../preview.py", "state?x=1", "%2e%2e/flow.py"])
def test_with_the_token_there_is_no_more_than_the_page(preview: Preview, what: str) -> None:
    assert ask(preview.url, what).status == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}", ""]
)
def test_another_host_is_refused(preview: Preview, host: str) -> None:
    port = urlsplit(preview.url).port
    answer = ask(preview.url, "state", host=host.format(port=port))
    assert (answer.status, answer.read()) == (421, b"")
    assert ask(preview.url, "state", host=f"localhost:{port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_it_answers_nothing_but_get(preview: Preview, method: str) -> None:
    assert ask(preview.url, "state", method=method).status == 501


def test_it_listens_on_this_machine_alone(preview: Preview) -> None:
    port = urlsplit(preview.url).port
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)} - {"127.0.0.1"}
    for other in [*others, "127.0.0.2"]:
        with socket.socket() as one, pytest.raises(OSError, match="refused"):
            one.settimeout(5)
            one.connect((str(other), port))


def test_a_port_can_be_chosen_and_may_be_taken() -> None:
    port = free_port()
    with closing(_Closing(Preview(port))) as held:
        assert urlsplit(held.preview.url).port == port
        with pytest.raises(OutputError, match=f"the preview cannot use port {port}: address already in use"):
            Preview(port)


class _Closing:
    def __init__(self, preview: Preview) -> None:
        self.preview = preview

    def close(self) -> None:
        self.preview.close(complete=True)


def test_connections_are_limited_and_silent_ones_do_not_hold_the_end(preview: Preview) -> None:
    parts = urlsplit(preview.url)
    idle = [socket.create_connection(("127.0.0.1", parts.port or 0), timeout=5) for _ in range(CONNECTIONS)]
    try:
        time.sleep(0.3)
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(preview.url, "state")
        started = time.monotonic()
        preview.close(complete=True)
        assert time.monotonic() - started < 2
    finally:
        for one in idle:
            one.close()


def test_a_viewer_that_leaves_is_forgotten(preview: Preview) -> None:
    pictures(preview.url, 1)
    deadline = time.monotonic() + 10
    while preview.pictures.wanted and time.monotonic() < deadline:
        preview.show(Planes((np.zeros((8, 8), np.uint8),), matrix="grey"))
        time.sleep(0.05)
    assert not preview.pictures.wanted


def test_two_viewers_see_the_same(preview: Preview) -> None:
    first, second = pictures(preview.url, 1), pictures(preview.url, 1)
    assert np.array_equal(first[0], second[0])


# --- a browser -------------------------------------------------------------------------------------------------------


def _need_browser() -> None:
    """Skip where Chromium or Playwright are absent, or fail where FACEVEIL_REQUIRE_SYSTEM is 1."""
    try:
        import playwright.sync_api  # noqa: F401, PLC0415

        missing = "" if Path(CHROMIUM).exists() else CHROMIUM
    except ModuleNotFoundError:
        missing = "playwright"
    if missing:
        reason = f"needs {missing} ({CURE})"
        if os.environ.get("FACEVEIL_REQUIRE_SYSTEM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def test_a_browser_shows_the_page(clip: Path, tmp_path: Path) -> None:
    _need_browser()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    options = (
        "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    urls: list[str] = []
    complaints: list[str] = []
    elsewhere: list[str] = []
    stop = threading.Event()
    shot = tmp_path / "preview.png"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=CHROMIUM,
            headless=True,
            args=options.split(),
            viewport={"width": 900, "height": 640},
        )
        page = browser.pages[0]
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: elsewhere.append(request.url) if urls[0] not in request.url else None)
        with meanwhile(lambda: running(clip, stop, urls)):
            page.goto(address(urls), wait_until="domcontentloaded")
            page.wait_for_selector("#picture:not([hidden])")
            page.wait_for_selector("#state[data-state=live]")
            while not page.evaluate("document.getElementById('picture').naturalWidth"):
                page.wait_for_timeout(50)
            page.screenshot(path=shot)
            label = page.inner_text("footer")
            said = list(complaints)
            stop.set()
        page.wait_for_selector("#state[data-state=stopped]")
        browser.close()
    assert said == elsewhere == []
    assert re.search(r"live\s.*covered\s+1\s+fps\s+[\d.]+\s+latency\s+\d+ ms", label, re.DOTALL)
    with Image.open(shot) as image:
        picture = np.asarray(image.convert("RGB"))
    assert picture.shape == (640, 900, 3)
    assert picture[:600].std() > 20  # there is a picture, and it is not black
