"""Frames that wait to be looked at: few, and none for long. What is too late is never looked at, and never shown."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from faceveil.live.report import Meter
from faceveil.live.settings import Overload
from faceveil.types import Planes

LATE_S = 0.1  # a frame that waited longer is left out, so that all later ones are on time again
MOST = 8  # frames that wait with their pixels; at 60 frames a second they are 0.13 s old
MOST_VEILED = 600  # frames that wait without pixels


class Arrival(NamedTuple):
    """A frame and when it came, in seconds of `time.monotonic`. missed: nobody may look at it: it has no pixels."""

    moment: Planes
    at: float
    missed: bool = False


class Break:
    """The source was lost, or pictures of another kind begin: what comes next has nothing to do with what was."""


class Inbox:
    """Hands frames from the thread that decodes to the thread that looks. It never makes the first one wait."""

    def __init__(self, overload: Overload, meter: Meter) -> None:
        self._overload, self._meter = overload, meter
        self._waiting: deque[Arrival | Break] = deque()
        self._changed = threading.Condition()
        self._over = False

    def put(self, moment: Planes) -> None:
        """A frame has come."""
        with self._changed:
            self._waiting.append(Arrival(moment, time.monotonic()))
            fresh = [i for i, one in enumerate(self._waiting) if isinstance(one, Arrival) and not one.missed]
            if len(fresh) > MOST:
                self._miss(fresh[0])
            missed = [i for i, one in enumerate(self._waiting) if isinstance(one, Arrival) and one.missed]
            if len(missed) > MOST_VEILED:
                del self._waiting[missed[0]]
                self._meter.add("dropped")
            self._changed.notify()

    def interrupt(self) -> None:
        """What comes next has nothing to do with what was."""
        with self._changed:
            self._waiting.append(Break())
            self._changed.notify()

    def end(self) -> None:
        """Nothing comes any more."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def take(self, halt: threading.Event) -> Arrival | Break | None:
        """What comes next, in order; None when all is over."""
        with self._changed:
            while True:
                if halt.is_set() or (self._over and not self._waiting):
                    return None
                if not self._waiting:
                    self._changed.wait(0.1)
                    continue
                if self._is_late():
                    self._miss(0)
                    continue
                return self._waiting.popleft()

    def _is_late(self) -> bool:
        """Whether the first frame waited too long. The newest is always looked at, or nothing would ever be shown."""
        first = self._waiting[0]
        if isinstance(first, Break) or first.missed:
            return False
        newer = any(isinstance(one, Arrival) for one in list(self._waiting)[1:])
        return newer and time.monotonic() - first.at > LATE_S

    def _miss(self, position: int) -> None:
        one = self._waiting[position]
        if isinstance(one, Break):
            raise ValueError("only frames can be missed")
        if self._overload == "drop":
            del self._waiting[position]
            self._meter.add("dropped")
        else:
            self._waiting[position] = Arrival(veiled(one.moment), one.at, missed=True)


def veiled(moment: Planes) -> Planes:
    """A frame of the same kind, all of it the same grey: nothing of the picture is in it, and it takes no memory."""
    grey = np.array(1 << (moment.bits - 1), moment.planes[0].dtype)
    return replace(moment, planes=tuple(np.broadcast_to(grey, plane.shape) for plane in moment.planes))
