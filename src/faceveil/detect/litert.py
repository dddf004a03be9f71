"""Networks of LiteRT, once called TensorFlow Lite: the extra `litert`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ai_edge_litert.interpreter import Interpreter

from faceveil.detect.loading import loading
from faceveil.models import store

if TYPE_CHECKING:
    from faceveil.detect.runtime import Runtime
    from faceveil.types import Floats

_local = threading.local()
_first = threading.Lock()


def run(name: str, picture: Floats, runtime: Runtime) -> list[Floats]:
    """The outputs of the network `name` of the catalogue for one picture (h, w, 3), without the axis of the batch.

    It runs on the CPU whatever the provider. An interpreter serves one thread only, so each has its own.
    Raises `MissingExtra` if the model was not added.
    """
    network = _interpreter(name, str(store.path(name)), runtime.threads or os.cpu_count() or 1)
    network.set_tensor(network.get_input_details()[0]["index"], picture[None])
    network.invoke()
    return [network.get_tensor(output["index"])[0] for output in network.get_output_details()]


def _interpreter(name: str, path: str, threads: int) -> Any:
    if not hasattr(_local, "made"):
        _local.made = {}
    if (path, threads) not in _local.made:
        with loading(name), _first, _unheard():
            made = Interpreter(path, num_threads=threads)
            made.allocate_tensors()
        _local.made[path, threads] = made
    return _local.made[path, threads]


@contextmanager
def _unheard() -> Iterator[None]:
    """Standard error goes nowhere meanwhile: LiteRT says there which delegate it made, and has no switch for it."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
