"""What the commands that ask the provider about sends share: the key, the endpoint, the rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.model import BEIJING
from smsreceipt.runs.access import access

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import QueryClient, Question, Rows


@contextmanager
def asking(app: App, *, qps: float, workers: int = 1) -> Iterator[QueryClient]:
    """Somebody to ask, over at most *workers* connections; afterwards they are closed.

    Nothing is sent before the first question.
    """
    from smsreceipt.aliyun.clock import Clock
    from smsreceipt.aliyun.rpc import Caller
    from smsreceipt.sources.query.client import QueryClient, Rate

    endpoints, provider = access(app)
    clock, rate = Clock(), Rate(qps)
    caller = Caller(endpoints.dysmsapi, provider, clock, connections=workers, sleep=rate.pause)
    try:
        yield QueryClient(caller, rate=rate)
    finally:
        caller.close()
        if drift := clock.warning():
            app.warn(drift)


def today(app: App) -> date:
    """The day that it is in Beijing."""
    return datetime.fromtimestamp(app.now() / 1000, BEIJING).date()


def refuse_unanswerable(first: date, last: date, today: date) -> None:
    """Raise UsageError unless the provider still answers, or answers already, about these Beijing days."""
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
    """A question and its answer, or why there is none."""

    question: Question
    rows: Rows | None
    failure: SmsReceiptError | None = None


def answers(asker: QueryClient, questions: Sequence[Question], workers: int) -> Iterator[Answered]:
    """The answers in the order of the questions, *workers* of them under way at once.

    Ends early after asker.rate.halt(). A failure is an answer too: whoever reads it decides whether others go on.
    """
    from smsreceipt.sources.query.client import Halted

    def ask(question: Question) -> Answered:
        try:
            return Answered(question, asker.ask(question))
        except SmsReceiptError as exc:
            return Answered(question, None, exc)

    rest = iter(questions)
    with ThreadPoolExecutor(workers, "asker") as pool:
        under_way = deque(pool.submit(ask, question) for question in islice(rest, 2 * workers))
        try:
            while under_way:
                answered = under_way.popleft().result()
                under_way += [pool.submit(ask, question) for question in islice(rest, 1)]
                yield answered
        except Halted:
            return
        finally:
            for each in under_way:
                each.cancel()
