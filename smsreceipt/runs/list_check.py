"""Checks whether the list of sends is whole: every day has sends, and the provider counts no more parts than it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.errors import AuthError, SmsReceiptError
from smsreceipt.language import N_, _, n_
from smsreceipt.model import Instant, date_of, number_of, start_of_day
from smsreceipt.reconcile.calendar import MIDNIGHT_MS, end_of
from smsreceipt.reconcile.coverage import Coverage, coverage
from smsreceipt.runs import day_totals
from smsreceipt.runs.day_totals import ABROAD, MAINLAND, SCOPES, Totals
from smsreceipt.store import DaySends, SendQuery, Store

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import QueryClient

_NAMED = 3  #: days that a message names; it counts the others
_NONE = N_(
    "no send of {days} is in the list: import what was sent with `smsreceipt sends import`; --totals compares receipts"
    " without a list"
)
_NONE_OF = N_(
    "no send of {days} is in the list, and the provider counts {total:,} billed parts: import what was sent with"
    " `smsreceipt sends import`; --totals compares receipts without a list"
)


class ListCheck:
    """The check of the sends of some Beijing days.

    The provider keeps totals of the mainland and of other numbers. It is asked about those of which the list has
    sends, and about both if the list has none.
    """

    def __init__(
        self, app: App, first: int, last: int, today: int, listed: Sequence[DaySends], *, wanted: bool
    ) -> None:
        """*listed*: the sends of the list, by day. Not *wanted*: the provider is not asked."""
        self.total: int | None = None  #: billed parts by the provider; None: not known
        self.unlisted: int | None = None  #: of these, those beyond the list; None: not known, or a day is not over
        self.wanted = wanted
        self._app, self._first, self._last, self._today, self._listed = app, first, last, today, listed
        self._asked = False
        self._totals: Totals | None = None
        self._certain = False  # parts are beyond the list, whatever is not known

    @property
    def mode(self) -> str:
        """What is compared: "sends", or "totals" if the list has none of these days."""
        return "sends" if self._listed else "totals"

    @property
    def planned_calls(self) -> int:
        """The calls that ask() makes."""
        return day_totals.planned_calls(self._first, self._last, self._scopes) if self.wanted else 0

    @property
    def _scopes(self) -> tuple[int, ...]:
        has = {MAINLAND: any(day.mainland for day in self._listed), ABROAD: any(day.elsewhere for day in self._listed)}
        return tuple(scope for scope in SCOPES if has[scope]) or SCOPES

    def ask(self, client: QueryClient, store: Store) -> None:
        """Ask for the provider's totals, if they are wanted. A failure is told, and costs only them."""
        from smsreceipt.sources.query.client import Halted

        if not self.wanted:
            return
        self._asked = True
        try:
            self._totals = day_totals.ask_totals(self._app, client, self._first, self._last, self._scopes)
        except Halted:
            return
        except SmsReceiptError as exc:
            self.failed(exc)
            return
        for refusal in self._totals.refusals:
            self._app.warn(refusal)
        if not self._totals.whole:
            return
        self.total = sum(row.sent for row in self._totals.days)
        if self._last < self._today:
            self.unlisted, self._certain = self._compare(self.total, store)

    def failed(self, failure: SmsReceiptError) -> None:
        """Tell why the provider's totals are not known.

        Raises the failure where nothing else was asked for and the provider was not reached: then it is the run's own.
        """
        if not self._listed and not isinstance(failure, AuthError) and not getattr(failure, "code", ""):
            raise failure
        self._app.warn(_("the provider's totals are not known: {reason}", reason=failure))

    def tell(self) -> None:
        """Tell of days without a send in the list, and of parts beyond it, with exit code 3.

        Single days of several are told only after ask(): the provider may count none either, and a list that is a part
        on purpose may have none.
        """
        if not self._listed:
            self._app.needs_a_look(_(_NONE if self.total is None else _NONE_OF, days=self._days, total=self.total))
            return
        if absent := [*self._absent()]:
            named = ", ".join(f"{date_of(day)}" for day in absent[:_NAMED])
            if (more := len(absent) - _NAMED) > 0:
                named = n_("{days} and {n} more day", "{days} and {n} more days", more, days=named)
            self._app.needs_a_look(_("no send of {days} is in the list: import what was sent", days=named))
        if self._certain:
            self._app.needs_a_look(
                _(
                    "the provider counts {parts:,} billed parts of {days} that the list does not have: import the rest,"
                    " or say --no-totals if the list is a part on purpose",
                    parts=self.unlisted,
                    days=self._days,
                )
            )

    @property
    def _days(self) -> str:
        first, last = date_of(self._first), date_of(self._last)
        return f"{first}" if first == last else _("{first} to {last}", first=first, last=last)

    def _absent(self) -> Iterator[int]:
        """The days before today without a send in the list, except those of which the provider counts none either."""
        listed = {day.day for day in self._listed}
        counted = None if self._totals is None or not self._totals.whole else self._totals.days
        sent = {number_of(row.day) for row in counted or () if row.sent}
        for day in range(self._first, min(self._last + 1, self._today)) if self._asked else ():
            if day not in listed and (counted is None or day in sent):
                yield day

    def _compare(self, total: int, store: Store) -> Coverage:
        """Compare with the sends of the list whose totals the provider gave. Each send has a part at least."""
        scopes = self._totals.scopes if self._totals else ()
        sends = sum(day.mainland * (MAINLAND in scopes) + day.elsewhere * (ABROAD in scopes) for day in self._listed)
        if total <= sends:
            return Coverage(0, certain=False)
        parts = store.listed_parts(self._first, self._last)
        listed = [each for each in parts if (MAINLAND if each.mainland else ABROAD) in scopes]
        found = coverage(total, listed)
        return coverage(total, listed, self._near_midnight(store)) if found.certain else found

    def _near_midnight(self, store: Store) -> int:
        """The sends of the list that the provider may have filed under these days, though they are of others."""
        begin, end = start_of_day(self._first), end_of(self._last)
        spans = ((Instant(begin - MIDNIGHT_MS), begin), (end, Instant(end + MIDNIGHT_MS)))
        return sum(1 for since, until in spans for row in store.sends(SendQuery(since=since, until=until))
                   if row.send.sent_at is not None)  # fmt: skip
