"""Tells the user that the provider cannot be reached, soon and seldom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from smsreceipt.language import _

AFTER = 1.0  #: seconds of connecting after which a line says so
PERIOD = 10.0  #: seconds between two lines


def _silent(_text: str, _verbosity: int) -> None:
    pass


class ConnectionReporter:
    """Prints a line when a connection cannot be opened: the first at once, then one in ten seconds.

    Before the first, a line says when opening a connection takes long. One reporter serves all connections of a run,
    from any number of threads.
    """

    def __init__(
        self,
        say: Callable[[str, int], None] = _silent,
        *,
        clock: Callable[[], float] = time.monotonic,
        after: float = AFTER,
    ) -> None:
        """*say* prints a text from the given verbosity on: 0, or 1 for what would be too much. *clock*: seconds."""
        self._say = say
        self._clock = clock
        self._after = after
        self._lock = threading.Lock()
        self._failed_at = float("-inf")
        self._slow = False  # it was told that a connection takes long, and none was opened since

    @contextmanager
    def connecting(self, name: str) -> Iterator[None]:
        """Inside, a connection to *name* is being opened."""
        timer = threading.Timer(self._after, self._takes_long, (name,))
        timer.daemon = True
        timer.start()
        try:
            yield
            self._slow = False
        finally:
            timer.cancel()

    def failed(self, failure: Exception, left: float) -> None:
        """Note that no connection could be opened, and that this is tried again for *left* seconds."""
        with self._lock:
            now = self._clock()
            due = now - self._failed_at >= PERIOD
            if due:
                self._failed_at = now
        self._say(_("{failure}; trying again, {left:.0f} s left", failure=failure, left=left), 0 if due else 1)

    def _takes_long(self, name: str) -> None:
        with self._lock:
            due = not self._slow and self._clock() - self._failed_at >= PERIOD
            self._slow = True
        self._say(_("still connecting to {name} ...", name=name), 0 if due else 1)
