"""Lists receipts."""

from __future__ import annotations

from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.model import Kind, StoredReceipt
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.store import Query

NEWEST = 50  #: rows of a table without --limit
COUNTED = 100_000  #: rows are counted up to this number
_POLL = 0.5  # seconds between two reads of the store


def run(
    app: App, query: Query, limit: int | None, *, follow: bool, raw_csv: bool, newest: bool, body: bool = True
) -> None:
    """Print the receipts of the query in ascending seq, at most *limit*; a table has the newest ones if *newest*.

    *follow*: go on with new receipts until a signal ends the process. *raw_csv*: do not escape formulas in CSV.
    *body*: print the bodies, in JSON and CSV.
    """
    view = RECEIPTS if body else RECEIPTS.without("body")
    printer = Printer(app, view, raw_csv=raw_csv, live=follow)
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
    """Print the receipts that are stored now; return their number."""
    table = tabular(app)
    asked = replace(query, limit=limit or (NEWEST if table else None), newest=table and newest)
    with app.open_store(readonly=True) as store:
        printed = printer.print(store.list(asked))
        say_unknown_kinds(app, [Kind(kind) for kind in query.kinds], store)
        if not printed:
            printer.end()
            app.say("no receipts")
        elif table and printed == asked.limit:
            say_hidden_rows(app, store.count(query, COUNTED + printed) - printed)
    return printed


def say_hidden_rows(app: App, hidden: int) -> None:
    """Print a message with the number of rows, counted up to COUNTED, that a table does not have; nothing for 0."""
    if hidden > 0:
        app.flush()
        count = f"more than {hidden:,}" if hidden >= COUNTED else f"{hidden:,}"
        app.say(f"{count} more: --limit N shows more of them, --json all")
