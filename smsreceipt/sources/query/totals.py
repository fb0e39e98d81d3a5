"""The rows of QuerySendStatistics: the provider's totals of days, and what in them could not be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from smsreceipt.model import BEIJING
from smsreceipt.sources.query.pages import PAGE, number

_PAGES = 100  # of one answer: far more than any span of days has
_MOST = 10**12  # parts of one day; a larger figure is none
_FIGURES = ("TotalCount", "RespondedSuccessCount", "RespondedFailCount", "NoRespondedCount")
_DAY = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class DayTotals:
    """The provider's totals of one Beijing day, in billed parts."""

    day: date
    sent: int
    succeeded: int
    failed: int
    no_response: int

    def __add__(self, other: DayTotals) -> DayTotals:
        return DayTotals(
            self.day,
            self.sent + other.sent,
            self.succeeded + other.succeeded,
            self.failed + other.failed,
            self.no_response + other.no_response,
        )


class Statistics(NamedTuple):
    """The totals of some days, ascending; days without sends may be absent."""

    days: list[DayTotals]
    unread: int = 0  #: rows and figures that could not be read, or are of other days: the totals are too small by them
    absent: int = 0  #: rows that the provider announced and did not list

    @property
    def whole(self) -> bool:
        """Whether nothing is lacking."""
        return not self.unread and not self.absent


def read_pages(page: Callable[[int], Mapping[str, Any]], first: date, last: date) -> Statistics:
    """Read the pages from the first to the last one and add up the rows of each day. *page* returns an answer."""
    days: dict[date, DayTotals] = {}
    pages: list[list[object]] = []
    unread = read = total = 0
    for count in range(1, _PAGES + 1):
        rows, announced = _rows(page(count))
        total = max(total, announced or 0)
        if rows is None:
            unread += 1
            break
        if not rows or rows in pages:  # a provider that ignores the number of the page repeats it
            break
        pages.append(rows)
        read += len(rows)
        for row in rows:
            found, bad = _row(row, first, last)
            unread += bad
            if found is not None:
                days[found.day] = days[found.day] + found if found.day in days else found
        if len(rows) < PAGE and read >= total:
            break
    return Statistics([days[day] for day in sorted(days)], unread, max(total - read, 0))


def _rows(answer: Mapping[str, Any]) -> tuple[list[object] | None, int | None]:
    """The rows of one page, None where there is no list; and how many rows all pages have, None if that is not said."""
    data = answer.get("Data")
    if not isinstance(data, dict):
        return None, None
    total, rows = number(data.get("TotalSize")), data.get("TargetList")
    if rows is None and total == 0:
        rows = []
    return rows if isinstance(rows, list) else None, total


def _row(row: object, first: date, last: date) -> tuple[DayTotals | None, int]:
    """One row, and how much of it could not be read. A figure that cannot be read adds nothing."""
    day = _day(row.get("SendDate")) if isinstance(row, dict) else None
    if day is None or not isinstance(row, dict) or not first <= day <= last:
        return None, 1
    figures = [_figure(row.get(name)) for name in _FIGURES]
    return DayTotals(day, *(figure or 0 for figure in figures)), figures.count(None)


def _day(value: object) -> date | None:
    """A Beijing day, whatever stands between year, month and day, and whether or not a time follows."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    found = _DAY.fullmatch(text)
    if not found or (not found[2] and len(found[3] + found[4]) < 4):
        return None
    try:
        if len(text) > 10 and (at := datetime.fromisoformat(text)).tzinfo:
            return at.astimezone(BEIJING).date()
    except (ValueError, OverflowError):
        pass  # the day can be read, and the time says nothing more
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def _figure(value: object) -> int | None:
    """A number of parts; None for everything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    found = number(value.strip() if isinstance(value, str) else value)
    return found if found is not None and found < _MOST else None
