"""Waiting in the main thread, which handles the signals of the process."""

from __future__ import annotations

import threading
import time

_LOOK = 0.5  # seconds


def wait_for(event: threading.Event, seconds: float | None = None) -> bool:
    """Wait until *event* is set, or for so many seconds; whether it is set.

    The system may hand a signal to any thread, and only the main one runs its handler. A wait for a lock does not end
    when another thread got the signal, nor when it came just before the wait began. So no wait takes longer than half
    a second, and the handler runs after it at the latest.
    """
    until = None if seconds is None else time.monotonic() + seconds
    while not event.is_set():
        left = _LOOK if until is None else until - time.monotonic()
        if left <= 0:
            return False
        event.wait(min(left, _LOOK))
    return True


def sleep(seconds: float) -> None:
    """Wait for so many seconds; signals are handled as in wait_for()."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK))


def join(thread: threading.Thread) -> None:
    """Wait until *thread* has ended; signals are handled as in wait_for()."""
    while thread.is_alive():
        thread.join(_LOOK)
