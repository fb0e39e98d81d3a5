"""Compares the provider's totals of days, in billed parts, with those of the stored receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import date_of
from smsreceipt.output import terminal
from smsreceipt.output.columns import mapping
from smsreceipt.output.objects.totals import DAY_GAPS, DAY_TOTALS
from smsreceipt.output.printer import print_rows
from smsreceipt.reconcile.totals import DayGap, gaps
from smsreceipt.runs.queries import asking, final_refusal
from smsreceipt.sources.query.pages import PAGE

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import DayTotals, QueryClient

#: IsGlobe --> what it means: the provider has separate totals.
SCOPES = {1: "numbers of the mainland", 2: "numbers elsewhere"}
_QPS = 20.0  # the provider's limit for this action
_PLAN = mapping("Plan", ("from", "to", "planned_calls", "seconds"))


def run_gaps(app: App, first: int, last: int, *, qps: float, fail_on_missing: bool) -> None:
    """Print a row for each Beijing day, from *first* to *last*, with its parts that have no receipt.

    Needs no list of sends. *qps*: calls per second. With *fail_on_missing*, exit code 3 if any receipt is missing.
    """
    rows, calls = compared(app, first, last, min(qps, _QPS))
    print_rows(app, DAY_GAPS, rows, lambda display: terminal.comparison.day_gaps(rows, display))
    lacking = sum(max(row.gap, 0) for row in rows)
    if lacking and fail_on_missing:
        app.needs_a_look(f"{lacking:,} parts that ended by the provider's count have no receipt")
    app.summary({"days": len(rows), "gap": lacking, "api_calls": calls})


def run_plan(app: App, first: int, last: int, *, qps: float) -> None:
    """Print the number of calls that run_gaps would make, and the seconds; makes none."""
    calls = len(SCOPES) * ((last - first + 1) // PAGE + 1)  # after a full page, one more page is asked for
    plan = {
        "from": f"{date_of(first)}",
        "to": f"{date_of(last)}",
        "planned_calls": calls,
        "seconds": round(calls / min(qps, _QPS), 1),
    }
    print_rows(app, _PLAN, [plan], lambda _display: f"{calls} calls\n")


def run_stats(app: App, first: int, last: int) -> None:
    """Print a row for each Beijing day with the provider's totals and those of the stored receipts."""
    rows, calls = compared(app, first, last, _QPS)
    print_rows(app, DAY_TOTALS, rows, lambda display: terminal.comparison.day_totals(rows, display))
    app.summary({"days": len(rows), "api_calls": calls})


def compared(app: App, first: int, last: int, qps: float) -> tuple[list[DayGap], int]:
    """A row for each Beijing day, and the number of calls that were made."""
    with asking(app, qps=qps) as client:
        theirs = provider_totals(app, client, first, last)
    with app.open_store(readonly=True) as store:
        return gaps(first, last, theirs, store.day_parts(first, last)), client.rate.calls


def provider_totals(
    app: App, client: QueryClient, first: int, last: int, globes: Sequence[int] = tuple(SCOPES)
) -> list[DayTotals]:
    """The provider's totals of the Beijing days, of numbers in each of *globes*; a day may have several rows.

    A scope that the provider refuses and a row that cannot be read are told, with exit code 3. Raises as
    QueryClient.statistics; where all of the scopes are refused, the first refusal.
    """
    theirs: list[DayTotals] = []
    refused: list[SmsReceiptError] = []
    for globe in globes:
        try:
            found = client.statistics(date_of(first), date_of(last), globe=globe)
        except SmsReceiptError as exc:
            if not final_refusal(exc):
                raise
            refused.append(exc)
            continue
        theirs += found.days
        if found.unread:
            app.needs_a_look(f"{found.unread} rows of the provider's totals of {SCOPES[globe]} cannot be read whole")
        app.say(f"totals of {SCOPES[globe]}: {len(found.days)} days", verbosity=1)
    if len(refused) == len(globes):
        raise refused[0]
    for refusal in refused:
        app.needs_a_look(f"some of the totals are left out, because the provider refuses them: {refusal}")
    return theirs
