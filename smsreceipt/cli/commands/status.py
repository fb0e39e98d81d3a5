"""`smsreceipt status`: facts about the store, and whether receipts still arrive."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.cli.filters import kind_option
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import Duration
from smsreceipt.model import Kind


@cli_command("status", data=True)
@option(
    "--max-age",
    type=Duration(),
    metavar="AGE",
    help="End with 3 when nothing came for so long: 2h, 30m, 1d.",
    example="2h",
)
@kind_option("Only this message type; each must be fresh.")
@option("--check", is_flag=True, help="Judge by the rules of watch, and end with 3 when an alarm fires.")
@option("--backlog", is_flag=True, help="Ask the provider what waits in the configured queues; nothing is received.")
def command(app: App, *, max_age: float | None, kind: tuple[Kind, ...], backlog: bool, check: bool) -> None:
    """Tell how the store is doing, and whether receipts still arrive.

    With --max-age it is the dead-man check of a cron job: exit code 3 says that nothing came for so long. With
    --check it looks at everything that watch looks at, tells nobody, and notes nothing. Without --backlog it looks at
    the store only and makes no call.

    \b
      smsreceipt status --max-age 2h --kind SmsReport
      smsreceipt status --json | jq '{receipts_per_day, bytes_per_receipt, days_left}'
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import status

    status.run(app, kind, max_age, ask=backlog, check=check)
