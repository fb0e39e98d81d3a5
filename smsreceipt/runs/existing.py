"""The store of commands that change or delete only what is stored: where there is none, they make none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.store import Store


@contextmanager
def open_existing(app: App, *, backfill: bool = True) -> Iterator[Store]:
    """The store, to be written to in a with statement. Where there is none, that is said: an empty one is read instead.

    That one cannot be written to, so its user writes only once something was found to change.
    """
    there = app.store_exists()
    if not there:
        app.say(_("there is no store at {place}", place=app.store_location))
    with app.open_store(readonly=not there, backfill=backfill) as store:
        yield store
