"""Rows of arrays on disk, where the user names a folder for them: embeddings are biometric data, so never unasked.

A name is the SHA-256 of all that an entry depends on. An entry is whole or absent: what is damaged is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import OutputError, RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

TYPES = {kind: np.dtype(kind) for kind in ("|u1", "|b1", "<f4", "<f8", "<i8")}
_HEAD = 8  # bytes of the length of the description
_MOST = 1 << 20  # bytes of a description


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as bytes: a description in JSON, then their values, then a sum over both."""
    parts = [np.asarray(array, order="C") for array in arrays.values()]
    about = [[name, part.dtype.str, list(part.shape)] for name, part in zip(arrays, parts, strict=True)]
    head = json.dumps(about).encode()
    data = b"".join([len(head).to_bytes(_HEAD, "little"), head, *(part.tobytes() for part in parts)])
    return data + hashlib.sha256(data).digest()


def unpack(data: bytes) -> Arrays:
    """The arrays of `pack`. Raises `ValueError` for anything else: what is read is data, never code."""
    whole, told = data[:-32], data[-32:]
    if len(data) < _HEAD + 32 or hashlib.sha256(whole).digest() != told:
        raise ValueError("the arrays are damaged")
    length = int.from_bytes(whole[:_HEAD], "little")
    if length > min(_MOST, len(whole)):
        raise ValueError("the arrays are damaged")
    found, at = {}, _HEAD + length
    for name, kind, shape in json.loads(whole[_HEAD:at]):
        count = int(np.prod(shape, dtype=np.int64))
        found[name] = np.frombuffer(whole, TYPES[kind], count, at).reshape(shape)
        at += count * TYPES[kind].itemsize
    return found


class Cache:
    """A folder of entries; without a folder nothing is ever kept.

    Files are for their owner's eyes alone. Several processes may use one folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, key: str) -> Arrays | None:
        """The arrays of an entry; None where there is none that is whole."""
        if self._folder is None:
            return None
        try:
            return unpack(self._file(key).read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep an entry. Raises `OutputError` where the folder cannot be written to."""
        if self._folder is None:
            return
        file = self._file(key)
        part = file.with_name(f".{secrets.token_hex(8)}.part")
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(pack(arrays))
            part.replace(file)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise OutputError(f"cannot write to the cache {self._folder}: {error.strerror}") from None

    def _file(self, key: str) -> Path:
        if self._folder is None:
            raise ValueError("there is no folder")
        return self._folder / key[:2] / f"{key}.arrays"


def key(*parts: Any) -> str:
    """The name of what depends on these parts, which JSON can say."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def expect_folder(folder: Path) -> None:
    """Make the folder of a cache, for its owner alone. Raises `RequestError` where it is none, or is open to others."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RequestError(f"'{folder}' is a file, and a cache is a folder") from None
    except OSError as error:
        raise RequestError(f"cannot make the cache '{folder}': {error.strerror}") from None
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        raise RequestError(
            f"others can read '{folder}', and embeddings are biometric data", hint=f"chmod 700 '{folder}'"
        )
