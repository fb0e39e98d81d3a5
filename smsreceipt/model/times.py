"""Instants, Beijing calendar days, and how they are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import NewType

Instant = NewType("Instant", int)  #: UTC milliseconds since 1970; the provider's own text stays in the body
BEIJING = timezone(
    timedelta(hours=8), "Asia/Shanghai"
)  #: no daylight saving since 1991; zone-less provider text is this
DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


def beijing_day(at: Instant) -> int:
    """The number of the Beijing calendar day that *at* falls on, counted from 1970-01-01."""
    return (at + 8 * 3_600_000) // DAY_MS


def date_of(day: int) -> date:
    """The Beijing calendar day of that number."""
    return _EPOCH + timedelta(days=day)


def number_of(day: date) -> int:
    """The number of a Beijing calendar day."""
    return (day - _EPOCH).days


def iso_beijing(at: Instant) -> str:
    """ISO 8601 in whole seconds with +08:00, as receipts show sent_at and reported_at."""
    return datetime.fromtimestamp(at // 1000, BEIJING).isoformat(timespec="seconds")


def iso_utc(at: Instant) -> str:
    """ISO 8601 in milliseconds with Z, as receipts show received_at."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
