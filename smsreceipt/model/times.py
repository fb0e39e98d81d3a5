"""Instants and Beijing calendar days, and how they are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import NewType

Instant = NewType("Instant", int)  #: milliseconds since 1970 UTC; the provider's own text stays in the body
#: The provider's times without a zone are in this one. China has had no daylight saving time since 1991.
BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


def beijing_day(at: Instant) -> int:
    """The number of the Beijing calendar day that *at* falls on, counted from 1970-01-01."""
    return (at + 8 * 3_600_000) // DAY_MS


def start_of_day(day: int) -> Instant:
    """The first instant of the Beijing calendar day of that number."""
    return Instant(day * DAY_MS - 8 * 3_600_000)


def date_of(day: int) -> date:
    """The Beijing calendar day of that number."""
    return _EPOCH + timedelta(days=day)


def number_of(day: date) -> int:
    """The number of a Beijing calendar day."""
    return (day - _EPOCH).days


def iso_beijing(at: Instant) -> str:
    """ISO 8601 in whole seconds with +08:00, the form of sent_at and reported_at in JSON."""
    return datetime.fromtimestamp(at // 1000, BEIJING).isoformat(timespec="seconds")


def iso_utc(at: Instant) -> str:
    """ISO 8601 in milliseconds with Z, the form of received_at in JSON."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
