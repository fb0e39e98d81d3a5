"""Querying the provider for one day's records of some numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.errors import UsageError
from smsreceipt.ingest import LockRetry, take
from smsreceipt.ledger import number_of
from smsreceipt.ledger.values import InvalidValue
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import Decoded, Delivery, Source, Tally
from smsreceipt.output.mask import mask_phone
from smsreceipt.output.objects.answers import ANSWERS, Answer
from smsreceipt.output.printer import Printer
from smsreceipt.runs.queries import Answered, answers, asking
from smsreceipt.runs.signals import Stop
from smsreceipt.sources.query.client import ORIGIN, Question, Rows
from smsreceipt.store import Store

_AT_ONCE = 100  #: answers that are stored in one commit and printed in one piece …
_SECONDS = 1.0  #: … unless they take longer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to query."""

    biz_id: str  #: "": all sends of the number
    save: bool  #: store the answers as receipts
    qps: float  #: calls a second, at most
    workers: int  #: calls at once


def run(app: App, day: date, phones: Sequence[str], options: Options) -> None:
    """Query, print, store. Whatever stops it, what was answered is printed, stored, and in the summary."""
    _Queries(app, day, phones, options).run()


def phones_of(app: App, given: Sequence[str], file: str | None) -> list[str]:
    """The numbers, each once, ascending. Raises UsageError, which names none."""
    words = [("--phone", word) for word in given]
    if file is not None:
        words += [(f"line {n} of {file}", line.strip()) for n, line in enumerate(_lines(app, file), 1) if line.strip()]
    if not words:
        raise UsageError("no number to ask about", hint="Say --phone NUMBER, --phone - or --phones-from FILE.")
    found = set()
    for where, word in words:
        try:
            found.add(number_of(word))
        except InvalidValue:
            raise UsageError(f"{where}: not a phone number") from None
    return sorted(found)


def _lines(app: App, file: str) -> list[str]:
    try:
        if file == "-":
            if app.stdin is None:
                raise UsageError("standard input is closed: there is nothing for - to read")
            read = app.stdin.read()
        else:
            read = Path(file).read_bytes()
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    return read.decode("utf-8-sig", "replace").splitlines()


class _Queries:
    """Questions, their answers on the way to the screen and into the store, and the counters."""

    def __init__(self, app: App, day: date, phones: Sequence[str], options: Options) -> None:
        self._app, self._options, self._day, self._phones = app, options, day, phones
        self._printer = Printer(app, ANSWERS, live=True)
        self._progress = app.progress()
        self._tally = Tally()
        self._asked = self._calls = self._records = self._unstable = self._refused = self._unread = 0
        self._began = time.monotonic()

    def run(self) -> None:
        """Ask, print, store; whatever stops it, what was answered is printed and stored, and summed up."""
        questions = [Question(phone, self._day, self._options.biz_id) for phone in self._phones]
        with ExitStack() as stack:
            store = stack.enter_context(self._app.open_store(readonly=False)) if self._options.save else None
            asker = stack.enter_context(asking(self._app, qps=self._options.qps, workers=self._options.workers))
            stack.enter_context(Stop(self._app, asker.rate.halt))
            stack.callback(self._sum_up)
            stack.enter_context(self._progress)
            self._take(answers(asker, questions, self._options.workers), store)

    def _take(self, answered: Iterator[Answered], store: Store | None) -> None:
        waiting: list[Decoded] = []
        flushed = time.monotonic()
        try:
            for each in answered:
                if each.failure is not None and not self._goes_on(each):
                    raise each.failure
                if each.rows is not None:
                    waiting.append(self._read(each.question, each.rows))
                self._progress.asked(self._asked, len(self._phones), self._records)
                if len(waiting) >= _AT_ONCE or time.monotonic() - flushed > _SECONDS:
                    self._flush(waiting, store)
                    flushed = time.monotonic()
        finally:
            self._flush(waiting, store)
        self._printer.end()

    def _flush(self, waiting: list[Decoded], store: Store | None) -> None:
        """Store what was answered, then print it."""
        given, waiting[:] = list(waiting), []
        if store is not None and given:
            self._save(given, store)
        self._print(given)

    def _goes_on(self, answered: Answered) -> bool:
        """Whether only this one number is refused, which is told and does not stop the others."""
        code = getattr(answered.failure, "code", "")
        if code != "isv.MOBILE_NUMBER_ILLEGAL":
            return False
        self._refused += 1
        self._say(f"{mask_phone(answered.question.phone)}: the provider knows no such number ({code})")
        return True

    def _read(self, question: Question, rows: Rows) -> Decoded:
        kind = SMS_REPORT if question.biz_id else SEND_DETAIL
        decoded = decode(Delivery(rows.rows, kind, Source.QUERY, ORIGIN, self._app.now(), biz_id=question.biz_id))
        self._asked += 1
        self._calls += rows.calls
        self._records += len(decoded.receipts)
        self._unread += len(decoded.rejects)
        if not rows.stable:
            self._unstable += 1
            self._say(f"{mask_phone(question.phone)}: the pages contradict each other; shown is all that they held")
        return decoded

    def _save(self, decoded: Sequence[Decoded], store: Store) -> None:
        self._tally += LockRetry(self._say).call(partial(take, decoded, store)).tally

    def _print(self, decoded: Iterable[Decoded]) -> None:
        self._progress.clear()
        self._printer.print(
            [
                Answer.of(receipt)
                for each in decoded
                for receipt in sorted(each.receipts, key=lambda receipt: (receipt.sent_at or 0, receipt.body))
            ]
        )

    def _say(self, text: str) -> None:
        self._progress.clear()
        self._app.say(text)

    def _sum_up(self) -> None:
        self._app.summary(
            {
                "numbers": len(self._phones),
                "asked": self._asked,
                "records": self._records,
                "api_calls": self._calls,
                **({"unstable": self._unstable} if self._unstable else {}),
                **({"refused": self._refused} if self._refused else {}),
                **(self._tally.counters() if self._options.save else {}),
                "seconds": f"{time.monotonic() - self._began:.1f}",
            }.items()
        )
        if self._unstable or self._refused or self._unread:
            self._app.attention()
