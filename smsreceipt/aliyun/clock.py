"""The provider's time, estimated from the Date headers of its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from smsreceipt.errors import AuthError
from smsreceipt.language import _
from smsreceipt.model import Instant

WARN_AFTER = 60.0  #: seconds
REFUSE_AFTER = 12 * 3600.0  #: seconds; the user must set a clock that is this wrong


class Clock:
    """The provider's time. Safe for use by several threads.

    The provider stamps a Date of whole seconds at some moment between sending and receiving, so an answer gives an
    interval for the offset. The offset moves to the nearest end of that interval, and not at all when it is inside:
    it stays 0 while the local clock is right, and no answer increases its error.
    """

    def __init__(self, local: Callable[[], float] = time.time) -> None:
        """*local* gives Unix seconds by the local clock."""
        self._local = local
        self.offset = 0.0  #: seconds that the provider's clock is ahead of the local one
        self._warned = False
        self._lock = threading.Lock()
        self._date = (0, "")

    def local(self) -> float:
        """Unix seconds by the local clock, as learn() takes them."""
        return self._local()

    def now(self) -> Instant:
        """The provider's time."""
        return Instant(int((self._local() + self.offset) * 1000))

    def http_date(self) -> str:
        """The provider's time in the format of HTTP headers."""
        second = int(self._local() + self.offset)
        cached, text = self._date
        if cached != second:
            text = formatdate(second, usegmt=True)
            self._date = (second, text)
        return text

    def rpc_timestamp(self) -> str:
        """The provider's time in the format of RPC requests: ISO 8601 in whole seconds with Z."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._local() + self.offset))

    def learn(self, date: str | None, sent_at: float, received_at: float) -> None:
        """Correct the offset by the Date header of an answer; *sent_at* and *received_at* are local Unix seconds.

        A missing or unreadable header changes nothing. Raises AuthError when the clocks differ by more than 12 hours.
        """
        stamped = _unix(date)
        if stamped is None:
            return
        low, high = stamped - received_at, stamped + 1 - sent_at
        with self._lock:
            self.offset = max(low, min(self.offset, max(low, high)))
            offset = self.offset
        if abs(offset) > REFUSE_AFTER:
            raise AuthError(
                _difference(offset),
                hint=_("Set the clock of this machine, then run again."),
            )

    def warning(self) -> str | None:
        """A sentence for the user when the clocks differ by more than a minute; None later and otherwise."""
        with self._lock:
            if self._warned or abs(self.offset) <= WARN_AFTER:
                return None
            self._warned = True
        return _("{difference}; requests are signed with the provider's time", difference=_difference(self.offset))


@lru_cache(maxsize=16)  # many answers carry the same second
def _unix(date: str | None) -> int | None:
    """Unix seconds of an HTTP date."""
    if not date or not date.endswith("GMT"):
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None


def _difference(offset: float) -> str:
    """A sentence about the local clock, whose offset is not 0."""
    seconds = abs(round(offset))
    if seconds < 600:
        amount = _("{seconds} s", seconds=seconds)
    elif seconds < 7200:
        amount = _("{minutes:.0f} min", minutes=seconds / 60)
    else:
        amount = _("{hours:.1f} h", hours=seconds / 3600)
    if offset > 0:
        return _("the local clock is {amount} behind the provider's", amount=amount)
    return _("the local clock is {amount} ahead of the provider's", amount=amount)
