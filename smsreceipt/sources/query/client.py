"""A client of the provider's queries: QuerySendDetails and QueryMessage for sends, QuerySendStatistics for days."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from smsreceipt.errors import AuthError
from smsreceipt.model import is_mainland, may_be_message_id
from smsreceipt.sources.query import messages
from smsreceipt.sources.query.pages import PAGE, READINGS, Page, Reading, Readings, is_page
from smsreceipt.sources.query.rate import Halted, Rate
from smsreceipt.sources.query.totals import Statistics, read_pages

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

    from smsreceipt.aliyun.rpc import Pace

__all__ = ["HISTORY_DAYS", "ORIGIN", "Halted", "QueryClient", "Question", "Rate", "Rows", "oldest_day"]

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
    origin: str = ORIGIN  #: the action that gave the rows
    refused: str = ""  #: without rows: the code with which the provider refused to look for the MessageId


class Caller(Protocol):
    """Sends requests: aliyun.rpc.Caller."""

    def call(
        self, request: RpcRequest, *, pace: Pace | None = None, understood: Callable[[dict[str, Any]], bool] = bool
    ) -> dict[str, Any]:
        """Return an answer that has the code OK and is *understood*."""


class QueryClient:
    """Queries the sends of one account within a rate limit; safe for any number of threads.

    Every method raises AuthError, ApiError (the provider refuses the call), ProviderError (the retry budget is spent),
    and Halted after rate.halt().
    """

    def __init__(self, caller: Caller, *, rate: Rate | None = None) -> None:
        self.rate = rate or Rate(50)
        self._messages = Rate(messages.QPS, sleep=self.rate.pause)
        self._caller = caller

    def ask(self, question: Question) -> Rows:
        """Return all rows that match *question*, as they are now.

        An id of digits alone may be a MessageId, of which QuerySendDetails knows nothing: QueryMessage is asked about
        it, first if the number is not one of the mainland, else if QuerySendDetails has no record.
        """
        if not may_be_message_id(question.biz_id):
            return self._details(question)
        pace = _MessagePace(self.rate, self._messages)
        if not is_mainland(question.phone):
            found = self._message(question.biz_id, pace)
            if found.rows:
                return found
            rows = self._details(question)
            return rows._replace(calls=rows.calls + found.calls, refused="" if rows.rows else found.refused)
        rows = self._details(question)
        if rows.rows:
            return rows
        found = rows
        with suppress(AuthError):  # the key had an answer: it lacks the right for this action, which may not be needed
            found = self._message(question.biz_id, pace)
        return (found if found.rows else rows)._replace(calls=rows.calls + pace.calls)

    def _message(self, message_id: str, pace: _MessagePace) -> Rows:
        """The record of an international message. A refusal for good is an answer too."""
        from smsreceipt.aliyun.rpc import ApiError

        try:
            answer = self._caller.call(messages.request(message_id), pace=pace)
        except ApiError as exc:
            if not exc.final:
                raise
            refused = "" if messages.no_record(exc.code) else exc.code
            return Rows((), pace.calls, stable=True, refused=refused)
        return Rows(messages.rows(answer), pace.calls, stable=True, origin=messages.ORIGIN)

    def _details(self, question: Question) -> Rows:
        """The rows of QuerySendDetails, read until they agree."""
        pace = _CountedPace(self.rate)

        def page(count: int) -> Page:
            return Page(self._caller.call(_details(question, count), pace=pace, understood=is_page))

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
        """The totals of the days *first* to *last*, both included.

        *globe* is 1 for numbers of the mainland, 2 for all others.
        """

        def page(count: int) -> dict[str, Any]:
            return self._caller.call(_statistics(first, last, globe, count), pace=self.rate)

        return read_pages(page, first, last)


class _CountedPace:
    """The rate limit of the client, counting the requests of one question."""

    def __init__(self, rate: Rate) -> None:
        self.calls = 0
        self._rate = rate
        self.throttled, self.ok = rate.throttled, rate.ok

    def acquire(self) -> None:
        self._rate.acquire()
        self.calls += 1


class _MessagePace(_CountedPace):
    """As _CountedPace, within the lower limit of QueryMessage."""

    def __init__(self, rate: Rate, limit: Rate) -> None:
        super().__init__(rate)
        self._limit = limit

    def acquire(self) -> None:
        self._limit.acquire()
        super().acquire()


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
