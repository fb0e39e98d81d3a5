"""`smsreceipt reconcile --totals`: whole days by their sums, where nobody noted what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smsreceipt.app import App
from smsreceipt.model import date_of, iso_beijing
from smsreceipt.output.printer import print_objects
from smsreceipt.reconcile.totals import DayGap, gaps
from smsreceipt.runs.asking import asking
from smsreceipt.sources.query.pages import PAGE

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import DayTotals

_GLOBES = (1, 2)  # the mainland, and everywhere else: the provider counts them apart
_QPS = 20  # the provider's limit for this action


def report_totals(app: App, first: int, last: int, chosen: dict[str, Any]) -> None:
    """Print a row per day; with --dry-run only how many calls that takes."""
    if chosen["details"]:
        app.say("--details needs what was sent: see `smsreceipt sends import`")
    qps = min(chosen["qps"], _QPS)
    if chosen["dry_run"]:
        calls = len(_GLOBES) * ((last - first + 1) // PAGE + 1)  # a page that is full is never known to be the last
        plan = {"from": f"{date_of(first)}", "to": f"{date_of(last)}", "planned_calls": calls,
                "seconds": round(calls / qps, 1)}  # fmt: skip
        print_objects(app, [plan], lambda: f"{calls} calls\n")
        return
    rows, calls = _compared(app, first, last, qps)

    def draw() -> str:
        from smsreceipt.output.terminal.comparison import totals

        return totals(rows, app.look())

    print_objects(app, [_object(row) for row in rows], draw)
    lacking = sum(max(row.gap, 0) for row in rows)
    app.summary([("days", len(rows)), ("gap", lacking), ("api_calls", calls)])
    if lacking and chosen["fail_on_missing"]:
        app.attention()


def _compared(app: App, first: int, last: int, qps: float) -> tuple[list[DayGap], int]:
    """A row for each day, and how many calls that took."""
    theirs: list[DayTotals] = []
    with asking(app, qps=qps) as asker:
        for globe in _GLOBES:
            theirs += asker.statistics(date_of(first), date_of(last), globe=globe)
    with app.open_store(readonly=True) as store:
        return gaps(first, last, theirs, store.day_parts(first, last)), asker.rate.calls


def _object(row: DayGap) -> dict[str, object]:
    return {
        "date": date_of(row.day).isoformat(),
        "sent": row.sent,
        "succeeded": row.succeeded,
        "failed": row.failed,
        "no_response": row.no_response,
        "our_delivered": row.delivered,
        "our_failed": row.not_delivered,
        "our_undecided": row.undecided,
        "gap": row.gap,
        "silent": [{"from": iso_beijing(begin), "to": iso_beijing(end)} for begin, end in row.silent],
    }
