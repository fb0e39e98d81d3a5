"""`smsreceipt outages`: when receipts did not come, and what compensates."""

from __future__ import annotations

from typing import Any

from smsreceipt.app import App
from smsreceipt.cli.days import day_options, days
from smsreceipt.cli.options import cli_command


@cli_command("outages", data=True)
@day_options
def command(app: App, **chosen: Any) -> None:
    """Find when receipts did not come, and tell what compensates.

    Windows in which a message type did not come that usually comes in these hours of the weeks before, and windows in
    which listen was down or answered 503 for longer than the provider repeats a push: 16 minutes. For each, the sends
    without a receipt, and the command that fetches them while the provider still answers. Without a day: yesterday.

    Exit code 3 if receipts are lost and not compensated.

    \b
      smsreceipt outages --from yesterday --to today
      smsreceipt outages --from 7d --json | jq -r 'select(.verdict == "lost") | .command'
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import outages

    first, last = days(app, chosen, default="yesterday")
    outages.run(app, first, last)
