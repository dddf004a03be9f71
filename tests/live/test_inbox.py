"""Frames that wait to be looked at: bounded, in order, and without pixels once they are missed."""

from __future__ import annotations

import threading
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.live.inbox import MOST, MOST_VEILED, Arrival, Break, Inbox, veiled
from faceveil.live.report import Meter
from faceveil.types import Planes

HALT = threading.Event()


def moment(index: int = 0, bits: int = 8, matrix: Literal["bt709", "rgb", "grey"] = "bt709") -> Planes:
    dtype: type[Any] = np.uint8 if bits == 8 else np.uint16
    luma: Any = np.arange(35).reshape(5, 7).astype(dtype)
    chroma: Any = luma if matrix == "rgb" else np.arange(12).reshape(3, 4).astype(dtype)
    planes: tuple[Any, ...] = (luma,) if matrix == "grey" else (luma, chroma, chroma)
    return Planes(planes, bits, (1, 1) if matrix == "rgb" else (2, 2), matrix, index=index)


def inbox(overload: Literal["drop", "veil"]) -> tuple[Inbox, Meter]:
    meter = Meter("test", ())
    return Inbox(overload, meter), meter


@given(st.lists(st.sampled_from(["put", "take", "break"]), max_size=120), st.sampled_from(["drop", "veil"]))
def test_order_stays_and_pixels_are_few(steps: list[str], overload: Literal["drop", "veil"]) -> None:
    box, meter = inbox(overload)
    count = breaks = 0
    taken: list[Arrival] = []
    for step in [*steps, "end"]:
        if step == "put":
            box.put(moment(count))
            count += 1
        elif step == "break":
            box.interrupt()
            breaks += 1
        elif step == "take" and (taken or count or breaks):
            box.end()  # so that an empty one does not wait
            one = box.take(HALT)
            taken += [one] if isinstance(one, Arrival) else []
            breaks -= isinstance(one, Break)
        waiting = [one for one in box._waiting if isinstance(one, Arrival) and not one.missed]
        assert len(waiting) <= MOST
    box.end()
    while (one := box.take(HALT)) is not None:
        taken += [one] if isinstance(one, Arrival) else []
        breaks -= isinstance(one, Break)
    indices = [one.moment.index for one in taken]
    assert indices == sorted(indices)
    assert breaks == 0
    assert len(taken) + meter.report().dropped == count
    if overload == "veil":
        assert indices == list(range(count))


def test_a_frame_that_waited_too_long_is_missed_unless_it_is_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr("faceveil.live.inbox.time.monotonic", lambda: now[0])
    box, meter = inbox("drop")
    for index in range(3):
        box.put(moment(index))
        now[0] += 0.04
    now[0] = 10.145  # the frames are 145, 105 and 65 ms old
    first = box.take(HALT)
    assert isinstance(first, Arrival)
    assert first.moment.index == 2
    assert meter.report().dropped == 2
    box.put(moment(3))
    now[0] = 99.0
    newest = box.take(HALT)
    assert isinstance(newest, Arrival)
    assert newest.moment.index == 3


def test_missed_frames_are_bounded_too() -> None:
    box, meter = inbox("veil")
    for index in range(MOST_VEILED + 100):
        box.put(moment(index))
    assert len(box._waiting) == MOST + MOST_VEILED
    assert meter.report().dropped == 100 - MOST


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("matrix", ["bt709", "rgb", "grey"])
def test_a_veiled_frame_says_nothing_of_the_picture(bits: int, matrix: Literal["bt709", "rgb", "grey"]) -> None:
    original = moment(5, bits, matrix)
    covered = veiled(original)
    assert covered.index == 5
    for before, after in zip(original.planes, covered.planes, strict=True):
        assert after.shape == before.shape
        assert after.dtype == before.dtype
        assert (after == 1 << (bits - 1)).all()
        assert not np.shares_memory(after, before)
        assert after.base is None or after.base.nbytes <= 2


def test_a_halt_ends_the_wait() -> None:
    halt = threading.Event()
    box, _ = inbox("drop")
    threading.Timer(0.2, halt.set).start()
    assert box.take(halt) is None
