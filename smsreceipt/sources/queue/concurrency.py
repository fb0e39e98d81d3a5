"""How many requests may run at once: fewer after the provider has refused one for too much load."""

from __future__ import annotations

_MORE_EACH = 1.0  # seconds after which one more request is permitted again


class Concurrency:
    """A limit on requests of all queues together: the provider counts them by account.

    A refusal halves it; then it grows by one each second. Receives and deletes have the same limit each.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._after_cut = most
        self._cut_at = -1.0

    def limit(self, now: float) -> int:
        """The requests that may run at once at *now* (monotonic seconds), 1 to *most*."""
        if self._after_cut >= self._most:
            return self._most
        return min(self._most, self._after_cut + int((now - self._cut_at) / _MORE_EACH))

    def refused(self, sent_at: float, now: float) -> None:
        """The provider refused at *now* a request that was sent at *sent_at*.

        Requests that were sent before the last cut tell nothing about the limit that it set: they are not counted.
        """
        if sent_at > self._cut_at:
            self._after_cut = max(1, self.limit(now) // 2)
            self._cut_at = now
