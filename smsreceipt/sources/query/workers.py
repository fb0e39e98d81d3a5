"""Threads that ask the provider side by side, and that are joined when the work ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

LAST_CALLS = 5.0  #: seconds that calls under way get after a stop


class QueryWorkers(Generic[_Task, _Result]):
    """Applies a function to tasks in several threads; results come in the order in which they are done."""

    def __init__(self, work: Callable[[_Task], _Result], count: int) -> None:
        """*work* is called in *count* threads. They are daemons: a call that hangs cannot delay the exit."""
        self._work = work
        self._tasks: queue.SimpleQueue[tuple[_Task] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[_Result | BaseException] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"query-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def put(self, task: _Task) -> None:
        """Queue a task."""
        self._tasks.put((task,))

    def get(self, timeout: float) -> _Result:
        """Return the next result. Raises queue.Empty after *timeout* seconds, and what the function raised."""
        result = self._results.get(timeout=max(timeout, 0))
        if isinstance(result, BaseException):
            raise result
        return result

    def empty(self) -> bool:
        """Whether no result can be taken now."""
        return self._results.empty()

    def close(self, seconds: float) -> bool:
        """Drop the tasks that no thread has begun, and join the threads; False if that takes longer than *seconds*."""
        with suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._results.put(self._work(*task))
            except BaseException as exc:  # noqa: BLE001 - raised in the thread that takes the results
                self._results.put(exc)
