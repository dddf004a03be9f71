"""Work that runs ahead in a thread of its own, a bounded number of steps before whoever waits for it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


def ahead(items: Iterable[Item], steps: int) -> Generator[Item]:
    """The items in their order, made in another thread; `steps` of them wait at most.

    What the making raises is raised here, after the items before it. Closing this generator ends the thread.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(steps)
    left = threading.Event()

    def make() -> None:
        made = iter(items)
        error: BaseException | None = None
        try:
            for item in made:
                if left.is_set():
                    break
                waiting.put(item)
        except BaseException as raised:  # whatever it is, it belongs to the consumer
            error = raised
        finally:
            close = getattr(made, "close", None)
            if close is not None:
                close()
            waiting.put(_End(error))

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()
        while thread.is_alive():  # it may wait for room
            _drain(waiting)
            thread.join(0.01)


def side_by_side(items: Iterable[Item], work: Callable[[Item], Made], threads: int) -> Generator[Made]:
    """What `work` makes of each item, in the items' order; so many are worked on at a time, and as many more wait.

    What the work raises is raised here, after what was made of the items before it.
    """
    pool = ThreadPoolExecutor(threads, "side by side")
    waiting: deque[Future[Made]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _drain(waiting: queue.Queue[Item | _End]) -> None:
    while True:
        try:
            waiting.get_nowait()
        except queue.Empty:
            return
