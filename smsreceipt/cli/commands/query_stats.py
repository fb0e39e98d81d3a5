"""`smsreceipt query-stats`: the provider's day totals beside those of the stored receipts."""

from __future__ import annotations

from typing import Any

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import When, span
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import beijing_day


@cli_command("query-stats", data=True)
@option("--from", required=True, type=When(), metavar="DAY", example="7d", help="From this Beijing day on.")
@option("--to", type=When(), metavar="DAY", example="today", help="Up to and with this one; default today.")
def command(app: App, **chosen: Any) -> None:
    """Ask the provider for its day totals, beside ours.

    One object per Beijing day, in billed parts: what the provider counts as sent, succeeded, failed and without
    response from the carrier, and what the receipts in the store come to. `smsreceipt reconcile` finds what is lacking.

    \b
      smsreceipt query-stats --from 7d --to yesterday
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import day_totals
    from smsreceipt.runs.queries import today

    now = app.now()
    first, last = (beijing_day(span(text, now)[0]) for text in (chosen["from"], chosen["to"] or "today"))
    if not first <= last <= beijing_day(now):
        raise UsageError(
            _("--from is after --to, or --to after today"), hint=_("Today is {day} in Beijing.", day=today(app))
        )
    day_totals.run_stats(app, first, last)
