"""Waits of the main thread do not put off the handler of a signal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from smsreceipt.waiting import join, sleep, wait_for


@pytest.fixture
def event() -> Iterator[threading.Event]:
    """An event that is set by the handler of SIGUSR2, which another thread gets while the main one waits."""
    event, over = threading.Event(), threading.Event()
    before = signal.signal(signal.SIGUSR2, lambda *_: event.set())
    other = threading.Thread(target=over.wait)
    other.start()
    assert other.ident is not None
    sending = threading.Timer(0.2, signal.pthread_kill, (other.ident, signal.SIGUSR2))
    sending.start()
    yield event
    over.set()
    sending.join()
    other.join()
    signal.signal(signal.SIGUSR2, before)


def test_the_handler_runs_although_another_thread_got_the_signal(event: threading.Event) -> None:
    began = time.monotonic()
    assert wait_for(event)
    assert time.monotonic() - began < 10


def test_so_it_does_while_a_thread_is_waited_for(event: threading.Event) -> None:
    ending = threading.Thread(target=event.wait)  # ends once the handler has run
    ending.start()
    join(ending)
    assert event.is_set()


def test_so_it_does_in_a_pause(event: threading.Event) -> None:
    def over(*_: object) -> None:
        raise InterruptedError

    signal.signal(signal.SIGUSR2, over)
    began = time.monotonic()
    with pytest.raises(InterruptedError):
        sleep(60)
    assert time.monotonic() - began < 10


def test_a_limit_is_kept() -> None:
    event = threading.Event()
    began = time.monotonic()
    assert not wait_for(event, 0.7)
    assert 0.7 <= time.monotonic() - began < 10
    assert not wait_for(event, 0)
    event.set()
    assert wait_for(event, 0)
    assert wait_for(event)


def test_a_pause_takes_as_long_as_it_should() -> None:
    began = time.monotonic()
    sleep(0.7)
    sleep(-1)
    assert 0.7 <= time.monotonic() - began < 10
