"""Worker processes that survive hostile files: a crash, a hang or a kill costs one input, never the batch."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task
from faceveil.dataset.wire import from_line, to_line
from faceveil.errors import FaceveilError, MissingExtra, WorkerError
from faceveil.pipeline import Progress

TIME_LIMIT_S = 600.0
"""After this long without a word its worker is ended. A 100 MP picture in `thorough` takes under a minute, and a worker
on a video says every half second how far it is."""

Watcher = Callable[[Task, Progress], None]
PROGRAM = "faceveil.dataset.worker"


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, setup: Setup, program: str = PROGRAM) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (this Python, and a module of this package)
            [sys.executable, "-m", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A session of its own: Ctrl-C in the terminal reaches the parent alone.
            start_new_session=True,
        )
        self._send(to_line(setup))
        self._timed_out = False

    def _send(self, line: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise WorkerError("the worker has no input")
        stdin.write(line)
        stdin.flush()

    def ask(self, task: Task, watch: Watcher | None = None) -> Outcome:
        """Run one task. Raises `WorkerError` when the process dies or is silent for too long."""
        try:
            self._send(to_line(task))
            while (line := self._heard()).startswith(b"at "):
                if watch is not None:
                    watch(task, Progress(**json.loads(line[3:])))
        except BrokenPipeError:
            line = b""
        if line.startswith(b"stop "):
            raise MissingExtra(line.decode().rstrip("\n").removeprefix("stop "))
        if not line.endswith(b"\n"):
            raise WorkerError(f"the process that worked on it {self._how_it_ended()}")
        return from_line(Outcome, line)

    def _heard(self) -> bytes:
        """The next line that the worker says."""
        timer = threading.Timer(TIME_LIMIT_S, self._time_out)
        timer.daemon = True
        timer.start()
        try:
            stdout = self._process.stdout
            return stdout.readline() if stdout is not None else b""
        finally:
            timer.cancel()

    def _time_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if self._timed_out:
            return f"said nothing for {TIME_LIMIT_S:.0f} s and was ended"
        if code < 0:
            why = " (out of memory?)" if -code == signal.SIGKILL else ""
            return f"was ended by {signal.Signals(-code).name}{why}"
        return f"ended with code {code}"

    def close(self) -> None:
        """End the process; a task it is working on is finished first."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def kill(self) -> None:
        """End the process now. Writes are atomic, so nothing half-written can stand."""
        self._process.kill()


class Pool:
    """`size` worker processes; a context manager.

    watch: called from several threads while videos are worked on. program: the module that the processes run: one that
    calls `worker.serve`.
    Setting `stop` lets started files finish and starts no others. Leaving on an exception ends all workers at once;
    writes are atomic, so nothing half-written can stand.
    """

    def __init__(
        self,
        setup: Setup,
        size: int,
        stop: threading.Event | None = None,
        watch: Watcher | None = None,
        program: str = PROGRAM,
    ) -> None:
        self._setup = setup
        self._size = size
        self._watch = watch
        self._program = program
        self._asked_to_stop = stop or threading.Event()
        self._left = False
        self._workers: dict[int, _Worker] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Outcomes as they come, in no order. Raises what stops a whole run: `MissingExtra`."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        answers: queue.SimpleQueue[Outcome | Exception | None] = queue.SimpleQueue()
        for slot in range(min(self._size, len(tasks))):
            thread = threading.Thread(target=self._serve, args=(slot, waiting, answers), daemon=True)
            self._threads.append(thread)
            thread.start()
        serving = len(self._threads)
        while serving:
            answer = answers.get()
            if answer is None:
                serving -= 1
            elif isinstance(answer, Exception):
                raise answer
            else:
                yield answer

    def _serve(
        self, slot: int, waiting: queue.SimpleQueue[Task], answers: queue.SimpleQueue[Outcome | Exception | None]
    ) -> None:
        """Feed one worker until there is nothing left; replace it when it dies. Ends with None."""
        worker: _Worker | None = None
        try:
            while not (self._left or self._asked_to_stop.is_set() or waiting.empty()):
                task = waiting.get_nowait()
                if worker is None:
                    worker = self._workers[slot] = _Worker(self._setup, self._program)
                try:
                    answers.put(worker.ask(task, self._watch))
                except WorkerError as error:
                    worker.close()
                    worker = None
                    answers.put(Outcome(source=str(task.source), status="failed", reason=str(error)))
        except queue.Empty:
            pass  # another thread took the last task
        except (FaceveilError, OSError, ValueError) as error:
            answers.put(error)
        finally:
            if worker is not None:
                worker.close()
            answers.put(None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        if kind is not None:
            for worker in list(self._workers.values()):
                worker.kill()
        for thread in self._threads:
            thread.join()
