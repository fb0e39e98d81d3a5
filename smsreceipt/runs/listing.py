"""Listing receipts."""

from __future__ import annotations

from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.model import Kind, StoredReceipt
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.store import Query

NEWEST = 50  #: rows of a table, unless told: what a person can look at
COUNTED = 100_000  #: beyond this many, "more than" is exact enough for a person
_POLL = 0.5  # seconds


def run(app: App, query: Query, limit: int | None, *, follow: bool, raw_csv: bool, newest: bool) -> None:
    """Print the receipts that *query* asks for, at most *limit*, in ascending seq.

    A table shows the newest ones if *newest*. *follow*: go on printing what is new, until stopped.
    """
    printer = Printer(app, RECEIPTS, raw_csv=raw_csv, live=follow)
    printed = _once(app, query, limit, printer, newest=newest)
    while follow and (limit is None or printed < limit):
        app.flush()
        app.sleep(_POLL)
        last = printer.last.seq if printer.last else None
        query = replace(query, after=max(query.after, last or 0))
        rest = None if limit is None else limit - printed
        with app.open_store(readonly=True) as store:
            printed += printer.print(store.list(replace(query, limit=rest)))


def _once(app: App, query: Query, limit: int | None, printer: Printer[StoredReceipt], *, newest: bool) -> int:
    """Print what is there now. A table shows the newest, a script gets the first and goes on with --after."""
    table = tabular(app)
    asked = replace(query, limit=limit or (NEWEST if table else None), newest=table and newest)
    with app.open_store(readonly=True) as store:
        printed = printer.print(store.list(asked))
        say_unknown_kinds(app, [Kind(kind) for kind in query.kinds], store)
        if not printed:
            printer.end()
            app.say("no receipts")
        elif table and printed == asked.limit:
            say_more(app, store.count(query, COUNTED + printed) - printed)
    return printed


def say_more(app: App, more: int) -> None:
    """Say how many rows a table does not show; counted up to COUNTED."""
    if more > 0:
        app.flush()
        count = f"more than {more:,}" if more >= COUNTED else f"{more:,}"
        app.say(f"{count} more: --limit N shows more of them, --json all")
