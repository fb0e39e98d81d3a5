"""Queries the provider for its records of one day about some phone numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date
from functools import partial

from smsreceipt import codes
from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.errors import UsageError
from smsreceipt.ingest import LockRetry, take
from smsreceipt.language import _, n_
from smsreceipt.ledger import BadRow, InvalidValue, number_of, numbers
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import Decoded, Delivery, Source, Tally
from smsreceipt.output.mask import mask_phone
from smsreceipt.output.objects.answers import ANSWERS, Answer
from smsreceipt.output.printer import Printer
from smsreceipt.runs.queries import Answered, answers, asking, refuse_unanswerable, today
from smsreceipt.runs.signals import GracefulStop
from smsreceipt.sources.query import messages
from smsreceipt.sources.query.client import Question, Rows
from smsreceipt.store import Store

_AT_ONCE = 100  #: answers that are stored in one commit and printed in one piece
_BAD_LINES = 20  #: lines without a number that are reported one by one
_SECONDS = 1.0  #: after which answers are stored and printed even if they are fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to query."""

    biz_id: str  #: of the sends; "": all sends of the number
    save: bool  #: store the answers as receipts
    qps: float  #: calls per second, at most
    workers: int  #: calls at the same time, at most


def run(app: App, day: date, phones: Sequence[str], file: str | None, options: Options) -> None:
    """Query the records of a Beijing day about *phones* and the numbers in *file* (-: standard input).

    Prints the records, stores them if the options say so, and prints the summary. Every answer that came before a
    failure or a signal is printed and stored. Raises the failure, such as AuthError or ProviderError; UsageError if
    the provider does not answer about the day, or a number is not valid. Exit code 3 for lines without a number, for
    numbers that the provider refuses, and for answers that contradict each other.
    """
    refuse_unanswerable(day, day, today(app))
    found, bad = _numbers(app, phones, file)
    if bad:
        app.needs_a_look(_("lines without a phone number, which are not asked about: {n:,}", n=bad))
    _Queries(app, day, found, options).run()


def _numbers(app: App, phones: Sequence[str], file: str | None) -> tuple[list[str], int]:
    """The phone numbers, each once, ascending, and how many lines of the file have none, which are reported.

    Raises UsageError, whose message contains no number, for one that was named and if no number is left.
    """
    if not phones and file is None:
        raise UsageError(_("no number to ask about"), hint=_("Say --phone NUMBER, --phone - or --phones-from FILE."))
    try:
        found = {number_of(word) for word in phones if word != "-"}
    except InvalidValue as exc:
        raise UsageError(_("{what}: {reason}", what="--phone", reason=exc)) from exc
    bad: list[BadRow] = []
    for name in dict.fromkeys([*(word for word in phones if word == "-"), *([] if file is None else [file])]):
        with app.open_input(name) as stream:
            for each in numbers(stream):
                if isinstance(each, str):
                    found.add(each)
                else:
                    bad.append(each)
                    if len(bad) <= _BAD_LINES:
                        app.say(_("line {line} of {file}: {reason}", line=each.line, file=name, reason=each.reason))
    if not found:
        raise UsageError(
            _("no phone number in the list"), hint=_("One number a line, or a CSV whose heading names them.")
        )
    if len(bad) > _BAD_LINES:
        app.say(
            n_(
                "{n:,} more line without a phone number",
                "{n:,} more lines without a phone number",
                len(bad) - _BAD_LINES,
            )
        )
    return sorted(found), len(bad)


class _Queries:
    """The queries of one run, their answers, and the counters."""

    def __init__(self, app: App, day: date, phones: Sequence[str], options: Options) -> None:
        self._app, self._options, self._day, self._phones = app, options, day, phones
        self._printer = Printer(app, ANSWERS, live=True)
        self._progress = app.progress()
        self._tally = Tally()
        self._asked = self._records = self._unstable = self._refused = self._unread = 0
        self._calls: Callable[[], int] = lambda: 0  #: requests that were sent, refused ones and retries included
        self._began = time.monotonic()

    def run(self) -> None:
        """Query, print and store; print the summary, also after a failure."""
        questions = [Question(phone, self._day, self._options.biz_id) for phone in self._phones]
        with ExitStack() as stack:
            store = stack.enter_context(self._app.open_store(readonly=False)) if self._options.save else None
            client = stack.enter_context(asking(self._app, qps=self._options.qps, workers=self._options.workers))
            stack.enter_context(GracefulStop(self._app, client.rate.halt))
            self._calls = lambda: client.rate.calls
            stack.callback(self._sum_up)
            stack.enter_context(self._progress)
            answered = stack.enter_context(closing(answers(client, questions, self._options.workers)))
            self._take(answered, store)

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
        """Store the waiting answers, then print them."""
        answered, waiting[:] = list(waiting), []
        if store is not None and answered:
            self._save(answered, store)
        self._print(answered)

    def _goes_on(self, answered: Answered) -> bool:
        """Whether the provider refuses only this one number: then report it and go on with the others."""
        code = getattr(answered.failure, "code", "")
        if codes.api_class(code) is not codes.ApiClass.NUMBER:
            return False
        self._refused += 1
        self._app.say(
            _(
                "{phone}: the provider does not answer about this number ({code})",
                phone=mask_phone(answered.question.phone),
                code=code,
            )
        )
        return True

    def _read(self, question: Question, rows: Rows) -> Decoded:
        kind, biz_id = (SMS_REPORT, question.biz_id) if question.biz_id else (SEND_DETAIL, "")
        if rows.origin == messages.ORIGIN:
            kind, biz_id = messages.KIND, ""
        decoded = decode(Delivery(rows.rows, kind, Source.QUERY, rows.origin, self._app.now(), biz_id=biz_id))
        if rows.refused:
            self._refused += 1
            self._app.warn(
                _(
                    "{phone}: the provider refused to look for this id ({code})",
                    phone=mask_phone(question.phone),
                    code=rows.refused,
                )
            )
        self._asked += 1
        self._records += len(decoded.receipts)
        self._unread += len(decoded.rejects)
        if not rows.stable:
            self._unstable += 1
            self._app.say(
                _(
                    "{phone}: the pages contradict each other; shown is all that they held",
                    phone=mask_phone(question.phone),
                )
            )
        return decoded

    def _save(self, decoded: Sequence[Decoded], store: Store) -> None:
        self._tally += LockRetry(self._app.say).call(partial(take, decoded, store)).tally

    def _print(self, decoded: Iterable[Decoded]) -> None:
        self._printer.print(
            [
                Answer.of(receipt)
                for each in decoded
                for receipt in sorted(each.receipts, key=lambda receipt: (receipt.sent_at or 0, receipt.body))
            ]
        )

    def _sum_up(self) -> None:
        if self._unstable:
            self._app.needs_a_look(
                _("numbers whose answers contradict each other: {n:,}; run the same command again", n=self._unstable)
            )
        if self._refused:
            self._app.needs_a_look(_("numbers that the provider refused: {n:,}", n=self._refused))
        if self._unread:
            self._app.needs_a_look(
                _("records that could not be decoded: {n:,}; --save keeps them as rejects", n=self._unread)
            )
        self._app.summary(
            {
                "numbers": len(self._phones),
                "asked": self._asked,
                "records": self._records,
                "api_calls": self._calls(),
                **({"unstable": self._unstable} if self._unstable else {}),
                **({"refused": self._refused} if self._refused else {}),
                **(self._tally.counters() if self._options.save else {}),
                "seconds": f"{time.monotonic() - self._began:.1f}",
            }
        )
