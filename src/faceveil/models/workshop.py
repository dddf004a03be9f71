"""Where models are made before they get their names: whole or not at all, one process at a time for each name.

A hidden folder of the store, `.work`: downloads arrive there, a model's folder is made there under a random name, and
it gets its own name in one step. Who works on a name holds a lock on a file there, which the system drops when the
process dies, however it dies; so what lies there of that name while the lock is ours is what a killed process left.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from faceveil.errors import InputError, OutputError, RequestError
from faceveil.models import fetch, store

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_DEADLOCK = 36  # errno of Windows: the lock was not free within the ten seconds that it tries


def work() -> Path:
    """The hidden folder, made where it is missing. Raises `OutputError`."""
    place = store.folder() / ".work"
    with fetch.disk_in_words(place):
        place.mkdir(parents=True, exist_ok=True)
    return place


def part(name: str) -> Path:
    """The file that a download for this name arrives in."""
    return work() / f"{name}.part"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the lock of a name, of a model or of an archive; waits for others. Raises `OutputError`."""
    lock = work() / f"{name}.lock"
    with fetch.disk_in_words(lock):
        file = lock.open("ab")
    with file:
        try:
            _wait_for(file)
        except OSError as error:
            raise OutputError(
                f"{lock.parent} cannot be locked: {error.strerror}", hint=f"name another folder in {store.VARIABLE}"
            ) from None
        yield


def _wait_for(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError as error:
                if error.errno != _DEADLOCK:
                    raise
            else:
                return
    else:
        fcntl.flock(file, fcntl.LOCK_EX)


@contextmanager
def making(name: str) -> Iterator[Path]:
    """A folder to make the model in. It is gone afterwards, whatever happens: published or deleted."""
    sweep(name)
    place = work() / f"{name}+{secrets.token_hex(8)}"
    with fetch.disk_in_words(place):
        place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def sweep(name: str) -> None:
    """Remove what killed processes left of this name. '+' is in no name, so no other model's things are met."""
    for left in work().glob(f"{name}+*"):
        shutil.rmtree(left, ignore_errors=True)


def write(path: Path, data: bytes) -> None:
    """A new file, onto the disk. Raises `OutputError`."""
    with fetch.disk_in_words(path), path.open("xb", buffering=0) as file:
        fetch.write(file, data)
        os.fsync(file.fileno())


def copy(source: Path, target: Path) -> str:
    """Copy a file, reading it once; its SHA-256. Raises `RequestError` where it cannot be read, and `OutputError`."""
    digest, size = hashlib.sha256(), 0
    try:
        given = source.open("rb")
    except OSError as error:
        raise RequestError(f"{source} cannot be read: {(error.strerror or 'no reason given').lower()}") from None
    with given, fetch.disk_in_words(target), target.open("xb", buffering=0) as file:
        while chunk := given.read(fetch.CHUNK):
            if (size := size + len(chunk)) > fetch.LIMIT:
                raise InputError(f"{source} is larger than {fetch.LIMIT:,} bytes")
            fetch.write(file, chunk)
            digest.update(chunk)
        os.fsync(file.fileno())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Of a file here."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(name: str, made: Path, source: str, licence: str, terms: str, data: str) -> store.Model:
    """Write the record and give the folder its name, in one step; a damaged model of that name gives way.

    made: a folder of `making`, with nothing in it but model.SUFFIX. Raises `OutputError`, and `RequestError` where
    something else stands under the name.
    """
    files = {file.name: {"sha256": sha256(file), "bytes": file.stat().st_size} for file in sorted(made.iterdir())}
    record = store.Record.model_validate(
        {"files": files, "source": source, "licence": licence, "terms": terms, "data": data}
    )
    write(made / store.RECORD, (record.model_dump_json(indent=2) + "\n").encode())
    place = store.folder() / name
    if os.path.lexists(place):
        retire(place)
    with fetch.disk_in_words(place):
        made.rename(place)
        _sync(place.parent)
    model = store.installed(name)
    if model is None:
        raise OutputError(f"{place} vanished as soon as it was made")
    return model


def retire(place: Path) -> None:
    """Take a model's folder away in one step: nobody finds half of it.

    Raises `RequestError` for a folder that holds anything but a model: it may be the user's, if the store is a folder
    that has other uses.
    """
    with fetch.disk_in_words(place):
        strange = [place] if not place.is_dir() else [f for f in place.iterdir() if not f.name.startswith("model.")]
        if strange:
            raise RequestError(f"{strange[0]} is no part of a model: {place} is left as it is", hint="move it away")
        old = work() / f"{place.name}+{secrets.token_hex(8)}"
        place.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make the new name last through a power cut, where the system knows how."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
