"""A worker process: reads tasks from standard input, writes outcomes to standard output, one JSON line each.

JSON and not pickle: the worker reads hostile files, and what it says must not run code in its parent. A process of
its own and not a thread: what crashes a decoder must cost one file, not the batch.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from faceveil.dataset.task import Setup, Task, run
from faceveil.dataset.wire import from_line, to_line
from faceveil.errors import FaceveilError


def main() -> int:
    """Serve until standard input ends, as it does when the parent dies."""
    with _private_stdout() as out:
        setup = from_line(Setup, sys.stdin.buffer.readline())
        if setup.policy.provider == "cpu":  # CUDA maps far more addresses than there is memory
            _limit_memory()
        if setup.threads == 1:
            import cv2  # noqa: PLC0415  (not needed by processes that only start workers)

            cv2.setNumThreads(1)
        for line in sys.stdin.buffer:
            try:
                answer = to_line(run(from_line(Task, line), setup))
            except FaceveilError as error:
                out.write(f"stop {error.exit_code} {error}\n".encode("utf-8", "backslashreplace"))
                return 1
            out.write(answer)
            out.flush()
    return 0


def _limit_memory() -> None:
    """Let no file take more memory than the machine has: it fails as one file instead of stopping everything."""
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, hard))


def _private_stdout() -> BinaryIO:
    """Standard output for answers alone; what libraries print goes to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "wb")


if __name__ == "__main__":
    sys.exit(main())
