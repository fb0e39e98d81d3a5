"""Lists, shows and drops rejects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _
from smsreceipt.model import Reason, StoredReject
from smsreceipt.output import terminal
from smsreceipt.output.objects.rejects import REJECTS
from smsreceipt.output.preview import outline, preview
from smsreceipt.output.printer import print_rows, tabular
from smsreceipt.runs.existing import open_existing
from smsreceipt.runs.listing import NEWEST, say_hidden_rows
from smsreceipt.store import Store


def list_rejects(app: App, limit: int | None = None) -> None:
    """Print rejects, oldest first. *limit*: their number at most; a table has the newest, JSON and CSV the first."""
    with app.open_store(readonly=True) as store:
        found = list(store.rejects())
    if not found:
        app.say(_("no rejects"))
        return
    table = tabular(app)
    shown = found[-(limit or NEWEST) :] if table else found[:limit]
    print_rows(app, REJECTS, shown, lambda display: terminal.rejects.rejects(shown, display))
    if table:
        say_hidden_rows(app, len(found) - len(shown))


def show_reject(app: App, reject_id: str, *, raw: bool) -> None:
    """Print one reject with a preview of its bytes, or with *raw* only the bytes. Masked, the preview has no content.

    Raises UsageError as find_reject does.
    """
    with app.open_store(readonly=True) as store:
        reject = find_reject(store, reject_id)
        body = store.reject_body(reject.id)
    if raw:
        app.write(body)
        return
    shown = outline(body) if app.mask else preview(body)
    view = REJECTS.with_value("preview", shown)
    print_rows(app, view, [reject], lambda display: terminal.rejects.reject(reject, shown, display))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rejects, unless their ids are named; an empty set stands for every origin or reason."""

    origins: Collection[str] = ()  #: files with all places in them, folders, queues or paths
    reasons: Collection[Reason] = ()

    def fits(self, reject: StoredReject) -> bool:
        """Whether the reject is meant."""
        return (not self.reasons or reject.reason in self.reasons) and (
            not self.origins or any(_is_in(reject.origin, origin) for origin in self.origins)
        )


def _is_in(place: str, origin: str) -> bool:
    return place == origin or place.startswith((f"{origin}:", f"{origin.rstrip('/')}/"))


def drop_rejects(
    app: App, ids: Sequence[str], chosen: Filter = Filter(), *, confirm: Callable[[int], None] | None
) -> None:
    """Delete the rejects with these ids, or without ids those that fit.

    *confirm* is called with their number before, and raises if the user does not agree. Raises UsageError as
    find_reject does.
    """
    with open_existing(app, backfill=False) as store:
        if ids:
            found = {find_reject(store, reject_id).id for reject_id in ids}
        else:
            found = {reject.id for reject in store.rejects() if chosen.fits(reject)}
        if confirm is not None and found:
            confirm(len(found))
        dropped = store.drop_rejects(found) if found else 0
    app.summary({"dropped": dropped})


def find_reject(store: Store, reject_id: str) -> StoredReject:
    """The only reject whose id begins with *reject_id*. Raises UsageError if there is none, or more than one."""
    matches = list(islice(store.rejects([reject_id.lower()]), 2)) if reject_id else []
    if len(matches) != 1:
        many = N_("more than one reject begins with {id!r}")
        said = _(many if matches else N_("no reject begins with {id!r}"), id=reject_id)
        raise UsageError(said, hint=_("List them: smsreceipt rejects list"))
    return matches[0]
