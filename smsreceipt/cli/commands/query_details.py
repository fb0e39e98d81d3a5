"""`smsreceipt query-details`: ask the provider for one day's records of some numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import read_dash
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import When, span
from smsreceipt.errors import UsageError
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import (
    Decoded,
    Delivery,
    Instant,
    Receipt,
    Source,
    Tally,
    beijing_day,
    date_of,
    iso_beijing,
)
from smsreceipt.output.records import csv_lines, json_line, mask_numbers, mask_phone, mask_text
from smsreceipt.runs.asking import answers, asking, refuse_unanswerable, today
from smsreceipt.runs.stop import Stop

if TYPE_CHECKING:
    from smsreceipt.output.terminal.details import Detail
    from smsreceipt.runs.asking import Answered
    from smsreceipt.sources.query.client import Question, Rows
    from smsreceipt.store import Store

_AT_ONCE = 100  #: answers that are stored in one commit and printed in one piece …
_SECONDS = 1.0  #: … unless they take longer than this


@make("query-details", data=True)
@click.option(
    "--date", required=True, type=When(), metavar="DAY", help="A Beijing day of the last 30: today, 2026-11-20."
)
@click.option("--phone", multiple=True, metavar="NUMBER|-", help="Ask about this number; - reads it from stdin.")
@click.option("--phones-from", metavar="FILE|-", help="Ask about the numbers in a file, one a line.")
@click.option("--biz-id", metavar="ID", help="Only the sends of this BizId.")
@click.option("--save", is_flag=True, help="Store the answers as receipts.")
@click.option(
    "--qps", type=click.FloatRange(0.1, 5000), default=50, show_default=True, help="Calls a second; 5000 are allowed."
)
@click.option("--workers", type=click.IntRange(1, 256), default=8, show_default=True, help="Calls at once.")
def command(app: App, **chosen: Any) -> None:
    """Ask the provider for one day's send records.

    One object per record, ascending number and time. The provider answers for one number and one Beijing day of the
    last 30 at a time; many numbers are asked about side by side. With --save the answers become receipts: of the send
    that --biz-id names, or that the ledger or a receipt shows them to be.

    \b
      smsreceipt query-details --date yesterday --phone 13800008000
      smsreceipt query-details --date 2026-11-20 --phones-from numbers.txt --save --json
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    day = date_of(beijing_day(span(chosen["date"], app.now())[0]))
    refuse_unanswerable(day, day, today(app))
    phones = _phones(app, chosen["phone"], chosen["phones_from"])
    if chosen["biz_id"] is not None and not chosen["biz_id"].strip():
        raise UsageError("--biz-id: empty id")
    _Run(app, chosen, day, phones).run()


def _phones(app: App, given: tuple[str, ...], file: str | None) -> list[str]:
    """The numbers, each once, ascending. Raises UsageError, which names none."""
    from smsreceipt.ledger import number_of
    from smsreceipt.ledger.values import Refused

    words = [("--phone", word) for word in read_dash(app, given)]
    if file is not None:
        words += [(f"line {n} of {file}", line.strip()) for n, line in enumerate(_lines(app, file), 1) if line.strip()]
    if not words:
        raise UsageError("no number to ask about", hint="Say --phone NUMBER, --phone - or --phones-from FILE.")
    found = set()
    for where, word in words:
        try:
            found.add(number_of(word))
        except Refused:
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


