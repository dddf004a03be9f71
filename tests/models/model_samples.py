"""Small models and a server on this machine, as the tests of this folder need them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
CERTIFICATE = HERE / "localhost.pem"
TFLITE = (28).to_bytes(4, "little") + b"TFL3" + bytes(120)
"""What begins as a TensorFlow Lite file and is none beyond that."""

COMMAND = [sys.executable, "-m", "faceveil", "models"]
PICKLE = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."
"""The beginning of a pickle."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def onnx_bytes(factor: float = 2.0, size: int = 64) -> bytes:
    """A network that multiplies `size` numbers by `factor`."""
    weights = numpy_helper.from_array(np.full(size, factor, np.float32), "w")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [size]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", values[:1], values[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def wheel(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def source_archive(files: Mapping[str, bytes], *, setup: str = "") -> bytes:
    """A .tar.gz of these files, with a setup.py where one is given."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in {**files, **({"p-1/setup.py": setup.encode()} if setup else {})}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def faceveil_models(*arguments: object, code: int = 0, **environment: str) -> tuple[str, str]:
    """Run `faceveil models ...`; its standard output and error. The exit code is asserted."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@dataclass
class Site:
    """A server's files by path, how it misbehaves, and what it was asked.

    cut: after so many bytes of a body the connection ends. hang: after so many bytes it waits until `go`. etag,
    ranges: whether files have a strong ETag, and whether parts of them can be asked for. redirect: path -> address.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang: int | None = None
    etag: bool = True
    ranges: bool = True
    lengths: bool = True
    redirect: dict[str, str] = field(default_factory=dict)
    user: str = ""
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def ranges_asked(self) -> list[str]:
        return [headers.get("Range", "") for _, headers in self.asked]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        site = self.server.site
        site.asked.append((self.path, dict(self.headers)))
        if site.user and self.headers.get("Authorization") != site.user:
            self.send_error(401)
            return
        if self.path in site.redirect:
            self.send_response(302)
            self.send_header("Location", site.redirect[self.path])
            self.end_headers()
            return
        path = self.path.partition("?")[0]
        if path not in site.files:
            self.send_error(404)
            return
        self._send(site, path, site.files[path])

    def _send(self, site: Site, path: str, data: bytes) -> None:
        tag, start = f'"{sha256(data)}"', 0
        asked = self.headers.get("Range", "")
        if asked and site.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if site.etag:
            self.send_header("ETag", tag)
        if site.lengths:
            self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Content-Type", site.kinds.get(path, "application/octet-stream"))
        self.end_headers()
        body = data[start:]
        if site.hang is not None:
            self.wfile.write(body[: site.hang])
            self.wfile.flush()
            site.go.wait(30)
            body = body[site.hang :]
        self.wfile.write(body if site.cut is None else body[: site.cut])

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, *_arguments: object) -> None:
        """Clients that are killed are part of the tests."""


@contextmanager
def served(*, tls: bool = False, **settings: object) -> Iterator[Site]:
    """A site on 127.0.0.1, over https with the self-made certificate where `tls`."""
    site = Site(**settings)  # type: ignore[arg-type]  # they are Site's own fields
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = site
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def json_page(files: Mapping[str, tuple[str, str]]) -> bytes:
    """A page of PEP 691: file name -> address and SHA-256."""
    listed = [{"filename": name, "url": url, "hashes": {"sha256": digest}} for name, (url, digest) in files.items()]
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "p", "files": listed}).encode()
