"""`smsreceipt reconcile`: compare sends with receipts, and fetch those that are missing."""

from __future__ import annotations

from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.days import day_options, days
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import Duration, Part
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import WHOLE


@cli_command("reconcile")
@day_options
@option("--min-age", type=Duration(), default="3h", show_default=True, metavar="AGE", help="Ask about nothing younger.")
@option("--dry-run", is_flag=True, help="Ask nobody: tell how many calls it takes, and how long.")
@option(
    "--qps",
    type=click.FloatRange(0.1, 5000),
    default=50,
    show_default=True,
    metavar="N",
    help="Calls a second; the provider allows an account 5000.",
)
@option("--workers", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N", help="Calls at once.")
@option(
    "--details",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    example="details.ndjson",
    help="Write an object per send: its class, what was learnt, days left.",
)
@option("--fail-on-missing", is_flag=True, help="End with 3 when any is left whose end nobody knows.")
@option(
    "--share",
    type=Part(),
    metavar="I/N",
    help="Only share I of N of the numbers: N machines divide the days.",
    example="1/4",
)
@option("--totals", is_flag=True, help="Compare only the sums of the days; needs no list of what was sent.")
@option("--no-totals", is_flag=True, help="Leave out the provider's total: the list is not meant to be whole.")
@option("--calls", is_flag=True, help="List calls through privacy numbers whose end was never reported.")
def command(app: App, **chosen: Any) -> None:
    """Find what has no receipt, fetch it, report.

    Compares what was sent (smsreceipt sends import) with the receipts in the store, asks the provider about what is
    missing with the fewest calls, and stores what it answers. Stop it at any time and run it again: it goes on where
    it was. Days are Beijing's; the provider answers for 30 days back. A day of which the list has no send, or fewer
    billed parts than the provider counts (provider_total, unlisted), is told, and ends with 3.

    \b
      smsreceipt reconcile --date yesterday
      smsreceipt reconcile --from 2026-11-01 --to 2026-11-20 --dry-run --json
      smsreceipt reconcile --date yesterday --share 1/4
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    first, last = days(app, chosen)
    if chosen["totals"] and chosen["no_totals"]:
        raise UsageError(_("--totals and --no-totals exclude each other"))
    if chosen["share"] and (chosen["totals"] or chosen["calls"]):
        raise UsageError(_("--share divides the numbers: it cannot go with --totals or --calls"))
    if chosen["calls"]:
        from smsreceipt.runs import call_gaps

        call_gaps.run(app, first, last, min_age=chosen["min_age"], fail_on_missing=chosen["fail_on_missing"])
    else:
        from smsreceipt.runs import reconcile

        names = ("min_age", "dry_run", "qps", "workers", "details", "fail_on_missing")
        options = reconcile.Options(
            **{name: chosen[name] for name in names},
            provider_total=not chosen["no_totals"],
            share=chosen["share"] or WHOLE,
        )
        reconcile.run(app, first, last, options, totals=chosen["totals"])
