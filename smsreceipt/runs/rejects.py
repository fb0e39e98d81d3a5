"""Looking at rejects, and dropping them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.model import StoredReject
from smsreceipt.output.look import Look
from smsreceipt.output.objects.rejects import REJECTS
from smsreceipt.output.preview import outline, preview
from smsreceipt.output.printer import print_rows
from smsreceipt.store import Store


def list_rejects(app: App) -> None:
    """Print all rejects, oldest first."""
    with app.open_store(readonly=True) as store:
        found = list(store.rejects())

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.rejects import rejects

        return rejects(found, look)

    if not found:
        app.say("no rejects")
    else:
        print_rows(app, REJECTS, found, draw)


def show_reject(app: App, reject_id: str, *, raw: bool) -> None:
    """Print one reject with a preview of its bytes, masked to their structure; with *raw* the bytes alone."""
    with app.open_store(readonly=True) as store:
        reject = find_reject(store, reject_id)
        body = store.reject_body(reject.id)
    if raw:
        app.write(body)
        return
    shown = outline(body) if app.mask else preview(body)

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.rejects import reject as one

        return one(reject, shown, look)

    print_rows(app, REJECTS.with_value("preview", shown), [reject], draw)


def drop_rejects(app: App, ids: Sequence[str], *, confirm: Callable[[int], None] | None) -> None:
    """Forget rejects for good. *confirm* is called with their number, and raises if the user does not agree."""
    with app.open_store(readonly=False, backfill=False) as store:
        found = {reject.id: reject for reject in (find_reject(store, reject_id) for reject_id in ids)}
        if confirm is not None:
            confirm(len(found))
        dropped = store.drop_rejects(list(found))
    app.summary([("dropped", dropped)])


def find_reject(store: Store, reject_id: str) -> StoredReject:
    """The only reject whose id begins so. Raises UsageError when there is none, or more than one."""
    found: Iterator[StoredReject] = islice(store.rejects([reject_id.lower()]), 2)
    matches = list(found) if reject_id else []
    if len(matches) != 1:
        many = "more than one reject" if matches else "no reject"
        raise UsageError(f"{many} begins with {reject_id!r}", hint="smsreceipt rejects list")
    return matches[0]
