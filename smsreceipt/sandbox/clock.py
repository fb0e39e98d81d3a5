"""The sandbox's clock: the host's time plus an offset that tests can change."""

from __future__ import annotations

import time
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from smsreceipt.model import BEIJING

LEEWAY = 900.0  #: seconds a request's time may differ from ours, by the provider's documentation


class Clock:
    """The time of the provider."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._date_header = (0, b"")  # a second and its Date header

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.offset

    def ms(self) -> int:
        """Milliseconds since 1970."""
        return int((time.time() + self.offset) * 1000)

    def http_date(self) -> bytes:
        """The value of the Date header."""
        second = int(time.time() + self.offset)
        if second != self._date_header[0]:
            self._date_header = (second, formatdate(second, usegmt=True).encode())
        return self._date_header[1]

    def skewed(self, instant: float) -> bool:
        """Whether the time *instant* of a request (seconds since 1970) differs by more than LEEWAY."""
        return abs(self.now() - instant) > LEEWAY


def beijing(seconds: float) -> str:
    """Beijing time as the provider prints it: YYYY-MM-DD HH:MM:SS, without a zone."""
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=64)
def instant_of(http_date: bytes) -> float | None:
    """Seconds since 1970 of an RFC 1123 date in GMT; None for any other text.

    Cached, because all requests of one second carry the same date.
    """
    if not http_date.endswith(b" GMT"):
        return None
    try:
        return parsedate_to_datetime(http_date.decode("ascii")).timestamp()
    except ValueError:
        return None
