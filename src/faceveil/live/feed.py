"""A sink at work: its own thread and its own short queue, so that a slow one holds nobody up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from faceveil.live.report import Meter
from faceveil.live.sinks import Closed, Sink
from faceveil.types import Planes

IDLE_S = 0.05


class Feed:
    """Hands frames to one sink.

    failed: called with what the sink raises. closed: called when its viewer wants the run to end.
    """

    def __init__(
        self, sink: Sink, meter: Meter, failed: Callable[[BaseException], None], closed: Callable[[], None]
    ) -> None:
        self.sink = sink
        self._meter, self._failed, self._closed = meter, failed, closed
        self._waiting: deque[tuple[Planes, float]] = deque()
        self._changed = threading.Condition()
        self._over = False
        self.thread: threading.Thread | None = None
        if not sink.main_thread:
            self.thread = threading.Thread(target=self._work, name=f"live {sink.name}", daemon=True)

    def offer(self, moment: Planes, arrived: float) -> None:
        """A frame for the sink; the oldest one that waits is skipped where there are too many."""
        with self._changed:
            if self._over:
                return
            if len(self._waiting) >= self.sink.patience:
                self._waiting.popleft()
                self._meter.skip(self.sink.name)
            self._waiting.append((moment, arrived))
            self._changed.notify()

    def end(self) -> None:
        """Nothing comes any more; what waits is still shown."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def step(self, wait: float = IDLE_S) -> bool:
        """Show one frame, or wait a moment for one; false when all is over."""
        with self._changed:
            if not self._waiting and not self._over:
                self._changed.wait(wait)
            over = self._over and not self._waiting
            one = self._waiting.popleft() if self._waiting else None
        try:
            if one is None:
                self.sink.idle()
            else:
                self.sink.show(one[0])
                self._meter.done(one[1])
        except Closed:
            self._stop()
            self._closed()
            return False
        except BaseException as error:  # whatever it is, it ends the run
            self._stop()
            self._failed(error)
            return False
        return not over

    def _stop(self) -> None:
        with self._changed:
            self._over = True
            self._waiting.clear()

    def _work(self) -> None:
        while self.step():
            pass
