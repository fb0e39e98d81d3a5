"""When it is told that the provider cannot be reached: at once, then seldom, by all connections together."""

from __future__ import annotations

import threading

import pytest

from smsreceipt.aliyun.faults import Unreached
from smsreceipt.aliyun.reporter import PERIOD, ConnectionReporter


class Told:
    """The lines of a reporter, and a clock that is set by hand."""

    def __init__(self, after: float = 60.0) -> None:
        self.now = 0.0
        self.lines: list[tuple[str, int]] = []
        self.came = threading.Event()
        self.reporter = ConnectionReporter(self._say, clock=lambda: self.now, after=after)

    def _say(self, text: str, verbosity: int) -> None:
        self.lines.append((text, verbosity))
        self.came.set()

    @property
    def shown(self) -> list[str]:
        return [text for text, verbosity in self.lines if verbosity == 0]


def test_the_first_failure_is_told_at_once_then_one_in_ten_seconds_and_the_others_with_v() -> None:
    told, failure = Told(), Unreached("cannot reach x (connection refused)")
    for told.now in (0.0, 0.4, 9.9, 10.0, 19.0, 21.0):
        told.reporter.failed(failure, 30.2 - told.now)
    assert told.shown == [f"cannot reach x (connection refused); trying again, {left} s left" for left in (30, 20, 9)]
    assert len(told.lines) == 6
    assert PERIOD == 10


def test_connecting_that_takes_long_is_told_while_it_does() -> None:
    told = Told(after=0.01)
    with told.reporter.connecting("mns.example.com"):
        assert told.came.wait(10)
    assert told.shown == ["still connecting to mns.example.com ..."]


def test_slow_connections_are_told_once_until_one_was_opened_and_never_instead_of_a_failure() -> None:
    told, failure = Told(), Unreached("cannot reach x (timed out)")
    slow = told.reporter._takes_long
    slow("x")
    slow("x")
    told.now = 5.0
    told.reporter.failed(failure, 30.0)
    told.now = 20.0
    slow("x")
    told.reporter.failed(failure, 15.0)
    with told.reporter.connecting("x"):
        pass
    told.now = 29.0
    slow("x")
    told.now = 40.0
    with told.reporter.connecting("x"):
        pass
    slow("x")
    still, failed = "still connecting to x ...", "cannot reach x (timed out); trying again, "
    assert told.shown == [still, f"{failed}30 s left", f"{failed}15 s left", still]


def test_connecting_that_is_over_is_not_told() -> None:
    told = Told()
    before = threading.active_count()
    with told.reporter.connecting("x"):
        pass
    with pytest.raises(ZeroDivisionError), told.reporter.connecting("x"):
        raise ZeroDivisionError
    for thread in threading.enumerate()[before:]:
        thread.join(10)  # far sooner than the minute after which they would tell
    assert not told.lines


def test_many_connections_tell_together_once() -> None:
    told = Told()
    threads = [
        threading.Thread(target=told.reporter.failed, args=(Unreached(f"cannot reach {n}"), 9)) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told.shown) == 1
