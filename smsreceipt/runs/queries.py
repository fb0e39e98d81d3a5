"""The shared part of the commands that query the provider about sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.model import beijing_day, date_of
from smsreceipt.runs.access import access

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import Asker, Question, Rows


@contextmanager
def asking(app: App, *, qps: float, workers: int = 1) -> Iterator[Asker]:
    """A client for queries with at most *qps* calls per second over at most *workers* connections, closed at the end.

    Nothing is sent before the first query. Warns at the end if the clock of this machine is wrong.
    """
    from smsreceipt.aliyun.clock import Clock
    from smsreceipt.aliyun.rpc import Caller
    from smsreceipt.sources.query.client import Asker, Rate

    endpoints, provider = access(app)
    clock, rate = Clock(), Rate(qps)
    caller = Caller(endpoints.dysmsapi, provider, clock, connections=workers, sleep=rate.pause)
    try:
        yield Asker(caller, rate=rate)
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
        asked = f"{first}" if first == last else f"{first} to {last}"
        raise UsageError(
            f"{asked}: the provider answers about {oldest} to {today}",
            hint=f"That is the last {HISTORY_DAYS} days, by the calendar of Beijing.",
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its answer, or with the failure that it ended in."""

    question: Question
    rows: Rows | None
    failure: SmsReceiptError | None = None


def answers(asker: Asker, questions: Sequence[Question], workers: int) -> Iterator[Answered]:
    """The answers in the order of the questions, of which *workers* are asked at the same time.

    Ends early after asker.rate.halt(). Yields failures instead of raising them, so that the caller can go on.
    """
    from smsreceipt.sources.query.client import Halted

    def ask(question: Question) -> Answered:
        try:
            return Answered(question, asker.ask(question))
        except SmsReceiptError as exc:
            return Answered(question, None, exc)

    rest = iter(questions)
    with ThreadPoolExecutor(workers, "asker") as pool:
        pending = deque(pool.submit(ask, question) for question in islice(rest, 2 * workers))
        try:
            while pending:
                answered = pending.popleft().result()
                pending += [pool.submit(ask, question) for question in islice(rest, 1)]
                yield answered
        except Halted:
            return
        finally:
            for each in pending:
                each.cancel()
