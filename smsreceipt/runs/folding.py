"""Counts messages, calls and replies in advance before figures are asked for, which then need no scan of the store."""

from __future__ import annotations

import contextlib

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable, UsageError
from smsreceipt.insight.answer import readers_of
from smsreceipt.model.facts import Place

_LOCK_WAIT = 1.0  # seconds; figures do not depend on it
_MANY = 200_000  # statements; fewer are counted before a person would look at a progress


def fold(app: App, place: Place, *, anew: bool = False) -> None:
    """Count what arrived since the last time, as far as the store can be written; or with *anew* everything again.

    Figures are the same without it, and take longer. A store that does not exist is not made, and one of an older
    version is upgraded. Raises StoreUnavailable if *anew* is wanted and the store cannot be written.
    """
    if not _exists(app):
        return
    with contextlib.ExitStack() as stack:
        if not anew:
            stack.enter_context(contextlib.suppress(StoreUnavailable, UsageError))
        store = stack.enter_context(app.open_store(readonly=False, lock_wait=_LOCK_WAIT))
        progress = stack.enter_context(app.progress())

        def show(done: int, total: int) -> None:
            if total >= _MANY:
                progress.counted(done, total, ("receipts counted", "已统计回执"))

        store.fold(readers_of(place), anew=anew, on_progress=show)


def _exists(app: App) -> bool:
    """Whether there is a store; one that cannot be read now, such as one of an older version, is there too."""
    try:
        with app.open_store(readonly=True) as store:
            return store.facts().exists
    except StoreUnavailable:
        return True
