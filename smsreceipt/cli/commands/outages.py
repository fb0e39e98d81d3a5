"""`smsreceipt outages`: when receipts did not come, and what compensates."""

from __future__ import annotations

from typing import Any

from smsreceipt.app import App
from smsreceipt.cli.days import day_options, days
from smsreceipt.cli.filters import kind_option
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import Duration
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import Kind


@cli_command("outages", data=True)
@day_options
@kind_option()
@option(
    "--min-gap",
    type=Duration(),
    default="15m",
    show_default=True,
    metavar="TIME",
    help="Pass over windows that are shorter; at least a minute.",
)
def command(app: App, *, kind: tuple[Kind, ...], min_gap: float, **chosen: Any) -> None:
    """Find when receipts did not come, and tell what compensates.

    Windows in which a message type did not come that usually comes in these hours of the weeks before, and windows in
    which listen was down or answered 503 for longer than the provider repeats a push: 16 minutes. For each, the sends
    without a receipt, and the command that fetches them while the provider still answers. Without a day: yesterday.

    Exit code 3 if receipts are lost and not compensated.

    \b
      smsreceipt outages --from yesterday --to today
      smsreceipt outages --date today --kind SmsReport --min-gap 5m
      smsreceipt outages --from 7d --json | jq -r 'select(.verdict == "lost") | .command'
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import outages

    if min_gap < 60:
        raise UsageError(_("--min-gap must be a minute at least"), hint=_("Arrivals are counted by the minute."))
    first, last = days(app, chosen, default="yesterday")
    outages.run(app, first, last, kind, round(min_gap * 1000))
