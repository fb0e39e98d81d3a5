"""A client of the provider's queries: QuerySendDetails for one number and day, QuerySendStatistics for days."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from smsreceipt.sources.query.pages import PAGE, READINGS, Page, Reading, Readings, number
from smsreceipt.sources.query.rate import Halted, Rate

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

    from smsreceipt.aliyun.rpc import Pace

__all__ = [
    "HISTORY_DAYS",
    "ORIGIN",
    "DayTotals",
    "Halted",
    "QueryClient",
    "Question",
    "Rate",
    "Rows",
    "Statistics",
    "oldest_day",
]

ORIGIN = "QuerySendDetails"  #: of the deliveries made of its answers
HISTORY_DAYS = 30  #: the provider answers about today and so many days before it, by Beijing's calendar


def oldest_day(today: date) -> date:
    """The oldest day that the provider answers about on *today*; both are Beijing days."""
    return today - timedelta(days=HISTORY_DAYS)


@dataclass(frozen=True, slots=True)
class Question:
    """A query for the sends to one number on one Beijing day, only those of *biz_id* if it is not empty."""

    phone: str  #: normalised digits
    day: date
    biz_id: str = ""


class Rows(NamedTuple):
    """A complete answer."""

    rows: tuple[bytes, ...]  #: one JSON object each: the frames of a delivery
    calls: int  #: requests that were sent, retries included
    stable: bool  #: False: pages and totals contradicted each other in every reading


@dataclass(frozen=True, slots=True)
class DayTotals:
    """The provider's totals of one Beijing day, in billed parts."""

    day: date
    sent: int
    succeeded: int
    failed: int
    no_response: int

    def __add__(self, other: DayTotals) -> DayTotals:
        counts = zip(astuple(self)[1:], astuple(other)[1:], strict=True)
        return DayTotals(self.day, *(mine + more for mine, more in counts))


@dataclass(frozen=True, slots=True)
class Statistics:
    """The provider's totals of some days."""

    days: tuple[DayTotals, ...]  #: ascending; days without sends may be absent
    unread: int = 0  #: rows without a day that was asked for, or with a count that cannot be read, which is 0 here


class Caller(Protocol):
    """Sends requests: aliyun.rpc.Caller."""

    def call(self, request: RpcRequest, *, pace: Pace | None = None) -> dict[str, Any]:
        """Return an answer with the code OK."""


class QueryClient:
    """Queries the sends of one account within a rate limit; safe for any number of threads.

    Every method raises AuthError, ApiError (the provider refuses the call), ProviderError (the retry budget is spent),
    and Halted after rate.halt().
    """

    def __init__(self, caller: Caller, *, rate: Rate | None = None) -> None:
        self.rate = rate or Rate(50)
        self._caller = caller

    def ask(self, question: Question) -> Rows:
        """Return all rows that match *question*, as they are now."""
        pace = _CountedPace(self.rate)

        def page(count: int) -> Page:
            return Page(self._caller.call(_details(question, count), pace=pace))

        first = page(1)
        if first.whole:
            return Rows(tuple(first.bodies), pace.calls, stable=True)
        readings = Readings()
        readings.add(_read(page, first))
        for _ in range(READINGS - 1):
            if readings.settled:
                break
            readings.add(_read(page, page(1)))
        return Rows(readings.rows(), pace.calls, readings.settled)

    def statistics(self, first: date, last: date, *, globe: int) -> Statistics:
        """The totals of the days *first* to *last*, both included. Rows of the same day are added up.

        *globe* is 1 for numbers of the mainland, 2 for all others.
        """
        days: dict[date, DayTotals] = {}
        unread = 0
        for page in range(1, (last - first).days // PAGE + 3):
            data = self._caller.call(_statistics(first, last, globe, page), pace=self.rate).get("Data")
            listed = data.get("TargetList") if isinstance(data, dict) else None
            if not isinstance(listed, list):
                unread += 1
                break
            for found, whole in map(_totals, listed):
                if found is not None and first <= found.day <= last:
                    days[found.day] = days[found.day] + found if found.day in days else found
                    unread += not whole
                else:
                    unread += 1
            if len(listed) < PAGE:
                break
        return Statistics(tuple(days[day] for day in sorted(days)), unread)


class _CountedPace:
    """The rate limit of the client, counting the requests of one question."""

    def __init__(self, rate: Rate) -> None:
        self.calls = 0
        self._rate = rate
        self.throttled, self.ok = rate.throttled, rate.ok

    def acquire(self) -> None:
        self._rate.acquire()
        self.calls += 1


def _read(page: Callable[[int], Page], first: Page) -> Reading:
    """Read all pages once, from the *first* to one that adds no row although no more are announced."""
    reading, read = Reading(), 1
    over = reading.add(first)
    while not over:
        read += 1
        over = reading.add(page(read))
    return reading


def _details(question: Question, page: int) -> RpcRequest:
    from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest

    request = QuerySendDetailsRequest()
    request.set_PhoneNumber(question.phone)
    request.set_SendDate(f"{question.day:%Y%m%d}")
    request.set_PageSize(PAGE)
    request.set_CurrentPage(page)
    if question.biz_id:
        request.set_BizId(question.biz_id)
    return request


def _statistics(first: date, last: date, globe: int, page: int) -> RpcRequest:
    from aliyunsdkdysmsapi.request.v20170525.QuerySendStatisticsRequest import QuerySendStatisticsRequest

    request = QuerySendStatisticsRequest()
    request.set_IsGlobe(globe)
    request.set_StartDate(f"{first:%Y%m%d}")
    request.set_EndDate(f"{last:%Y%m%d}")
    request.set_PageIndex(page)
    request.set_PageSize(PAGE)
    return request


def _totals(row: object) -> tuple[DayTotals | None, bool]:
    """The totals in one row of an answer, None where it names no day; and whether all of its counts could be read."""
    if not isinstance(row, dict) or (day := _day(row.get("SendDate"))) is None:
        return None, False
    names = ("TotalCount", "RespondedSuccessCount", "RespondedFailCount", "NoRespondedCount")
    counts = [number(row.get(name)) for name in names]
    return DayTotals(day, *(count or 0 for count in counts)), None not in counts


def _day(value: object) -> date | None:
    """The day of a row: documented is 20261128; 2026-11-28 and 2026/11/28, with a time of day or without, are read."""
    found = _DAY.match(str(value).strip())
    try:
        return date(*map(int, found.group(1, 3, 4))) if found else None
    except ValueError:
        return None


_DAY = re.compile(r"([0-9]{4})([-/]?)([0-9]{2})\2([0-9]{2})(?:$|[ T])")
