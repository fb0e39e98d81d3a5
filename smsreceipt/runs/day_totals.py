"""Whole days compared by their sums: the provider's totals beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.model import date_of
from smsreceipt.output.columns import mapping
from smsreceipt.output.look import Look
from smsreceipt.output.objects.totals import DAY_GAPS, DAY_TOTALS
from smsreceipt.output.printer import print_rows
from smsreceipt.reconcile.totals import DayGap, gaps
from smsreceipt.runs.queries import asking
from smsreceipt.sources.query.pages import PAGE

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import DayTotals

_GLOBES = (1, 2)  # the mainland, and everywhere else: the provider counts them apart
_QPS = 20.0  # the provider's limit for this action
_PLAN = mapping("Plan", ("from", "to", "planned_calls", "seconds"))


def run_gaps(app: App, first: int, last: int, *, qps: float, fail_on_missing: bool) -> None:
    """Print a row for each day, with what is lacking; needs no list of what was sent."""
    rows, calls = compared(app, first, last, min(qps, _QPS))

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.comparison import day_gaps

        return day_gaps(rows, look)

    print_rows(app, DAY_GAPS, rows, draw)
    lacking = sum(max(row.gap, 0) for row in rows)
    app.summary([("days", len(rows)), ("gap", lacking), ("api_calls", calls)])
    if lacking and fail_on_missing:
        app.attention()


def run_plan(app: App, first: int, last: int, *, qps: float) -> None:
    """Print how many calls run_gaps takes, and how long; nobody is asked."""
    calls = len(_GLOBES) * ((last - first + 1) // PAGE + 1)  # a page that is full is never known to be the last
    plan = {
        "from": f"{date_of(first)}",
        "to": f"{date_of(last)}",
        "planned_calls": calls,
        "seconds": round(calls / min(qps, _QPS), 1),
    }
    print_rows(app, _PLAN, [plan], lambda _look: f"{calls} calls\n")


def run_stats(app: App, first: int, last: int) -> None:
    """Print the provider's totals of each day, and what the receipts in the store come to."""
    rows, calls = compared(app, first, last, _QPS)

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.comparison import day_totals

        return day_totals(rows, look)

    print_rows(app, DAY_TOTALS, rows, draw)
    app.summary([("days", len(rows)), ("api_calls", calls)])


def compared(app: App, first: int, last: int, qps: float) -> tuple[list[DayGap], int]:
    """A row for each day, and how many calls that took."""
    theirs: list[DayTotals] = []
    with asking(app, qps=qps) as asker:
        for globe in _GLOBES:
            theirs += asker.statistics(date_of(first), date_of(last), globe=globe)
    with app.open_store(readonly=True) as store:
        return gaps(first, last, theirs, store.day_parts(first, last)), asker.rate.calls
