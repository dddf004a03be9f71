"""A page for the browser on this machine: one picture that moves, one line that says how it is doing.

Covered pictures are less than the camera's, but still nobody else's business. So the server listens on 127.0.0.1 alone,
its address holds a random token that other users of the machine do not know, requests that name another host are
refused (a foreign page could otherwise rebind its own name to 127.0.0.1), and nothing is kept in caches.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import threading
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from faceveil import planes
from faceveil.errors import OutputError
from faceveil.live.report import Meter
from faceveil.live.sinks import Sink
from faceveil.types import Planes

HOST = "127.0.0.1"
LONGEST = 1280  # px of the picture on the page
QUALITY = 80
CONNECTIONS = 16  # at once; the page needs two
SILENCE_S = 5  # a viewer that takes nothing for so long is let go
BOUNDARY = "frame"
_FILES = {
    "": "text/html; charset=utf-8",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Preview(Sink):
    """Serves the newest picture to whoever has the address. port: 0 for any that is free."""

    name = "preview"

    def __init__(self, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(16)
        self.pictures = _Newest()
        self.meter: Meter | None = None
        try:
            self._server = _Server((HOST, port), self)
        except OSError as error:
            said = (error.strerror or "the system refuses").lower()
            raise OutputError(f"the preview cannot use port {port}: {said}", hint="leave the port out") from error
        self.url = f"http://{HOST}:{self._server.server_port}/{self.token}/"
        self.greeting = f"preview: {self.url}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="preview", daemon=True)
        self._thread.start()

    def attach(self, meter: Meter) -> None:
        """What the page's last line says comes from there."""
        self.meter = meter

    def show(self, moment: Planes) -> None:
        """The picture that viewers get now."""
        if self.pictures.wanted:
            self.pictures.set(jpeg(moment))
        else:
            self.pictures.later(moment)

    def close(self, *, complete: bool) -> None:
        """Hang up on all viewers and free the port."""
        self.pictures.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def jpeg(moment: Planes) -> bytes:
    """A picture for the page."""
    import simplejpeg  # noqa: PLC0415

    pixels = planes.small(moment, LONGEST)
    coded: bytes = simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorspace="RGB", colorsubsampling="420")
    return coded


class _Newest:
    """The newest picture, for any number of viewers. It is encoded once, and only while somebody looks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._data = b""
        self._raw: Planes | None = None
        self._number = 0
        self._viewers = 0
        self._over = False

    @property
    def wanted(self) -> bool:
        return self._viewers > 0

    def set(self, data: bytes) -> None:
        with self._changed:
            self._data, self._raw = data, None
            self._number += 1
            self._changed.notify_all()

    def later(self, moment: Planes) -> None:
        """A picture that nobody looks at yet."""
        with self._changed:
            self._raw = moment
            self._number += 1

    def end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def join(self, viewers: int) -> None:
        """Somebody begins (1) or ceases (-1) to look."""
        with self._changed:
            self._viewers += viewers

    def after(self, number: int) -> tuple[int, bytes] | None:
        """The newest picture's number and bytes, once it is another than `number`; None when all is over."""
        with self._changed:
            while self._number == number and not self._over:
                self._changed.wait(1)
            if self._number == number:
                return None
            if self._raw is not None:
                self._data, self._raw = jpeg(self._raw), None
            return self._number, self._data


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # they are waited for
    allow_reuse_address = os.name != "nt"  # there it would let another program take the port over

    def __init__(self, address: tuple[str, int], preview: Preview) -> None:
        self.preview = preview
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._open) >= CONNECTIONS
            if not full:
                self._open.add(request)
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Hang up on all viewers, then wait for their threads."""
        with self._lock:
            for request in self._open:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has hung up by itself
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer went away in the middle of a picture: nothing that anybody needs to hear of."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENCE_S
    server_version = "faceveil"
    sys_version = ""

    def do_GET(self) -> None:  # http.server's name
        port = self.server.server_port
        if self.headers.get("Host", "") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"", "text/plain")
            return
        _, _, rest = self.path.partition("/")
        token, slash, what = rest.partition("/")
        preview = self.server.preview
        known = slash and hmac.compare_digest(token.encode(), preview.token.encode())
        if known and what in _FILES:
            self._answer(HTTPStatus.OK, _page(what), _FILES[what])
        elif known and what == "state":
            glance = preview.meter.glance() if preview.meter is not None else {"state": "connecting"}
            self._answer(HTTPStatus.OK, json.dumps(glance).encode(), "application/json")
        elif known and what == "stream":
            self._stream(preview.pictures)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self._head(status, kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in _HEADERS.items():
            self.send_header(name, value)

    def _stream(self, pictures: _Newest) -> None:
        """Motion JPEG. A browser shows a part when the next boundary comes, so each is sent with its picture."""
        self._head(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.end_headers()
        self.wfile.write(f"--{BOUNDARY}\r\n".encode())
        pictures.join(1)
        try:
            number = 0
            while (picture := pictures.after(number)) is not None:
                number, data = picture
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + f"\r\n--{BOUNDARY}\r\n".encode())
        except OSError:
            self.close_connection = True  # the viewer has gone
        finally:
            pictures.join(-1)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the log would be on the user's terminal, with the token."""


@cache
def _page(name: str) -> bytes:
    return (resources.files("faceveil.live") / "page" / (name or "page.html")).read_bytes()
