"""`smsreceipt explain`: what a code means, in every table that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The codes of all tables that begin with *incomplete*, with their meanings."""
    from click.shell_completion import CompletionItem

    from smsreceipt import codes

    folded = incomplete.casefold()
    return [
        CompletionItem(row["code"], help=row["meaning_en"])
        for file in codes.TABLES.values()
        for row in codes.rows(file)
        if row["code"].casefold().startswith(folded) and not row["code"].endswith("*")
    ]


@cli_command("explain", data=True)
@click.argument("code", metavar="CODE", shell_complete=_complete)
def command(app: App, code: str) -> None:
    """Explain a receipt code: what it means, what to do.

    CODE is what a receipt names (MOBILE_IN_BLACK, DELIVRD), the release cause of a call (16), or an error of the
    provider's API (isv.BUSINESS_LIMIT_CONTROL).
    """
    from smsreceipt.runs import explain

    explain.run(app, code)
