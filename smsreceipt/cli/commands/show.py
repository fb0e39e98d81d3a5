"""`smsreceipt show`: everything about a message or a call."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import read_dash, refuse_empty
from smsreceipt.cli.options import cli_command


@cli_command("show", data=True)
@click.argument("subject", metavar="PHONE|BIZ_ID|OUT_ID|CALL_ID")
def command(app: App, subject: str) -> None:
    """Show everything known about a message or a call.

    What was sent and every statement about whatever carries this number or id, replies and calls included, in time
    order; on a terminal with the meaning of each code and what to do about it. It may be any number of a call (caller,
    callee, privacy number) and any id that `list` prints; of a BizId the part before ^ is enough. A - reads the number
    or id from standard input. Ends with 3 where nothing is found.

    \b
      smsreceipt show 13800000001
      smsreceipt show 900619746936498440^0 --json | jq -r .outcome
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import lookup

    words = read_dash(app, (subject,))
    refuse_empty(words, "PHONE|BIZ_ID|OUT_ID|CALL_ID")
    lookup.run(app, words)
