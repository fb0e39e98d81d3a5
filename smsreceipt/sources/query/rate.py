"""The rate limit of calls to the provider: one token bucket for all workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SAME_CUT = 1.0  # seconds after a cut in which further refusals belong to it
_RECOVERY = 0.05  # of the full rate, regained in each second of successful calls
_LEAST = 1 / 64  # of the full rate: the lowest one


class Halted(Exception):
    """The run was asked to stop: a call is not made."""


class Rate:
    """Permits at most *qps* calls a second, shared by any number of threads.

    No interval of a second or more has over 1 % more calls than *qps* (below 10 a second: one call more than that). A
    refusal for too many requests halves the rate; successful calls restore it within ten seconds.
    """

    def __init__(
        self,
        qps: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """*clock* returns monotonic seconds; *sleep* waits for so many seconds, or until halt()."""
        self.calls = 0  #: permitted so far
        self._over = threading.Event()
        self._clock = clock
        self._sleep = sleep or self._over.wait
        # An interval has the calls that fit into it, and one more at its edge: to stay within 1 %, slow rates are a
        # little slower, and fast ones may make up for a wait that took too long.
        self._full = min(qps, max(0.9 * qps, 1.01 * qps - 1))
        self._leeway = max(0.0, (1.01 * qps - 1) / self._full - 1)
        self._rate = self._full
        self._due = clock()
        self._cut_at = float("-inf")
        self._recovered_at = self._due
        self._turn = threading.Lock()
        self._state = threading.Lock()

    @property
    def halted(self) -> bool:
        """Whether halt() was called."""
        return self._over.is_set()

    @property
    def now(self) -> float:
        """Calls a second at present."""
        return self._rate

    def acquire(self) -> None:
        """Wait until one more call is permitted. Raises Halted."""
        with self._turn:
            while True:
                if self._over.is_set():
                    raise Halted
                now = self._clock()
                wait = self._due - self._leeway - now
                if wait <= 0:
                    break
                self._sleep(wait)
            self._due = max(self._due, now) + 1 / self._rate
            self.calls += 1

    def pause(self, seconds: float) -> None:
        """Wait before a retry. Raises Halted."""
        self._sleep(seconds)
        if self._over.is_set():
            raise Halted

    def throttled(self) -> None:
        """Halve the rate: the provider refused a call because there were too many."""
        with self._state:
            now = self._clock()
            if now - self._cut_at >= _SAME_CUT:
                self._cut_at = self._recovered_at = now
                self._rate = max(self._rate / 2, self._full * _LEAST)

    def ok(self) -> None:
        """Raise the rate a little after a cut: a call succeeded."""
        if self._rate == self._full:
            return
        with self._state:
            now = self._clock()
            gained = min(now - self._recovered_at, _SAME_CUT) * _RECOVERY * self._full
            self._recovered_at = max(now, self._recovered_at)
            self._rate = min(self._rate + gained, self._full)

    def halt(self) -> None:
        """End all waits, now and later: they raise Halted. From any thread."""
        self._over.set()
