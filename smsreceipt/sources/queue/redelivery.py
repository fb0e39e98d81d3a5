"""Detects a queue that delivers stored messages again and again, which would keep a pull busy for ever."""

from __future__ import annotations

from collections.abc import Iterable

from smsreceipt.aliyun.mns import Message

_WINDOW = 400  # messages that are judged together
_OFTEN = 3  # a message may be delivered so many times: at-least-once delivery and lost answers repeat some
_SHARE = 0.9  # of a window; redelivered more often than that, and the queue makes no progress
_WINDOWS = 3  # such windows in a row end the pull
_MEMORY = 50_000  # messages that are remembered, about 5 MB


class Redelivery:
    """Counts how often each message of a queue was stored in this run."""

    def __init__(self) -> None:
        self.stuck = False  #: hardly anything but redelivered messages came for a long time
        self.messages = 0  #: deliveries beyond the third of a message, in the windows that made no progress
        self._times: dict[int, int] = {}
        self._seen = self._again = self._windows = 0

    def stored(self, messages: Iterable[Message]) -> bool:
        """Count messages that were stored. Returns whether a window has ended that made no progress."""
        times = self._times
        for message in messages:
            key = hash(message.id or message.body)
            times[key] = count = times.get(key, 0) + 1
            self._seen += 1
            if count > _OFTEN:
                self._again += 1
        return self._seen >= _WINDOW and self._judge()

    def forget(self) -> None:
        """Start again, for example after a pause."""
        self.stuck = False
        self._times.clear()
        self._seen = self._again = self._windows = self.messages = 0

    def _judge(self) -> bool:
        progress = self._again < self._seen * _SHARE
        self._windows, self.messages = (0, 0) if progress else (self._windows + 1, self.messages + self._again)
        self._seen = self._again = 0
        self.stuck = self._windows >= _WINDOWS
        if len(self._times) > _MEMORY:
            self._times.clear()
        return not progress
