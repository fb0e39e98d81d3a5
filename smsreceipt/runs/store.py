"""Tells what a store is, brings its schema up to date, and prints the script for a Citus cluster."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.output import terminal
from smsreceipt.output.objects.store import INFO, WRITERS
from smsreceipt.output.printer import print_whole
from smsreceipt.store import opening


def info(app: App) -> None:
    """Print what the store is and holds, and who writes to it."""
    with app.open_store(readonly=True) as store:
        facts = store.facts()
    print_whole(app, INFO, facts, (WRITERS, facts.writers or ()), lambda display: terminal.store.info(facts, display))


def upgrade(app: App) -> None:
    """Bring the schema up to date, fill the fields that it added, and print the summary."""
    before, after = app.upgrade_store()
    with app.open_store(readonly=False):
        pass  # a writer fills the fields that older receipts lack
    if not before:
        app.say(_("the store {store} is made", store=app.store_location))
    elif before == after:
        app.say(_("the store {store} is up to date", store=app.store_location))
    else:
        app.say(_("the store {store} is upgraded", store=app.store_location))
    app.summary({"schema_before": before, "schema": after})


def citus_sql(app: App) -> None:
    """Print the script that distributes the tables of a store over a Citus cluster."""
    app.require_stdout()
    app.write(app.encode(opening.citus_sql()))
