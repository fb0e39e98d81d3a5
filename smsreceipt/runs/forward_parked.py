"""Lists what receivers refused, has it handed on once more, or forgets it; deletes cursors."""

from __future__ import annotations

from collections.abc import Callable, Collection

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.forward import cursor
from smsreceipt.forward.cursor import Parked
from smsreceipt.forward.parked import PARKED
from smsreceipt.ingest import LockRetry
from smsreceipt.language import _, listed
from smsreceipt.output.printer import Printer
from smsreceipt.runs.existing import open_existing
from smsreceipt.store import Store

_LIST = "smsreceipt forward parked list"


def list_parked(app: App, name: str | None) -> None:
    """Print what is parked, under one name or under all."""
    with app.open_store(readonly=True) as store:
        printer = Printer(app, PARKED)
        if not printer.print(cursor.parked(store, name)):
            printer.end()
            app.say(_("nothing is parked"))


def retry(app: App, name: str | None, seqs: Collection[int]) -> None:
    """Have parked statements handed on once more; () stands for all. Raises UsageError for a seq that is not parked."""
    with open_existing(app, backfill=False) as store:
        chosen = _chosen(store, name, seqs)
        if chosen:
            cursor.request_again(store, chosen)
    names = listed(sorted({each.name for each in chosen.values()}))
    if names:
        app.say(_("handed on once more by what runs, or runs next, under the name {names}", names=names))
    app.summary({"again": len(chosen)})


def drop(app: App, name: str | None, seqs: Collection[int], *, confirm: Callable[[int], None] | None) -> None:
    """Forget that statements were refused; they stay in the store. *confirm* raises if the user does not agree."""
    with open_existing(app, backfill=False) as store:
        chosen = _chosen(store, name, seqs)
        if chosen:
            if confirm is not None:
                confirm(len(chosen))
            cursor.drop_parked(store, chosen)
    app.summary({"dropped": len(chosen)})


def drop_cursor(app: App, name: str, *, confirm: Callable[[], None] | None) -> None:
    """Delete a cursor, with what is parked under its name. *confirm* raises if the user does not agree.

    Raises UsageError where there is none, and CursorInUse while a process hands on under this name.
    """
    cursor.checked_name(name)
    with open_existing(app, backfill=False) as store:
        if confirm is not None:
            cursor.expect(store, name)
            confirm()
        parked = cursor.drop(store, name, LockRetry(app.say))
    app.summary({"dropped": 1, "parked": parked})


def _chosen(store: Store, name: str | None, seqs: Collection[int]) -> dict[str, Parked]:
    found = [each for each in cursor.parked(store, name) if not seqs or each.seq in seqs]
    if absent := sorted(set(seqs) - {each.seq for each in found}):
        raise UsageError(_("seq {seq} is not parked", seq=absent[0]), hint=_LIST)
    return {each.key: each for each in found}
