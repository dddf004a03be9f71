"""Where covered pictures go: the base of all sinks, and what a user calls them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from faceveil.errors import RequestError
from faceveil.live.report import Meter
from faceveil.live.settings import LiveSettings
from faceveil.policy import Policy
from faceveil.types import Planes

_PUSHED = re.compile(r"(rtsp|rtmp|udp)://", re.IGNORECASE)
_FILES = (".mp4", ".mkv")


class Closed(Exception):  # (a wish, no failure)
    """The viewer has closed the sink and wants the run to end."""


class Sink(ABC):
    """Takes pictures one by one, in a thread of its own. Everything that it is given may be seen by anybody.

    name: for people and reports. greeting: what the user is told when it is ready, or empty.
    """

    name: str
    greeting: str = ""
    patience: ClassVar[int] = 2
    """Frames that may wait for it; then the oldest is skipped. Few where people watch, many where a file is written."""
    main_thread: ClassVar[bool] = False
    """Whether it must run in the thread that called `run`, as windows must on some systems."""

    def attach(self, meter: Meter) -> None:  # noqa: B027  (most need nothing)
        """The run begins, and is counted there."""

    @abstractmethod
    def show(self, moment: Planes) -> None:
        """The next picture. Raises `OutputError` where the run should end, `Closed` where the viewer wants it to."""

    def idle(self) -> None:  # noqa: B027
        """Nothing has come for a moment. Raises as `show` does."""

    def close(self, *, complete: bool) -> None:  # noqa: B027
        """The run is over; without `complete` it failed, and no file may appear."""


def make(spec: str | Sink, policy: Policy, settings: LiveSettings, *, overwrite: bool) -> Sink:
    """The sink that a user names, opened. Raises `RequestError`, `OutputError` or `MissingExtra`."""
    if isinstance(spec, Sink):
        return spec
    name, _, detail = spec.partition(":")
    if name == "preview":
        from faceveil.live.preview import Preview  # noqa: PLC0415

        return Preview(_port(spec, detail))
    if spec == "window":
        from faceveil.live.window import Window  # noqa: PLC0415

        return Window()
    if name == "camera":
        from faceveil.live.camera import VirtualCamera  # noqa: PLC0415

        return VirtualCamera(detail or None)
    if _PUSHED.match(spec):
        from faceveil.live.push import Push  # noqa: PLC0415

        return Push(spec, policy, settings)
    if "://" not in spec and spec.lower().endswith(_FILES):
        from faceveil.live.recording import Recording  # noqa: PLC0415

        return Recording(Path(spec), policy, overwrite=overwrite)
    raise RequestError(
        f"cannot show pictures in '{spec}'",
        hint="known: preview, preview:PORT, window, camera, FILE.mp4, FILE.mkv, rtsp://, rtmp:// and udp:// addresses",
    )


def _port(spec: str, detail: str) -> int:
    """A port; 0 for any that is free."""
    if not detail and ":" not in spec:
        return 0
    if not detail.isdecimal() or not 1 <= int(detail) <= 65535:
        raise RequestError(f"'{detail}' in '{spec}' is no port", hint="write preview or preview:8765")
    return int(detail)
