"""Messages about message types that may be misspelt."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from smsreceipt.app import App
from smsreceipt.language import _, listed
from smsreceipt.model import nearest
from smsreceipt.store import Store


def unknown_kind_warning(kind: str) -> str:
    """The warning about a message type that the program has no table for; "" for one that it has."""
    from smsreceipt.decode import KINDS

    if kind in KINDS:
        return ""
    if near := nearest(kind, KINDS):
        return _(
            "{kind} is no message type known here: kept whole, but not read; did you mean {near}?", kind=kind, near=near
        )
    return _("{kind} is no message type known here: kept whole, but not read", kind=kind)


def warn_of_unknown_kinds(app: App, kinds: Iterable[str]) -> None:
    """Warn once about each message type, as which something is to be read, that the program has no table for."""
    for kind in dict.fromkeys(kinds):
        if warning := unknown_kind_warning(kind):
            app.warn(warning)


def say_unknown_kinds(app: App, kinds: Collection[str], store: Store) -> None:
    """Print a message for each kind, by which receipts are chosen, that neither the program nor the store has."""
    if not kinds:
        return
    from smsreceipt.decode import KINDS

    stored = [facts.kind for facts in store.facts().kinds]
    for kind in sorted({*kinds}):
        if kind not in KINDS and kind not in stored:
            near = nearest(kind, {*stored, *KINDS})
            if near:
                app.say(_("no kind {kind} has been stored; did you mean {near}?", kind=kind, near=near))
            else:
                known = listed(sorted(stored or KINDS))
                app.say(_("no kind {kind} has been stored; known: {known}", kind=kind, known=known))
