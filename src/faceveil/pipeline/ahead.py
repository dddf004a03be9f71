"""Work that runs ahead in a thread of its own, a bounded number of steps before whoever waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


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


def _drain(waiting: queue.Queue[Item | _End]) -> None:
    while True:
        try:
            waiting.get_nowait()
        except queue.Empty:
            return
