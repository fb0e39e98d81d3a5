"""The sandbox's clock: the host's, plus an offset that tests move."""

from __future__ import annotations

import time
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from smsreceipt.model import BEIJING

LEEWAY = 900.0  #: seconds a request's time may differ from ours, by the provider's documentation


class Clock:
    """Seconds and milliseconds since 1970, as the provider sees them."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._dated = (0, b"")

    def now(self) -> float:
        """Seconds."""
        return time.time() + self.offset

    def ms(self) -> int:
        """Milliseconds."""
        return int((time.time() + self.offset) * 1000)

    def http_date(self) -> bytes:
        """The Date header's value."""
        second = int(time.time() + self.offset)
        if second != self._dated[0]:
            self._dated = (second, formatdate(second, usegmt=True).encode())
        return self._dated[1]

    def far(self, instant: float) -> bool:
        """Whether a request's *instant* is too far from ours to be accepted."""
        return abs(self.now() - instant) > LEEWAY


def beijing(seconds: float) -> str:
    """Wall-clock text without a zone, as the provider prints it."""
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=64)
def instant_of(http_date: bytes) -> float | None:
    """Seconds of an RFC 1123 date in GMT; None when it is none. Cached: all requests of a second carry the same."""
    if not http_date.endswith(b" GMT"):
        return None
    try:
        return parsedate_to_datetime(http_date.decode("ascii")).timestamp()
    except ValueError:
        return None
