"""What time it is for the provider, whatever the local clock says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from smsreceipt.errors import AuthError
from smsreceipt.model import Instant

WARN_AFTER = 60.0  #: seconds
REFUSE_AFTER = 12 * 3600.0  #: seconds; a clock that far off is broken, not late


class Clock:
    """The provider's time, learnt from the Date headers of its answers. Safe for use by several threads.

    A Date of whole seconds, stamped somewhere between sending and receiving, leaves an interval for the offset. The
    clock moves only as far as that forces it to: with an accurate local clock it never moves at all, and each answer
    can only bring it nearer.
    """

    def __init__(self, local: Callable[[], float] = time.time) -> None:
        """*local* gives Unix seconds by the local clock."""
        self._local = local
        self.offset = 0.0  #: seconds that the provider's clock is ahead of the local one
        self._warned = False
        self._lock = threading.Lock()
        self._date = (0, "")

    def local(self) -> float:
        """Unix seconds by the local clock: what learn() wants to know of an answer."""
        return self._local()

    def now(self) -> Instant:
        """The provider's time."""
        return Instant(int((self._local() + self.offset) * 1000))

    def http_date(self) -> str:
        """The provider's time as HTTP headers spell it."""
        second = int(self._local() + self.offset)
        cached, text = self._date
        if cached != second:
            text = formatdate(second, usegmt=True)
            self._date = (second, text)
        return text

    def rpc_timestamp(self) -> str:
        """The provider's time as RPC requests spell it: ISO 8601 in whole seconds with Z."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._local() + self.offset))

    def learn(self, date: str | None, sent_at: float, received_at: float) -> None:
        """Take in the Date header of an answer that was asked for and came at these local Unix seconds.

        A missing or unreadable one changes nothing. Raises AuthError when the clocks are more than 12 hours apart:
        no correction of ours should hide that.
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
                f"the local clock is {_apart(offset)} the provider's",
                hint="Set the clock of this machine, then run again.",
            )

    def warning(self) -> str | None:
        """A sentence, once, when the clocks are more than a minute apart."""
        with self._lock:
            if self._warned or abs(self.offset) <= WARN_AFTER:
                return None
            self._warned = True
        return f"the local clock is {_apart(self.offset)} the provider's; requests are signed with the provider's time"


@lru_cache(maxsize=16)  # many answers bear the same second
def _unix(date: str | None) -> int | None:
    """Unix seconds of an HTTP date."""
    if not date or not date.endswith("GMT"):
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None


def _apart(offset: float) -> str:
    seconds = abs(round(offset))
    amount = (
        f"{seconds} s" if seconds < 600 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
    )
    return f"{amount} {'behind' if offset > 0 else 'ahead of'}"
