"""The thread that takes pictures in, and goes back for more when their source was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from faceveil.errors import InputError
from faceveil.live.inbox import Inbox
from faceveil.live.report import Meter
from faceveil.live.settings import LiveSettings
from faceveil.live.sources import Lost, Source
from faceveil.types import Planes

LONGEST_S = 30  # between two attempts


def pause(attempt: int) -> float:
    """Seconds before the next attempt, after 0, 1, 2 ... that failed: 1, 2, 4 ... 30."""
    return float(min(2 ** min(attempt, 10), LONGEST_S))


def read(
    source: Source,
    inbox: Inbox,
    meter: Meter,
    settings: LiveSettings,
    halt: threading.Event,
    announce: Callable[[str], None],
) -> None:
    """Fill the inbox until the source is over. Raises `InputError` where it is lost for good."""
    attempt = 0
    while not halt.is_set():
        came, why = False, "it ended"
        try:
            came = _take_in(source, inbox, meter, halt)
        except _Interrupted as interrupted:
            came, why = interrupted.came, interrupted.why
        if halt.is_set():
            break
        if not source.again or (came and why == "it ended" and not settings.retries):
            break
        attempt = 0 if came else attempt
        if attempt >= settings.retries:
            if came:
                raise InputError(f"{source.name} was lost: {why}")
            tried = f"{attempt + 1} attempts" if attempt else "1 attempt"
            raise InputError(f"cannot connect to {source.name}: {why} ({tried})")
        inbox.interrupt()
        wait = pause(attempt)
        meter.say("reconnecting", f"{why}; trying again in {wait:g} s")
        announce(f"{source.name}: {why}; trying again in {wait:g} s")
        halt.wait(wait)
        attempt += 1
        meter.add("reconnects")
    inbox.end()


class _Interrupted(Exception):  # (it is caught a few lines above)
    """The source was lost. came: whether it had given a picture since it was opened."""

    def __init__(self, why: str, *, came: bool) -> None:
        super().__init__(why)
        self.why, self.came = why, came


def _take_in(source: Source, inbox: Inbox, meter: Meter, halt: threading.Event) -> bool:
    """Fill the inbox until the source ends; whether it gave anything."""
    kind = None
    try:
        for moment in source.frames(halt):
            if halt.is_set():
                break
            meter.add("frames")
            if moment is None:
                meter.add("damaged")
                meter.add("dropped")
                continue
            if kind != _kind(moment):
                if kind is None:
                    meter.say("live")
                else:
                    inbox.interrupt()
                kind = _kind(moment)
            inbox.put(moment)
    except Lost as lost:
        raise _Interrupted(str(lost), came=kind is not None) from lost
    return kind is not None


def _kind(moment: Planes) -> tuple[object, ...]:
    return moment.size, moment.orientation, moment.bits, moment.subsampling, moment.matrix, moment.full
