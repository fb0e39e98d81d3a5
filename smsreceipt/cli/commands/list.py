"""`smsreceipt list`: the receipts, one object for each identity."""

from __future__ import annotations

from typing import Any

from smsreceipt.app import App
from smsreceipt.cli.added import limit_option
from smsreceipt.cli.filters import filters, query_of
from smsreceipt.cli.options import cli_command, option


@cli_command("list", data=True)
@filters
@limit_option("At most N: in a table the newest (50 unless told), in json and csv, or with --after, the first.")
@option("-f", "--follow", is_flag=True, help="Go on printing what is new until stopped.")
@option("--raw-csv", is_flag=True, help="Leave fields that a spreadsheet takes for formulas as they are.")
@option("--no-body", is_flag=True, help="Leave out what the provider sent, in json and csv.")
def command(app: App, *, limit: int | None, follow: bool, raw_csv: bool, no_body: bool, **chosen: Any) -> None:
    """List receipts: the state of each message, call and review.

    One object per identity, ascending seq. Filters of one kind are alternatives, different ones must all hold.
    Times are those of sending, else of the report, else of arrival.
    """
    from smsreceipt.runs import listing

    query = query_of(app, chosen)
    listing.run(app, query, limit, follow=follow, raw_csv=raw_csv, body=not no_body, newest=chosen["after"] is None)
