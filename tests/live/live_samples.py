"""What tests of live runs share: clips of the portrait, a sink that keeps pictures, a detector that misbehaves."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import PrivateAttr

from faceveil import planes
from faceveil.detect.base import Detector
from faceveil.live import Sink, Source
from faceveil.media.video.pixels import planes_of
from faceveil.pipeline.watch import Looks
from faceveil.policy import Policy
from faceveil.types import Frame, Planes, Regions

SIDE, RATE = 256, 25
FACE = (slice(35, 80), slice(92, 130))  # the portrait's face at 256 px
MARK = slice(232, 248)  # rows and columns of a square whose grey is the frame's number
FAST = Policy(preset="fast")
ROOT = Path(__file__).resolve().parent.parent.parent
BOX = (88.0, 28.0, 134.0, 88.0)  # around the face, as CenterFace draws it

Picture = NDArray[np.uint8]


@cache
def _portrait() -> Picture:
    with Image.open(ROOT / "examples" / "portrait.jpg") as image:
        return np.array(image.convert("RGB").resize((SIDE, SIDE)))


def portrait(number: int = 0) -> Picture:
    """The portrait with its frame's number as grey in a corner."""
    pixels = _portrait().copy()
    pixels[MARK, MARK] = 4 * (number % 60)
    return pixels


def number_of(picture: Picture) -> int:
    """Which frame a picture was."""
    return round(float(picture[MARK, MARK][4:-4, 4:-4].mean()) / 4)


def exposed(picture: Picture) -> bool:
    """Whether the original face is there. Covered, the two differ by 40 levels on average; coded again, by 3."""
    assert picture.shape == (SIDE, SIDE, 3)
    return float(np.abs(picture[FACE].astype(int) - portrait()[FACE]).mean()) < 15


def write(
    target: str | Path | IO[bytes], frames: int, *, form: str | None = None, until: threading.Event | None = None
) -> None:
    """Mux the portrait as H.264 to a file; with `until` to an address, at its own pace and until that is set."""
    with av.open(str(target) if isinstance(target, Path) else target, "w", format=form) as container:
        stream = container.add_stream("libx264", rate=RATE, width=SIDE, height=SIDE)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.options = {"crf": "12", "preset": "ultrafast", "tune": "zerolatency"}
        stream.codec_context.gop_size = 12
        for number in paced(until) if until is not None else range(frames):
            if number >= frames:
                break
            frame = av.VideoFrame.from_ndarray(portrait(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def paced(until: threading.Event) -> Iterator[int]:
    """0, 1, 2 ... in time, until something happens."""
    started = time.monotonic()
    for number in count():
        if until.wait(max(0.0, started + number / RATE - time.monotonic())):
            return
        yield number


def read(path: str | Path, enough: int = 1_000_000, **options: Any) -> list[Picture]:
    """The pictures of a file or an address."""
    pictures: list[Picture] = []
    with av.open(str(path), **options) as container:
        for frame in container.decode(video=0):
            pictures.append(frame.to_ndarray(format="rgb24"))
            if len(pictures) >= enough:
                break
    return pictures


class Endless(Source):
    """The portrait at its own pace, until the run is stopped."""

    name, again = "endless", False

    def frames(self, stop: threading.Event) -> Iterator[Planes]:
        for number in paced(stop):
            frame = av.VideoFrame.from_ndarray(portrait(number), "rgb24").reformat(format="yuv420p")
            yield planes_of(frame, index=number, time=Fraction(number, RATE))


class _TransportStream(http.server.BaseHTTPRequestHandler):
    """Answers every request with an MPEG transport stream until the server's `enough` is set."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Transfer-Encoding", "chunked")  # without it, an end is no other than a loss
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError, av.error.FFmpegError):  # the client may leave first
            write(cast("IO[bytes]", self), 10_000, form="mpegts", until=cast("Any", self.server).enough)
            self.wfile.write(b"0\r\n\r\n")

    def write(self, data: bytes) -> int:
        """What FFmpeg gives, as a chunk."""
        return self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(folder: Path | None = None, port: int = 0, enough: threading.Event | None = None) -> Iterator[int]:
    """Serve a transport stream until there is enough, or the files of a folder, over HTTP; the port."""
    handler = partial(_Files, directory=str(folder)) if folder else _TransportStream
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = False
        server.enough = enough or threading.Event()  # type: ignore[attr-defined]
        with meanwhile(lambda: server.serve_forever(0.05)):
            try:
                yield server.server_port
            finally:
                server.enough.set()  # type: ignore[attr-defined]
                server.shutdown()


class Collector(Sink):
    """Keeps what it is shown, and when."""

    name = "collector"
    patience: ClassVar[int] = 1000

    def __init__(self, seen: Callable[[int], None] = lambda count: None) -> None:
        self.pictures: list[Picture] = []
        self.moments: list[Planes] = []
        self.at: list[float] = []
        self.complete: bool | None = None
        self._seen = seen

    def show(self, moment: Planes) -> None:
        self.moments.append(moment)
        self.pictures.append(planes.small(moment, SIDE))
        self.at.append(time.monotonic())
        self._seen(len(self.pictures))

    def close(self, *, complete: bool) -> None:
        self.complete = complete


class Scripted(Detector):
    """Finds the portrait's face in every picture from a number on, after a while, or fails at one."""

    since: int = 0
    pause: float = 0
    fails_at: int | None = None
    _gate: threading.Event = PrivateAttr(default_factory=threading.Event)

    name: ClassVar[str] = "scripted"

    def __call__(self, frame: Frame) -> Regions:
        if frame.pixels.max() == 0:
            return Regions()  # the warm-up
        self._gate.wait(20)
        time.sleep(self.pause)
        number = number_of(np.asarray(frame.pixels, np.uint8))
        if self.fails_at is not None and number >= self.fails_at:
            raise ArithmeticError("the detector broke")
        return Regions() if number < self.since else Regions(np.array([BOX], np.float32), np.array([0.9], np.float32))

    def looks(self, *, shut: bool = False) -> Looks:
        """To be given to `run`; while it is shut, every look waits for `open`."""
        if not shut:
            self.open()
        return Looks(((self, 0),))

    def open(self) -> None:
        self._gate.set()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Do something in a thread while the block runs; its error is raised at the end."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded, name="meanwhile")
    thread.start()
    try:
        yield thread
    finally:
        thread.join(60)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def leftovers() -> list[str]:
    """Threads of live runs that are still there."""
    return [one.name for one in threading.enumerate() if one.name.startswith(("live", "preview"))]
