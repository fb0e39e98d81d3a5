"""`smsreceipt list`: the receipts, one object per identity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import filters, query_of, say_unknown_kinds
from smsreceipt.cli.options import command as make
from smsreceipt.model import Kind
from smsreceipt.output.printer import ReceiptPrinter
from smsreceipt.store import Query

NEWEST = 50  #: what a person can look at
_COUNTED = 100_000  #: beyond this many, "more than" is exact enough for a person
_POLL = 0.5  # seconds


@make("list", data=True)
@filters
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="At most N: in a table the newest (50 unless told), in json and csv, or with --after, the first.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is new until stopped.")
@click.option("--raw-csv", is_flag=True, help="Leave fields that a spreadsheet takes for formulas as they are.")
def command(app: App, *, limit: int | None, follow: bool, raw_csv: bool, **chosen: Any) -> None:
    """List receipts: the state of each message, call and review.

    One object per identity, ascending seq. Filters of one kind are alternatives, different ones must all hold.
    Times are those of sending, else of the report, else of arrival.
    """
    query = query_of(app, chosen)
    printer = ReceiptPrinter(app, raw_csv=raw_csv, live=follow)
    newest = app.output == "table" and chosen["after"] is None
    printed = _once(app, query, limit, printer, newest=newest)
    while follow and (limit is None or printed < limit):
        app.flush()
        app.sleep(_POLL)
        query = replace(query, after=max(query.after, printer.last_seq))
        rest = None if limit is None else limit - printed
        with app.open_store(readonly=True) as store:
            printed += printer.print(store.list(replace(query, limit=rest)))


def _once(app: App, query: Query, limit: int | None, printer: ReceiptPrinter, *, newest: bool) -> int:
    """Print what is there now. A table shows the newest, a script gets the first and goes on with --after."""
    table = app.output == "table"
    asked = replace(query, limit=limit or (NEWEST if table else None), newest=newest)
    with app.open_store(readonly=True) as store:
        printed = printer.print(store.list(asked))
        say_unknown_kinds(app, [Kind(kind) for kind in query.kinds], store)
        if not printed:
            printer.head()
            app.say("no receipts")
        elif table and printed == asked.limit:
            more = store.count(query, _COUNTED + printed) - printed
            if more > 0:
                app.flush()
                count = f"more than {more:,}" if more >= _COUNTED else f"{more:,}"
                app.say(f"{count} more: --limit N shows more of them, --json all")
    return printed
