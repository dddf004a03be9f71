"""Where pictures come from: cameras, network streams, and files played as if they were live."""

from __future__ import annotations

import errno
import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from faceveil.errors import InputError, MissingExtra, RequestError
from faceveil.live.settings import LiveSettings
from faceveil.types import Planes

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

# What FFmpeg may open on behalf of a URL: a playlist on the network must not lead to this machine's files.
_TCP, _HTTP = "tcp,tls,crypto", "http,https,httpproxy,tcp,tls,crypto"
PROTOCOLS = {
    "rtsp": f"rtsp,rtsps,rtp,udp,{_HTTP}",
    "rtsps": f"rtsp,rtsps,rtp,udp,{_HTTP}",
    "http": _HTTP,
    "https": _HTTP,
    "rtmp": f"rtmp,rtmps,{_TCP}",
    "rtmps": f"rtmp,rtmps,{_TCP}",
    "udp": "udp",
    "tcp": "tcp",
    "rtp": "rtp,udp",
}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_CAMERAS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_SLACK_S = 0.25  # a stream's own clock may differ that much from ours before it is set anew
_TICK = Fraction(1, 1_000_000)


class Lost(Exception):  # (no failure of ours: it may come back)
    """A source that cannot be reached, or no longer."""


class Source(ABC):
    """Something that gives pictures as they happen.

    name: for people; a URL without user, password and query. again: whether it may be opened anew after it was lost.
    """

    name: str
    again: bool = True

    @abstractmethod
    def frames(self, stop: threading.Event) -> Iterator[Planes | None]:
        """Open it; its pictures as they come, None for each that is damaged. Index and time go on over calls.

        Ends where the source does. Raises `Lost`, or an `InputError` where trying again is of no use.
        """


def source_of(text: str | Path, settings: LiveSettings) -> Source:
    """What a user names: a number or device is a camera, a URL a stream, anything else a file.

    Raises `RequestError` for URLs of other kinds, `InputError` for a camera or a file that is not there.
    """
    word = str(text)
    if isinstance(text, str) and (url := _URL.match(word)):
        if url[1].lower() not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            raise RequestError(f"streams of the kind '{url[1]}' cannot be read", hint=f"known: {known}")
        return Stream(word, settings)
    if isinstance(text, str) and (word.isdecimal() or word.startswith(("/dev/video", "camera:"))):
        return Camera(word.removeprefix("camera:"), settings)
    return Played(Path(text))


