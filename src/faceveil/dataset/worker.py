"""A worker process: reads tasks from standard input, writes outcomes to standard output, one JSON line each.

JSON and not pickle: the worker reads hostile files, and what it says must not run code in its parent. A process of
its own and not a thread: what crashes a decoder must cost one file, not the batch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO, TypeVar

from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task, run
from faceveil.dataset.wire import from_line, to_line
from faceveil.errors import MissingExtra, RequestError
from faceveil.pipeline import Progress, Watcher

_Setup = TypeVar("_Setup", bound=Setup)
_Task = TypeVar("_Task", bound=Task)


def main() -> int:
    """Serve until standard input ends, as it does when the parent dies."""
    return serve(Setup, Task, run)


def serve(setups: type[_Setup], tasks: type[_Task], do: Callable[[_Task, _Setup, Watcher], Outcome]) -> int:
    """Do one task after the other for the `Pool` at the other end, and answer with its outcome."""
    with _private_stdout() as out:
        setup = from_line(setups, sys.stdin.buffer.readline())
        if setup.policy.provider == "cpu":  # CUDA maps far more addresses than there is memory
            _limit_memory()
        if setup.threads == 1:
            import cv2  # noqa: PLC0415  (not needed by processes that only start workers)

            cv2.setNumThreads(1)
        for line in sys.stdin.buffer:
            task = from_line(tasks, line)
            try:
                answer = to_line(do(task, setup, lambda at: _tell(out, at)))
            except RequestError as error:
                # The run itself was judged before it began: this is about one input, such as a codec for its container.
                answer = to_line(Outcome(source=str(task.source), status="failed", reason=str(error)))
            except MissingExtra as error:
                out.write(f"stop {error}\n".encode("utf-8", "backslashreplace"))
                return 1
            out.write(answer)
            out.flush()
    return 0


def _tell(out: BinaryIO, at: Progress) -> None:
    """How far a video is; it also tells the parent that this process is alive."""
    out.write(b"at " + json.dumps(asdict(at)).encode() + b"\n")
    out.flush()


def _limit_memory() -> None:
    """Let no file take more memory than the machine has: it fails as one file instead of stopping everything.

    Data alone is limited, not addresses: films that are larger than the memory are mapped to be examined.
    """
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))


def _private_stdout() -> BinaryIO:
    """Standard output for answers alone; what libraries print goes to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "wb")


if __name__ == "__main__":
    sys.exit(main())
