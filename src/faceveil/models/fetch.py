"""Fetching one file over the network: encrypted, resumable, bounded, and checked before anybody reads it.

Only what a user's explicit command names is fetched. What has arrived is kept in a `.part` file beside a small
record, so that a download that was interrupted, or killed, goes on where it stopped. Continuing is safe because a sum
is known, or because the server said by what sign the file can be told from a later one (RFC 9110, 13.1.5).
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from faceveil.errors import InputError, OutputError, RequestError

LIMIT = 2 << 30  # bytes of a file whose size nobody knows; the largest in the catalogue has .1 GB
STALL = 60.0  # seconds without a byte
CHUNK = 1 << 18
AGAIN = "run the same command again: it goes on where it stopped"

Tell = Callable[[int, int], None]
"""Called with the bytes that have arrived and the bytes in all (0: not known)."""


def silent(_have: int, _whole: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a download must be: its SHA-256 and its length in bytes; empty and 0 where they are not known."""

    sha256: str = ""
    bytes: int = 0


class Door:
    """How hosts are reached: which certificates are trusted and through which proxy.

    cert: file or folder of certificates instead of the system's. proxy: instead of what the environment names.
    """

    def __init__(self, cert: str = "", proxy: str = "") -> None:
        folder = bool(cert) and Path(cert).is_dir()
        try:
            context = ssl.create_default_context(
                cafile=cert if cert and not folder else None, capath=cert if folder else None
            )
        except (OSError, ssl.SSLError):
            raise RequestError(f"the file of certificates {cert} cannot be read") from None
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _Redirects(),
        ):
            self._opener.add_handler(handler)  # not build_opener: it would also open ftp:, file: and data:

    def open(self, url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """The answer to a GET, its body unread.

        Raises `RequestError` for addresses that are not taken, `urllib.error.HTTPError` for answers that are errors.
        """
        expect_safe(url)
        bare, user = _without_user(url)
        request = urllib.request.Request(bare, headers={"User-Agent": "faceveil", **(headers or {})})  # noqa: S310
        if user:
            request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        answer: http.client.HTTPResponse = self._opener.open(request, timeout=STALL)
        return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows only to https, and from this machine to itself: no other server may point at what runs here."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request for the new address, or `RequestError`."""
        expect_safe(newurl)
        if urlsplit(newurl).scheme != "https" and req.type == "https":
            raise RequestError(f"{shown(req.full_url)} leads away from https, to {shown(newurl)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def expect_safe(url: str) -> None:
    """Raise `RequestError` unless the address is https, or http on this very machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RequestError("that is no address") from None
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise RequestError(f"the address {shown(url)} has characters that must be percent-encoded")
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return
    raise RequestError(f"only https addresses are taken, not {shown(url)}")


def shown(url: str) -> str:
    """The address without user, password and query, which may be secrets: for records and messages."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _without_user(url: str) -> tuple[str, str]:
    """The address without `user:password@`, and these two, decoded."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), unquote(user)


def download(url: str, part: Path, wanted: Wanted, door: Door, tell: Tell = silent) -> str:
    """Fetch `url` into the file `part`, whole and checked; its SHA-256.

    What is in `part` already is continued where that is safe. The caller holds a lock, so that nobody else writes
    there. Raises `InputError` where the file cannot be had or is not the wanted one, `OutputError` where the disk is
    full or refuses; what had arrived is given up then, so that it takes no more room.
    """
    try:
        with _in_words(url):
            got, resumed = _attempt(url, part, wanted, door, tell)
            if resumed and wanted.sha256 and got != wanted.sha256:
                forget(part)  # the first piece may have been of another file: once more, from the beginning
                got, _ = _attempt(url, part, wanted, door, tell)
    except OutputError:
        forget(part)
        raise
    if wanted.sha256 and got != wanted.sha256:
        forget(part)
        raise wrong_sum(shown(url), got, wanted.sha256)
    _record(part).unlink(missing_ok=True)
    return got


def wrong_sum(what: str, got: str, wanted: str) -> InputError:
    """The one sentence for a file that is not the one that is known."""
    return InputError(f"{what} is not the file that is meant: its SHA-256 is {got}, must be {wanted}")


def _attempt(url: str, part: Path, wanted: Wanted, door: Door, tell: Tell) -> tuple[str, bool]:
    """One request. The SHA-256 of all of `part`, and whether it continued what was there."""
    with _opened(part) as file:
        have, sign = file.tell(), _sign(part, url)
        if not (sign or wanted.sha256):
            have = 0
        ask = {"Accept-Encoding": "identity"}
        if have:
            ask |= {"Range": f"bytes={have}-"} | ({"If-Range": sign} if sign else {})
        try:
            answer = door.open(url, ask)
        except HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
                raise
            error.close()
            if have == wanted.bytes:  # killed between the last byte and the check
                return _sum(part).hexdigest(), True
            have, answer = 0, door.open(url, {"Accept-Encoding": "identity"})
        with answer:
            if not (have and _continues(answer, have)):
                have = 0
                if answer.status != http.client.OK:
                    raise InputError(f"cannot fetch {shown(url)}: the server answers {answer.status} {answer.reason}")
            with disk_in_words(part):
                file.truncate(have)
                _record(part).write_text(json.dumps({"url": _key(url), "sign": _sign_of(answer)}), encoding="utf-8")
            digest = _sum(part)
            _receive(answer, file, digest, have, wanted, tell)
            return digest.hexdigest(), have > 0


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    given = answer.headers.get("Content-Range", "")
    return answer.status == http.client.PARTIAL_CONTENT and given.startswith(f"bytes {have}-")


def _receive(
    answer: http.client.HTTPResponse, file: IO[bytes], digest: Any, have: int, wanted: Wanted, tell: Tell
) -> None:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise InputError("the server sends the file packed, which was not asked for")
    length = answer.headers.get("Content-Length", "")
    whole = have + int(length) if length.isdecimal() and len(length) < 16 else 0
    most = wanted.bytes or LIMIT
    if whole > most or (wanted.bytes and whole and whole != wanted.bytes):
        raise InputError(
            f"the server offers {whole:,} bytes, expected were {'' if wanted.bytes else 'at most '}{most:,}"
        )
    tell(have, whole or wanted.bytes)
    while chunk := answer.read1(CHUNK):  # what there is, so that a slow server's bytes are kept as they come
        have += len(chunk)
        if have > most:
            raise InputError(f"the server sends more than the {most:,} bytes that were expected")
        write(file, chunk)
        digest.update(chunk)
        tell(have, whole or wanted.bytes)
    if have < (whole or wanted.bytes):
        raise InputError(f"the connection ended after {have:,} of {whole or wanted.bytes:,} bytes", hint=AGAIN)


@contextmanager
def _opened(part: Path) -> Iterator[IO[bytes]]:
    with disk_in_words(part):
        file = part.open("ab", buffering=0)  # unbuffered: what has arrived survives a kill
    with file:
        yield file


def write(file: IO[bytes], data: bytes) -> None:
    """All of `data` into an unbuffered file. Raises `OutputError`."""
    left = memoryview(data)
    with disk_in_words(Path(file.name)):
        while left:
            left = left[file.write(left) :]


@contextmanager
def disk_in_words(path: Path) -> Iterator[None]:
    """What the disk refuses, as an `OutputError`."""
    try:
        yield
    except OSError as error:
        said = error.strerror or "the system refuses"
        raise OutputError(f"cannot write {path}: {said[0].lower()}{said[1:]}") from error


def _sum(path: Path) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _record(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def forget(part: Path) -> None:
    """Delete a part and its record."""
    part.unlink(missing_ok=True)
    _record(part).unlink(missing_ok=True)


def _key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()  # the address itself may hold secrets


def _sign_of(answer: http.client.HTTPResponse) -> str:
    """By what the server's file can be told from a later one: a strong ETag. Dates are only good to a second."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else ""


def _sign(part: Path, url: str) -> str:
    try:
        record = json.loads(_record(part).read_text(encoding="utf-8"))
        return str(record["sign"]) if record["url"] == _key(url) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """What the network, TLS and HTTP raise, as one sentence."""
    try:
        yield
    except HTTPError as error:
        with error:
            raise InputError(f"cannot fetch {shown(url)}: the server answers {error.code} {error.reason}") from None
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise InputError(
                f"cannot fetch {shown(url)}: its certificate is not trusted ({error.reason.verify_message})",
                hint="name a file of certificates that are, in SSL_CERT_FILE",
            ) from None
        raise InputError(f"cannot fetch {shown(url)}: {error.reason}", hint=AGAIN) from None
    except (http.client.HTTPException, OSError) as error:
        said = "the connection ended" if isinstance(error, http.client.IncompleteRead) else str(error) or "no answer"
        raise InputError(f"cannot fetch {shown(url)}: {said}", hint=AGAIN) from None


def reached(url: str, door: Door, accept: str, limit: int) -> tuple[bytes, str, str] | None:
    """A small page: its bytes, its content type, and the address it was found at; None where there is none (404).

    Raises `InputError` where it cannot be had or is larger than `limit` bytes.
    """
    with _in_words(url):
        try:
            answer = door.open(url, {"Accept": accept, "Accept-Encoding": "identity"})
        except HTTPError as error:
            if error.code not in (http.client.NOT_FOUND, http.client.GONE):
                raise
            error.close()
            return None
        with answer:
            page = answer.read(limit + 1)
            if len(page) > limit:
                raise InputError(f"{shown(url)} is larger than {limit:,} bytes")
            return page, answer.headers.get_content_type(), answer.url
