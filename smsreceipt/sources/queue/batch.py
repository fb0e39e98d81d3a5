"""How many messages a receive may ask for: fewer after answers that could not be read."""

from __future__ import annotations

from smsreceipt.aliyun.mns import BATCH

CALM = 60.0  #: seconds without such an answer after which the size grows again, unless the queue tells its visibility


class BatchSize:
    """The size of the next receive: halved by each unreadable answer, down to 1, and doubled after each calm period.

    A message that spoils its answer comes back when its visibility timeout has passed, together with the neighbours
    that it hid. Small answers separate it from them, so the size must not grow before they have come back.
    """

    def __init__(self) -> None:
        self.calm = CALM  #: seconds; longer than a visibility timeout
        self._most = BATCH
        self._since = 0.0

    def at_most(self, wanted: int, now: float) -> int:
        """The messages to ask for at *now* (monotonic seconds), 1 to *wanted*."""
        while self._most < BATCH and now - self._since >= self.calm:
            self._most = min(BATCH, self._most * 2)
            self._since += self.calm
        return min(wanted, self._most)

    def halve(self, asked: int, now: float) -> None:
        """An answer could not be read at *now* whose request had asked for *asked* messages.

        Answers that spoil together, because their requests ran at once, halve the size once.
        """
        self._most = min(self._most, max(1, asked // 2))
        self._since = now
