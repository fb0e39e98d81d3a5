"""`smsreceipt report`: the figures of some days as an HTML page."""

from __future__ import annotations

from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.days import day_options, days
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.question import comparison_options, question_of


@cli_command("report", like="stats")
@click.argument("file", required=False, type=click.Path(allow_dash=True))
@day_options
@comparison_options
@option("--title", metavar="TEXT", help="A heading of your own.", example="Acme SMS")
@option("--no-data", is_flag=True, help="Leave out the object of stats --json, which is in the page as data.")
@option("--open", is_flag=True, help="Open the page in a browser.", in_template=False)
def command(app: App, *, file: str | None, **chosen: Any) -> None:
    """Write a report: the figures of a day as one HTML page.

    To FILE, a folder, or - for standard output; unless told to report-DAY.html in the current folder. The page has both
    languages, no script and no phone number, and loads nothing: it can be sent by mail and printed. Only you can read
    the file.

    \b
      smsreceipt report
      smsreceipt report --date 2026-11-20 --open
      smsreceipt report --from 7d --lang en weekly.html
      smsreceipt report - | mail -a 'Content-Type: text/html' -s SMS boss@example.com
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import report

    report.run(
        app,
        question_of(days(app, chosen, default="yesterday"), chosen),
        report.Options(
            file=file,
            title=chosen["title"] or "",
            data=not chosen["no_data"],
            show=chosen["open"],
            prefixes=chosen["prefixes"],
        ),
    )
