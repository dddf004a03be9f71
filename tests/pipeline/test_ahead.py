"""Work that runs ahead and side by side: in order, bounded, with its errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from faceveil.pipeline.ahead import ahead, side_by_side


def test_items_come_in_their_order_though_later_ones_are_done_sooner() -> None:
    def slow(i: int) -> int:
        time.sleep(0.02 if i % 2 == 0 else 0)
        return i * i

    assert list(side_by_side(range(20), slow, 3)) == [i * i for i in range(20)]


def test_so_many_are_worked_on_at_a_time_and_no_more_are_taken_than_wait() -> None:
    taken, working, most = [], 0, 0
    lock = threading.Lock()

    def items() -> Iterator[int]:
        for i in range(30):
            taken.append(i)
            yield i

    def work(i: int) -> int:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.002)
        with lock:
            working -= 1
        return i

    for i in side_by_side(items(), work, 2):
        assert len(taken) <= i + 5
    assert most == 2


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def work(i: int) -> int:
        if i == 7:
            raise ValueError("seven")
        return i

    one_by_one = side_by_side(range(20), work, 2)
    assert [next(one_by_one) for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="seven"):
        next(one_by_one)


def test_closing_ends_all_threads_of_both() -> None:
    before = threading.active_count()
    chain = ahead(side_by_side(iter(range(10_000)), lambda i: i, 2), 4)
    assert next(chain) == 0
    chain.close()
    assert threading.active_count() == before
