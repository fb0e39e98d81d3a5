"""`smsreceipt query-details`: the provider's records of one day about some phone numbers."""

from __future__ import annotations

from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import When, span
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import beijing_day, date_of
from smsreceipt.runs.masked import separate_numbers


@cli_command("query-details", data=True)
@option(
    "--date",
    required=True,
    type=When(),
    metavar="DAY",
    help="A Beijing day of the last 30: today, 2026-11-20.",
    example="today",
)
@option(
    "--phone",
    multiple=True,
    metavar="NUMBER|-",
    help="Ask about this number; - reads it from stdin.",
    example="13800000001",
)
@option(
    "--phones-from",
    metavar="FILE|-",
    example="numbers.csv",
    help="Ask about the numbers in a file: one a line, or a CSV with a heading.",
)
@option("--biz-id", metavar="ID", help="Only the sends of this BizId.", example="900619746936498440^0")
@option("--save", is_flag=True, help="Store the answers as receipts.")
@option(
    "--qps", type=click.FloatRange(0.1, 5000), default=50, show_default=True, help="Calls a second; 5000 are allowed."
)
@option("--workers", type=click.IntRange(1, 256), default=8, show_default=True, help="Calls at once.")
def command(app: App, **chosen: Any) -> None:
    """Ask the provider for one day's send records.

    One object per record, ascending number and time. The provider answers for one number and one Beijing day of the
    last 30 at a time; many numbers are asked about side by side. With --save the answers become receipts: of the send
    that --biz-id names, or that the ledger or a receipt shows them to be.

    \b
      smsreceipt query-details --date yesterday --phone 13800008000
      smsreceipt query-details --date 2026-11-20 --phones-from numbers.txt --save --json
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import query_details

    if chosen["biz_id"] is not None and not chosen["biz_id"].strip():
        raise UsageError(_("--biz-id: empty id"))
    options = query_details.Options(
        biz_id=chosen["biz_id"] or "", save=chosen["save"], qps=chosen["qps"], workers=chosen["workers"]
    )
    day = date_of(beijing_day(span(chosen["date"], app.now())[0]))
    query_details.run(app, day, separate_numbers(chosen["phone"]), chosen["phones_from"], options)
