"""A time limit for all of an exchange: sockets limit only the time between two bytes, and looking a name up nothing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, action: Callable[[], T]) -> T:
    """The result of *action*, which runs in a thread; what it raises is raised here.

    Raises TimeoutError after *seconds*. The thread then goes on by itself, and keeps no process alive.
    """
    results: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((action(), None))
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits
            results.put((None, exc))

    threading.Thread(target=run, name="deadline", daemon=True).start()
    try:
        result, failure = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if failure is not None:
        raise failure
    return result  # type: ignore[return-value]  # None only where T allows it