def shown_name(url: str) -> str:
    """A URL for people: without user, password and query, which may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Played(Source):
    """A video file at its own pace. It is read as strictly as any file: a damaged one ends in `UnreadableError`."""

    again = False

    def __init__(self, path: Path) -> None:
        from faceveil.media.video import open_video  # noqa: PLC0415  (loads FFmpeg)

        self.name = str(path)
        self._source = open_video(path, threads=1)

    def frames(self, stop: threading.Event) -> Iterator[Planes]:
        """The pictures, each when its time has come."""
        started: float | None = None
        first = Fraction(0)
        for planes in self._source:
            if started is None:
                started, first = time.monotonic(), planes.time
            if stop.wait(max(0.0, started + float(planes.time - first) - time.monotonic())):
                return
            yield planes


class Stream(Source):
    """A stream from the network. Its clock is followed while it keeps step with ours, so that jitter does no harm."""

    def __init__(self, url: str, settings: LiveSettings) -> None:
        self.name = shown_name(url)
        self._url, self._settings = url, settings
        self._index = 0
        self._clock = Clock()

    def frames(self, stop: threading.Event) -> Iterator[Planes | None]:
        """Connect; the pictures as they come. Raises `Lost` where the address does not answer, or no longer."""
        import av  # noqa: PLC0415  (60 ms)

        from faceveil.media.video.pixels import planes_of  # noqa: PLC0415

        self._clock.anew()
        try:
            with self._opened() as container:
                for frame in _decoded(container, stop):
                    if frame is None:
                        yield None
                        continue
                    if _paced(container) and stop.wait(self._clock.early(frame.time)):
                        return
                    moment = self._clock.stamp(frame.time)
                    planes = planes_of(frame, index=self._index, time=moment)
                    self._index += 1
                    yield planes
        except (av.error.FFmpegError, OSError) as error:
            raise Lost(reason(error, self._settings.timeout)) from error
        except InputError as error:
            raise type(error)(f"{self.name} {error.message}", hint=error.hint) from None

    def _opened(self) -> InputContainer:
        import av  # noqa: PLC0415

        scheme = self._url.partition("://")[0].lower()
        options = {"protocol_whitelist": PROTOCOLS[scheme], "fflags": "nobuffer"}
        if scheme.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # over UDP, every lost packet costs pictures until the next key frame
        if scheme == "udp":
            options["overrun_nonfatal"] = "1"  # packets that we were too slow for are lost, the stream is not
        timeout = self._settings.timeout
        return av.open(self._url, options=options, timeout=(timeout, timeout), metadata_errors="replace")


class Camera(Stream):
    """A camera of this machine: an index, a device, or the name that the system knows it by.

    V4L2 on Linux; AVFoundation on macOS and DirectShow on Windows, where FFmpeg has them: these two are untested.
    """

    def __init__(self, device: str, settings: LiveSettings) -> None:
        super().__init__(device, settings)
        self._format = _CAMERAS.get(sys.platform, "v4l2")
        if self._format == "v4l2" and device.isdecimal():
            device = f"/dev/video{device}"
        self._device = f"video={device}" if self._format == "dshow" else device
        self.name = f"camera {device}"
        if self._format == "v4l2" and not Path(device).exists():
            there = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*")))
            raise InputError(f"there is no camera {device}", hint=f"there is {there}" if there else "plug one in")

    def _opened(self) -> InputContainer:
        import av  # noqa: PLC0415

        settings = self._settings
        options = {"video_size": settings.size, "framerate": f"{settings.rate:g}" if settings.rate else None}
        given = {key: value for key, value in options.items() if value}
        timeout = (settings.timeout, settings.timeout)
        try:
            return av.open(self._device, format=self._format, options=given, timeout=timeout)
        except ValueError as error:  # PyAV's word for a format that it was built without
            hint = "take the camera's stream by its URL"
            raise MissingExtra(f"this build of FFmpeg opens no cameras by {self._format}", hint=hint) from error


class Clock:
    """Times of a stream, in seconds of ours since the first picture; they grow strictly."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._offset: float | None = None
        self._last = Fraction(-1)

    def anew(self) -> None:
        """A new connection: its clock has nothing to do with the last one's."""
        self._offset = None

    def early(self, theirs: float | None) -> float:
        """Seconds to wait until a picture of that time is due; 0 for the first one and for late ones."""
        if theirs is None or self._offset is None:
            return 0.0
        return max(0.0, theirs + self._offset - self._now())

    def stamp(self, theirs: float | None) -> Fraction:
        """The time of a picture that comes now, by its stream's own clock if that makes sense."""
        now = self._now()
        if theirs is None:
            moment = now
        else:
            if self._offset is None or abs(theirs + self._offset - now) > _SLACK_S:
                self._offset = now - theirs
            moment = theirs + self._offset
        self._last = max(round(Fraction(moment) / _TICK) * _TICK, self._last + Fraction(1, 1000))
        return self._last

    def _now(self) -> float:
        now = time.monotonic()
        if self._started is None:
            self._started = now
        return now - self._started


def _decoded(container: InputContainer, stop: threading.Event) -> Iterator[av.VideoFrame | None]:
    """Pictures as they are decoded. After one that is missing or damaged, None until the next key frame.

    FFmpeg conceals what it cannot decode, and half a face is not found by any detector.
    """
    import av  # noqa: PLC0415

    if not container.streams.video:
        raise InputError("has no pictures")
    stream = container.streams.video[0]
    context = stream.codec_context
    context.thread_type = "SLICE"  # threads by frames would hold one frame each
    context.thread_count = 1
    context.options = {"err_detect": "explode"}
    since: int | None = None  # time of the key frame from which on everything is whole
    for packet in container.demux(stream):
        if stop.is_set():
            return
        if packet.is_corrupt:
            since = None
        elif since is None and packet.is_keyframe:
            since = packet.pts or 0
        try:
            frames: list[Any] = packet.decode()
        except av.error.InvalidDataError:
            since = None
            yield None
            continue
        for frame in frames:
            if frame.is_corrupt:
                since = None
            yield None if since is None or (frame.pts or 0) < since else frame


def _paced(container: InputContainer) -> bool:
    """Whether the pictures come as fast as we take them: from a stored file, or from playlists of whole pieces."""
    return bool(container.duration) or container.format.name in ("hls", "dash")


def reason(error: Exception, timeout: float | None = None) -> str:
    """FFmpeg's complaint in plain words. timeout: seconds of silence, after which FFmpeg was told to give up."""
    import av  # noqa: PLC0415

    if isinstance(error, av.error.ExitError | TimeoutError):
        return "it does not answer" if timeout is None else f"nothing came for {timeout:g} s"
    if isinstance(error, av.error.InvalidDataError):
        return "it sends no video"
    if getattr(error, "errno", None) == errno.EIO:  # the end of an HTTP answer of unknown length, too
        return "it was cut off"
    said = getattr(error, "strerror", None) or "it cannot be read"
    return said[0].lower() + said[1:]
