"""The store of commands that look at what is stored, change or delete it: where there is none, they say so."""

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
    there = say_absent(app)
    with app.open_store(readonly=not there, backfill=backfill) as store:
        yield store


def say_absent(app: App) -> bool:
    """Say it where there is no store: an empty result would look as if all were well. Returns whether there is one."""
    there = app.store_exists()
    if not there:
        app.say(_("there is no store at {place}", place=app.store_location))
    return there
