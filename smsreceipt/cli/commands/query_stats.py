"""`smsreceipt query-stats`: the provider's day totals beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import When, span
from smsreceipt.errors import UsageError
from smsreceipt.model import Outcome, beijing_day, date_of, number_of
from smsreceipt.output.printer import print_objects
from smsreceipt.runs.asking import asking, today

if TYPE_CHECKING:
    from smsreceipt.sources.query.client import DayTotals
    from smsreceipt.store import DayParts

_GLOBES = (1, 2)  # the mainland, and everywhere else: the provider counts them apart
_QPS = 20  # the provider's limit for this action


@make("query-stats", data=True)
@click.option("--from", required=True, type=When(), metavar="DAY", help="From this Beijing day on.")
@click.option("--to", type=When(), metavar="DAY", help="Up to and with this one; default today.")
def command(app: App, **chosen: Any) -> None:
    """Ask the provider for its day totals, beside ours.

    One object per Beijing day, in billed parts: what the provider counts as sent, succeeded, failed and without
    response from the carrier, and what the receipts in the store come to. `smsreceipt reconcile` finds what is lacking.

    \b
      smsreceipt query-stats --from 7d --to yesterday
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    now = app.now()
    first, last = (beijing_day(span(text, now)[0]) for text in (chosen["from"], chosen["to"] or "today"))
    if not first <= last <= beijing_day(now):
        raise UsageError("--from is after --to, or --to after today", hint=f"Today is {today(app)} in Beijing.")
    theirs, calls = _theirs(app, first, last)
    rows = _rows(first, last, theirs, _ours(app, first, last))

    def draw() -> str:
        from smsreceipt.output.terminal.details import day_totals

        return day_totals(rows, app.look())

    print_objects(app, rows, draw)
    app.summary([("days", len(rows)), ("api_calls", calls)])


def _theirs(app: App, first: int, last: int) -> tuple[dict[int, list[DayTotals]], int]:
    """What the provider says of each day, and how many calls that took."""
    found: dict[int, list[DayTotals]] = {}
    with asking(app, qps=_QPS) as asker:
        for globe in _GLOBES:
            for total in asker.statistics(date_of(first), date_of(last), globe=globe):
                found.setdefault(number_of(total.day), []).append(total)
    return found, asker.rate.calls


def _ours(app: App, first: int, last: int) -> dict[int, DayParts]:
    with app.open_store(readonly=True) as store:
        return {parts.day: parts for parts in store.day_parts(first, last)}


def _rows(
    first: int, last: int, theirs: dict[int, list[DayTotals]], ours: dict[int, DayParts]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for day in range(first, last + 1):
        said = theirs.get(day, [])
        parts = ours[day].parts if day in ours else {}
        delivered = parts.get(Outcome.DELIVERED, 0)
        failed = parts.get(Outcome.FAILED, 0) + parts.get(Outcome.EXPIRED, 0)
        rows.append(
            {
                "date": date_of(day).isoformat(),
                "sent": sum(total.sent for total in said),
                "succeeded": sum(total.succeeded for total in said),
                "failed": sum(total.failed for total in said),
                "no_response": sum(total.no_response for total in said),
                "our_delivered": delivered,
                "our_failed": failed,
                "our_undecided": sum(parts.values()) - delivered - failed,
            }
        )
    return rows
