"""Threads that query: every result comes, a failure is raised, and at the end no thread is left."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from smsreceipt.sources.query.workers import QueryWorkers


def test_every_result_comes_in_the_order_in_which_it_is_done() -> None:
    first = threading.Event()

    def work(task: int) -> int:
        if task == 0:
            assert first.wait(10)
        return task * 10

    workers = QueryWorkers(work, 2)
    for task in range(4):
        workers.put(task)
    assert [workers.get(10) for _ in range(3)] == [10, 20, 30]
    first.set()
    assert workers.get(10) == 0
    assert workers.empty()
    assert workers.close(10)


def test_what_the_function_raises_is_raised_where_results_are_taken() -> None:
    def work(task: int) -> float:
        return 1 / task

    workers = QueryWorkers(work, 1)
    for task in (0, 2):
        workers.put(task)
    with pytest.raises(ZeroDivisionError):
        workers.get(10)
    assert workers.get(10) == 0.5
    assert workers.close(10)


def test_without_a_result_in_time_there_is_none() -> None:
    workers: QueryWorkers[int, int] = QueryWorkers(abs, 1)
    with pytest.raises(queue.Empty):
        workers.get(0)
    with pytest.raises(queue.Empty):
        workers.get(-1)
    assert workers.close(10)


def test_closing_drops_what_no_thread_has_begun_and_joins_them_all() -> None:
    begun, over = threading.Semaphore(0), threading.Event()
    done: list[int] = []

    def work(task: int) -> None:
        begun.release()
        assert over.wait(10)
        done.append(task)

    others = {*threading.enumerate()}
    workers = QueryWorkers(work, 3)
    for task in range(100):
        workers.put(task)
    for _ in range(3):
        assert begun.acquire(timeout=10)
    began = time.monotonic()
    assert not workers.close(0.05)
    assert time.monotonic() - began < 5
    over.set()
    assert workers.close(10)
    assert {*threading.enumerate()} <= others
    assert sorted(done) == [0, 1, 2]
