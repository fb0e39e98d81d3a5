"""How fast the provider is asked: one token bucket for all workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PATIENCE = 1.0  #: seconds after a cut in which further refusals are echoes of the same trouble
_RECOVERY = 0.05  #: of the full rate, regained in a second of calls that go well
_LEAST = 1 / 64  #: of the full rate: it is never cut further


class Halted(Exception):
    """The run was asked to stop; nobody waits for a turn any more."""


class Rate:
    """Lets calls go at most *qps* times a second, shared by any number of threads.

    In no stretch of a second or more do more than 1 % above *qps* go (below 10 a second: one call more than that). A
    refusal for too many requests halves the rate; calls that go well bring it back within ten seconds.
    """

    def __init__(
        self,
        qps: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """*clock* gives seconds that only grow; *sleep* waits that long, but for halt()."""
        self.calls = 0  #: let go so far
        self._over = threading.Event()
        self._clock = clock
        self._sleep = sleep or self._over.wait
        # A stretch holds the calls that fit into it, and one more at its edge: for the sum to stay within 1 %, slow
        # rates go a little slower, and fast ones may make up for a wait that took too long.
        self._full = min(qps, max(0.9 * qps, 1.01 * qps - 1))
        self._leeway = max(0.0, (1.01 * qps - 1) / self._full - 1)
        self._rate = self._full
        self._due = clock()
        self._cut_at = float("-inf")
        self._healed_at = self._due
        self._turn = threading.Lock()
        self._state = threading.Lock()

    @property
    def now(self) -> float:
        """Calls a second at present."""
        return self._rate

    def acquire(self) -> None:
        """Return when it is this call's turn. Raises Halted."""
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
        """Wait before something is tried again. Raises Halted."""
        self._sleep(seconds)
        if self._over.is_set():
            raise Halted

    def throttled(self) -> None:
        """The provider refused a call for there being too many: go half as fast from now on."""
        with self._state:
            now = self._clock()
            if now - self._cut_at >= _PATIENCE:
                self._cut_at = self._healed_at = now
                self._rate = max(self._rate / 2, self._full * _LEAST)

    def ok(self) -> None:
        """A call went well: after a cut, go a little faster."""
        if self._rate == self._full:
            return
        with self._state:
            now = self._clock()
            gained = min(now - self._healed_at, _PATIENCE) * _RECOVERY * self._full
            self._healed_at = max(now, self._healed_at)
            self._rate = min(self._rate + gained, self._full)

    def halt(self) -> None:
        """Let nobody wait any longer, now and later. From any thread."""
        self._over.set()
