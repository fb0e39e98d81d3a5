"""Compares the provider's totals of days, in billed parts, with those of the stored receipts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from smsreceipt.app import App
from smsreceipt.errors import AuthError, SmsReceiptError
from smsreceipt.language import N_, _, n_
from smsreceipt.model import date_of
from smsreceipt.output import terminal
from smsreceipt.output.objects.totals import DAY_GAPS, DAY_TOTALS
from smsreceipt.output.printer import print_rows
from smsreceipt.reconcile.totals import DayGap, gaps
from smsreceipt.runs.queries import asking
from smsreceipt.sources.query.pages import PAGE

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import QueryClient
    from smsreceipt.sources.query.totals import DayTotals, Statistics

#: IsGlobe, whose totals the provider keeps apart.
MAINLAND, ABROAD = 1, 2
SCOPES = (MAINLAND, ABROAD)
QPS = 20.0  #: the provider's limit for this action
_NAMES = {MAINLAND: N_("numbers of the mainland"), ABROAD: N_("numbers elsewhere")}


class Totals(NamedTuple):
    """The provider's totals of some days."""

    days: list[DayTotals]  #: a row for each day and scope
    scopes: tuple[int, ...]  #: whose totals the provider gave
    whole: bool  #: every row and figure of these scopes could be read
    refusals: list[str]  #: a sentence for each scope that the provider refused


def run_gaps(app: App, first: int, last: int, *, qps: float, fail_on_missing: bool) -> None:
    """Print a row for each Beijing day, from *first* to *last*, with its parts that have no receipt.

    Needs no list of sends. *qps*: calls per second. With *fail_on_missing*, exit code 3 if any receipt is missing.
    """
    rows, calls = compared(app, first, last, min(qps, QPS))
    print_rows(app, DAY_GAPS, rows, lambda display: terminal.comparison.day_gaps(rows, display))
    lacking = sum(max(row.gap, 0) for row in rows)
    if lacking and fail_on_missing:
        app.needs_a_look(
            n_(
                "{n:,} part that ended by the provider's count has no receipt",
                "{n:,} parts that ended by the provider's count have no receipt",
                lacking,
            )
        )
    app.summary({"days": len(rows), "gap": lacking, "api_calls": calls})


def run_stats(app: App, first: int, last: int) -> None:
    """Print a row for each Beijing day with the provider's totals and those of the stored receipts."""
    rows, calls = compared(app, first, last, QPS)
    print_rows(app, DAY_TOTALS, rows, lambda display: terminal.comparison.day_totals(rows, display))
    app.summary({"days": len(rows), "api_calls": calls})


def compared(app: App, first: int, last: int, qps: float) -> tuple[list[DayGap], int]:
    """A row for each Beijing day, and the number of calls that were made.

    Totals that the provider refuses or that cannot be read are told, with exit code 3. Raises as ask_totals().
    """
    with asking(app, qps=qps) as client:
        totals = ask_totals(app, client, first, last)
    for refusal in totals.refusals:
        app.needs_a_look(refusal)
    with app.open_store(readonly=True) as store:
        return gaps(first, last, totals.days, store.day_parts(first, last)), client.rate.calls


def planned_calls(first: int, last: int, scopes: Sequence[int] = SCOPES) -> int:
    """The calls that ask_totals() makes for these Beijing days."""
    return len(scopes) * ((last - first + 1) // PAGE + 1)  # after a full page, one more page is asked for


def ask_totals(app: App, client: QueryClient, first: int, last: int, scopes: Sequence[int] = SCOPES) -> Totals:
    """Ask for the totals of the Beijing days *first* to *last*, and tell what the provider did not give.

    A refusal of one scope costs only that scope: an account without international SMS has a mainland all the same.
    Raises the first refusal if there is nothing else, and AuthError, ProviderError and Halted for everything else.
    """
    answered: dict[int, Statistics] = {}
    refused: dict[int, SmsReceiptError] = {}
    for scope in scopes:
        try:
            answered[scope] = client.statistics(date_of(first), date_of(last), globe=scope)
        except SmsReceiptError as exc:
            if not _of_scope(exc, answered):
                raise
            refused[scope] = exc
    if not answered and refused:
        raise next(iter(refused.values()))
    refusals: list[str] = []
    for scope, failure in refused.items():
        reason = getattr(failure, "code", "") or failure
        refusals.append(
            _(
                "the provider refused its totals of {numbers} ({reason}): they are left out",
                numbers=_(_NAMES[scope]),
                reason=reason,
            )
        )
    for scope, found in answered.items():
        if found.unread:
            app.needs_a_look(
                _(
                    "{n} rows or figures in the provider's totals of {numbers} could not be read: they are too small by"
                    " them",
                    n=found.unread,
                    numbers=_(_NAMES[scope]),
                )
            )
        if found.absent:
            app.needs_a_look(
                _(
                    "the provider's totals of {numbers} list {n} rows less than they announce: run the same command"
                    " again",
                    numbers=_(_NAMES[scope]),
                    n=found.absent,
                )
            )
    days = [row for found in answered.values() for row in found.days]
    return Totals(days, tuple(answered), all(found.whole for found in answered.values()), refusals)


def _of_scope(failure: SmsReceiptError, answered: Collection[int]) -> bool:
    """Whether the provider refused one scope for good; a key that has had an answer is not to blame."""
    from smsreceipt.aliyun.rpc import ApiError

    if isinstance(failure, AuthError):
        return bool(answered)
    return isinstance(failure, ApiError) and failure.code != "" and failure.final