class _Run:
    """Questions, their answers on the way to the screen and into the store, and the books of it."""

    def __init__(self, app: App, chosen: dict[str, Any], day: date, phones: Sequence[str]) -> None:
        self._app, self._chosen, self._day, self._phones = app, chosen, day, phones
        self._printer = _Printer(app)
        self._progress = app.progress()
        self._tally = Tally()
        self._asked = self._calls = self._records = self._unstable = self._refused = self._unread = 0
        self._began = time.monotonic()

    def run(self) -> None:
        """Ask, print, store; whatever stops it, what was answered is printed and stored, and summed up."""
        from smsreceipt.sources.query.client import Question

        questions = [Question(phone, self._day, self._chosen["biz_id"] or "") for phone in self._phones]
        with ExitStack() as stack:
            store = stack.enter_context(self._app.open_store(readonly=False)) if self._chosen["save"] else None
            asker = stack.enter_context(asking(self._app, qps=self._chosen["qps"], workers=self._chosen["workers"]))
            stack.enter_context(Stop(self._app, asker.rate.halt))
            stack.callback(self._sum_up)
            stack.enter_context(self._progress)
            answered = stack.enter_context(closing(answers(asker, questions, self._chosen["workers"])))
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
        from smsreceipt.decode import decode
        from smsreceipt.sources.query.client import ORIGIN

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
        from smsreceipt.ingest import LockRetry, take

        self._tally += LockRetry(self._say).call(partial(take, decoded, store)).tally

    def _print(self, decoded: Iterable[Decoded]) -> None:
        self._progress.clear()
        self._printer.print(
            [
                receipt
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
                **(self._tally.books() if self._chosen["save"] else {}),
                "seconds": f"{time.monotonic() - self._began:.1f}",
            }.items()
        )
        if self._unstable or self._refused or self._unread:
            self._app.attention()


class _Printer:
    """Prints records piece by piece, in the form that is asked for."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._headed = False
        self._table: Any = None

    def print(self, receipts: Sequence[Receipt]) -> None:
        """Print these records."""
        if not receipts:
            return
        details = [
            _detail(receipt, mask=self._app.mask, chinese=self._app.chinese and self._app.output == "table")
            for receipt in receipts
        ]
        form = self._app.output
        if form == "table":
            if self._table is None:
                from smsreceipt.output.terminal.details import DetailTable

                self._table = DetailTable(self._app.look())
            self._app.write(self._app.encode(self._table.draw(details, more=True)))
        elif form == "json":
            self._app.write(b"".join(json_line(_object(detail)) for detail in details))
        else:
            self._app.write(self._head() + csv_lines(_object(detail).values() for detail in details))

    def end(self) -> None:
        """Print the head of a CSV that has no rows."""
        if self._app.output == "csv":
            self._app.write(self._head())

    def _head(self) -> bytes:
        if self._headed:
            return b""
        self._headed = True
        return csv_lines([_KEYS], guard=False)


_KEYS = (
    "phone", "outcome", "code", "sent_at", "reported_at", "out_id", "template_code", "content", "biz_id", "meaning",
)  # fmt: skip


def _detail(receipt: Receipt, *, mask: bool, chinese: bool) -> Detail:
    import msgspec

    from smsreceipt import codes
    from smsreceipt.output.terminal.details import Detail

    body = msgspec.json.decode(receipt.body)
    template, content = (
        body.get(name) if isinstance(body.get(name), str) else None for name in ("TemplateCode", "Content")
    )
    known = codes.receipt(receipt.code) if receipt.code else None

    def cover(text: str | None) -> str | None:
        return mask_numbers(text, receipt.phone) if mask and text else text

    return Detail(
        phone=mask_phone(receipt.phone) if mask else receipt.phone,
        outcome=receipt.outcome,
        code=cover(receipt.code) or None,
        sent_at=receipt.sent_at,
        reported_at=receipt.reported_at,
        out_id=cover(receipt.out_id) or None,
        template_code=cover(template) or None,
        content=mask_text(content) if mask and content else content,
        biz_id=cover(receipt.biz_id) or None,
        meaning=None if known is None else known.meaning_zh if chinese else known.meaning_en,
    )


def _object(detail: Detail) -> dict[str, object]:
    found = {key: getattr(detail, key) for key in _KEYS}
    return found | {key: _iso(found[key]) for key in ("sent_at", "reported_at")}


def _iso(at: Instant | None) -> str | None:
    return None if at is None else iso_beijing(at)
