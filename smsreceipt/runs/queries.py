"""The shared part of the commands that query the provider about sends."""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.language import _
from smsreceipt.model import beijing_day, date_of
from smsreceipt.runs.access import access, connection_reporter, proxies
from smsreceipt.sources.query.workers import LAST_CALLS, QueryWorkers

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import QueryClient, Question, Rate, Rows

_LOOK = 0.2  # seconds between two checks for a stop


@contextmanager
def asking(app: App, *, qps: float, workers: int = 1) -> Iterator[QueryClient]:
    """A client for queries with at most *qps* calls per second over at most *workers* connections, closed at the end.

    Nothing is sent before the first query. Warns at the end if the clock of this machine is wrong.
    """
    from smsreceipt.aliyun.clock import Clock
    from smsreceipt.aliyun.rpc import Caller
    from smsreceipt.sources.query.client import QueryClient, Rate

    endpoints, provider = access(app)
    clock, rate = Clock(), Rate(qps)
    caller = Caller(
        endpoints.dysmsapi,
        provider,
        clock,
        proxy=proxies(app).choose(endpoints.dysmsapi),
        reporter=connection_reporter(app),
        connections=workers,
        sleep=rate.pause,
        tell=app.say,
    )
    try:
        yield QueryClient(caller, rate=rate)
    finally:
        caller.close()
        if drift := clock.warning():
            app.warn(drift)


def today(app: App) -> date:
    """The current day in Beijing."""
    return date_of(beijing_day(app.now()))


def refuse_unanswerable(first: date, last: date, today: date) -> None:
    """Raise UsageError unless the provider answers about all Beijing days from *first* to *last*."""
    from smsreceipt.sources.query.client import HISTORY_DAYS, oldest_day

    oldest = oldest_day(today)
    if not oldest <= first <= last <= today:
        asked = f"{first}" if first == last else _("{first} to {last}", first=first, last=last)
        raise UsageError(
            _("{days}: the provider answers about {oldest} to {today}", days=asked, oldest=oldest, today=today),
            hint=_("That is the last {days} days, by the calendar of Beijing.", days=HISTORY_DAYS),
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its answer, or with the failure that it ended in."""

    question: Question
    rows: Rows | None
    failure: SmsReceiptError | None = None


def answers(
    client: QueryClient, questions: Sequence[Question], workers: int, *, last_calls: float = LAST_CALLS
) -> Generator[Answered, None, None]:
    """The answers in the order of the questions, *workers* of them under way at once.

    A failure is an answer too: the caller decides whether to go on. After client.rate.halt() the answers end; calls
    under way get *last_calls* seconds more. Closing the generator halts the client.
    """
    from smsreceipt.sources.query.client import Halted

    def ask(number: int) -> tuple[int, Answered | None]:
        try:
            return number, Answered(questions[number], client.ask(questions[number]))
        except Halted:
            return number, None
        except SmsReceiptError as exc:
            return number, Answered(questions[number], None, exc)

    pool = QueryWorkers(ask, workers)
    found: dict[int, Answered | None] = {}
    put = 0
    try:
        for number in range(len(questions)):
            for each in range(put, min(number + 2 * workers, len(questions))):
                pool.put(each)
                put = each + 1
            answered = _wait_for(number, found, pool, client.rate, last_calls)
            if answered is None:
                return
            yield answered
    except GeneratorExit:
        client.rate.halt()
        raise
    finally:
        pool.close(last_calls)


def _wait_for(
    number: int,
    found: dict[int, Answered | None],
    pool: QueryWorkers[int, tuple[int, Answered | None]],
    rate: Rate,
    last: float,
) -> Answered | None:
    """The answer of that number; None after a stop. Other answers that come meanwhile are put into *found*."""
    while number not in found and last > 0:
        try:
            done, answered = pool.get(_LOOK)
        except queue.Empty:
            last -= _LOOK if rate.halted else 0
        else:
            found[done] = answered
    return found.pop(number, None)
