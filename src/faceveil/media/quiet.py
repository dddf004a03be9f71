"""C libraries that write to the process's standard error, past Python: silenced, or listened to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from threading import Lock
from typing import IO

_lock = Lock()
_inside = 0
_kept = -1


@contextmanager
def quiet() -> Iterator[None]:
    """Send file descriptor 2 to nowhere while at least one thread is inside.

    libtiff, libpng and OpenCV report damage there besides returning an error; the error is what we tell. What other
    threads write to standard error meanwhile is lost, so the block holds one decoder call and nothing else.
    """
    global _inside, _kept  # noqa: PLW0603  # the descriptor is the process's, so is the count
    with _lock:
        _inside += 1
        if _inside == 1:
            _kept = _divert()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _kept >= 0:
                os.dup2(_kept, 2)
                os.close(_kept)


@contextmanager
def overheard() -> Iterator[IO[bytes]]:
    """A file that gets what is written to file descriptor 2 meanwhile, by any thread; empty where there is none.

    The block holds one short call, as with `quiet`, which waits for it.
    """
    with _lock, TemporaryFile() as file:
        try:
            kept = os.dup(2)
        except OSError:  # a process without standard error
            yield file
            return
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _divert() -> int:
    """A copy of the descriptor to go back to; -1 where the process has no standard error."""
    try:
        kept = os.dup(2)
    except OSError:
        return -1
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept
