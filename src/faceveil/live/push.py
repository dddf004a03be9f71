"""Pictures to a receiver on the network, by a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO

from faceveil.errors import OutputError
from faceveil.live.encode import Coding, encodable
from faceveil.live.reader import pause
from faceveil.live.report import Meter
from faceveil.live.settings import LiveSettings
from faceveil.live.sinks import Sink
from faceveil.live.sources import shown_name
from faceveil.policy import Policy
from faceveil.types import Planes

_FORMS = {"rtsp": "rtsp", "rtmp": "flv", "udp": "mpegts"}
_END_S = 10  # that a process may take to end beyond its own time limit


class Push(Sink):
    """A receiver on the network. When it is lost, pictures are skipped until it is back."""

    def __init__(self, url: str, policy: Policy, settings: LiveSettings) -> None:
        self.name = shown_name(url)
        self._url, self._policy, self._settings = url, policy, settings
        self._form = _FORMS[url.partition("://")[0].lower()]
        self._relay: _Relay | None = _Relay()  # it takes half a second to start
        self._attempt, self._next = 0, 0.0
        self._meter: Meter | None = None

    def attach(self, meter: Meter) -> None:
        """Reconnects are counted there."""
        self._meter = meter

    def show(self, moment: Planes) -> None:
        """Send a picture, or skip it while the receiver is lost."""
        if time.monotonic() < self._next:
            return
        try:
            self._relay = self._relay or _Relay()
            if self._relay.coding is None:
                coding = Coding.of(moment, self._policy, fast=True)
                self._relay.begin(self._url, self._form, coding, self._settings.timeout)
            self._relay.send(moment)
        except OSError:
            self._lose()

    def _lose(self) -> None:
        """Come back later, or give up."""
        relay, self._relay = self._relay, None
        why = relay.end() if relay is not None else "the process that sends does not start"
        if relay is not None and relay.sent > 2:  # one that it worked on, one in the pipe: the others have arrived
            self._attempt = 0
        if self._attempt >= self._settings.retries:
            attempts = "1 attempt" if self._attempt == 0 else f"{self._attempt + 1} attempts"
            raise OutputError(f"cannot send to {self.name}: {why} ({attempts})")
        self._next = time.monotonic() + pause(self._attempt)
        self._attempt += 1
        if self._meter is not None:
            self._meter.add("reconnects")

    def close(self, *, complete: bool) -> None:
        """Send the rest and hang up. A receiver that never answered is an error even now."""
        relay, self._relay = self._relay, None
        if relay is None:
            return
        why = relay.end()
        if why and complete and relay.sent <= 2:
            raise OutputError(f"cannot send to {self.name}: {why}")


class _Relay:
    """The process and the pipe to it. sent: pictures that went into the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faceveil.live.relay"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # FFmpeg would name the address with its password there
            start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
        )
        self.coding: Coding | None = None
        self.sent = 0
        self._timeout = 0.0

    def begin(self, url: str, form: str, coding: Coding, timeout: float) -> None:
        """Say where to send to, and how. Raises `OSError` where the process has gone."""
        self.coding, self._timeout = coding, timeout
        # Not as an argument: those can be read by all users of the machine.
        line = json.dumps({"url": url, "form": form, "coding": coding, "timeout": timeout})
        self._pipe.write(line.encode() + b"\n")

    def send(self, moment: Planes) -> None:
        """Raises `OSError` where the process has gone."""
        if self.coding is None:
            raise ValueError("begin first")
        samples = encodable(moment, self.coding).to_ndarray()
        head = round(moment.time * 1_000_000).to_bytes(8, "little")
        self._pipe.write(head)
        self._pipe.write(samples.tobytes())
        self._pipe.flush()
        self.sent += 1

    def end(self) -> str:
        """Let it finish; why it could not, or empty."""
        with suppress(OSError):
            self._pipe.close()
        try:
            code = self._process.wait(self._timeout + _END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        said = b""
        if self._process.stdout is not None:
            with self._process.stdout as out:
                said = out.read()
        if code == 0:
            return ""
        if hasattr(signal, "SIGALRM") and code == -signal.SIGALRM:
            return f"it took nothing for {self._timeout:g} s"
        return said.decode(errors="replace").strip() or f"the process that sends ended with code {code}"

    @property
    def _pipe(self) -> IO[bytes]:
        pipe = self._process.stdin
        if pipe is None:
            raise BrokenPipeError
        return pipe
