"""Lists sends of the ledger, and deletes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.output.objects.sends import SENDS
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs.existing import open_existing
from smsreceipt.runs.listing import COUNTED, NEWEST, say_hidden_rows
from smsreceipt.store import SendQuery, Store

__all__ = ["COUNTED", "forget_sends", "list_sends"]


def list_sends(app: App, query: SendQuery, limit: int | None) -> None:
    """Print the sends of the query; a table has only the newest ones. *limit*: their number at most."""
    table = tabular(app)
    asked = replace(query, limit=limit or (NEWEST if table else None), newest=table)
    printer = Printer(app, SENDS)
    with app.open_store(readonly=True) as store:
        printed = printer.print(store.sends(asked))
        if not printed:
            printer.end()
            app.say(_nothing_found(app, store))
        elif table and printed == asked.limit:
            counted = sum(1 for _ in store.sends(replace(query, limit=COUNTED + printed)))
            say_hidden_rows(app, counted - printed)


def _nothing_found(app: App, store: Store) -> str:
    if any(store.sends(SendQuery(limit=1))):
        return _("no sends found; all of them: smsreceipt sends list")
    return _(
        "no sends in {store} yet: import what was sent with smsreceipt sends import FILE", store=app.store_location
    )


def forget_sends(app: App, query: SendQuery, *, confirm: Callable[[int], None] | None) -> None:
    """Delete the sends of the query from the ledger; receipts stay.

    *confirm* is called with their number before, counted up to COUNTED, if there are any, and raises if the user does
    not agree.
    """
    with open_existing(app, backfill=False) as store:
        found = sum(1 for _ in islice(store.sends(query), COUNTED))
        if found and confirm is not None:
            confirm(found)
        forgotten = store.forget_sends(query) if found else 0
    app.summary({"forgotten": forgotten})
