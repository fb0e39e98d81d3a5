"""`smsreceipt forget`: a person's right."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli.confirm import confirm
from smsreceipt.cli.filters import read_dash
from smsreceipt.cli.options import cli_command, option
from smsreceipt.errors import UsageError
from smsreceipt.language import _


@cli_command("forget")
@click.argument("phones", nargs=-1, metavar="PHONE...|-")
@option("--dry-run", is_flag=True, help="Print what would be deleted; write nothing.", in_template=False)
@option("--yes", is_flag=True, help="Do not ask.", in_template=False)
@option("--compact", is_flag=True, help="Write the store anew in any case; nobody can write meanwhile.")
@option("--again", is_flag=True, help="Let what is about these numbers be stored again.", in_template=False)
@option("--log", is_flag=True, help="Print what was forgotten when, without numbers.", in_template=False)
def command(
    app: App, phones: tuple[str, ...], *, dry_run: bool, yes: bool, compact: bool, again: bool, log: bool
) -> None:
    """Delete everything that carries a phone number, for good.

    In any field and any form: messages, calls, replies, sends, rejects, notes. Nothing of it is left in the files of
    the store, and what is older is not stored again when it comes again. A copy for the person: show PHONE --json.
    With - the numbers come from standard input, separated by blanks, commas or lines:
    other users can see arguments.

    \b
      smsreceipt forget 13800008000 --dry-run
      smsreceipt forget - --yes < numbers.txt
      smsreceipt forget --log
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import forget
    from smsreceipt.runs.masked import separate_numbers

    if dry_run + again + log > 1:
        raise UsageError(_("--dry-run, --again and --log are three things"))
    numbers = forget.numbers_in(separate_numbers(read_dash(app, phones))) if phones or not log else []
    if log:
        forget.log(app, numbers)
    elif again:
        forget.lift(app, numbers)
    elif dry_run:
        forget.plan(app, numbers)
    else:
        ask = None if yes else lambda question: confirm(app, question, to="delete")
        forget.run(app, numbers, compact=compact, confirm=ask)
