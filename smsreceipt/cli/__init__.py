"""The command line: a table of commands, each in a module of its own that is imported when the command is used.

``smsreceipt --help`` only reads the table, so it takes little longer than to import click.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NoReturn, cast

import click

from smsreceipt import __version__
from smsreceipt.cli.options import Group
from smsreceipt.cli.translated import translated_items
from smsreceipt.language import _

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Names of commands with their short help; a test compares it with the commands' own.
COMMANDS = {
    "pull": "Drain the queues: store, delete, show.",
    "listen": "Receive HTTP pushes: store, answer, show.",
    "replay": "Feed saved payloads into the store, or send them to a URL.",
    "query-details": "Ask the provider for one day's send records.",
    "query-stats": "Ask the provider for its day totals, beside ours.",
    "reconcile": "Find what has no receipt, fetch it, report.",
    "sends": "Tell what was sent, so that what has no receipt can be found.",
    "stats": "Tell what happened: rates, latency, reasons, and what is unusual.",
    "report": "Write a report: the figures of a day as one HTML page.",
    "list": "List receipts: the state of each message, call and review.",
    "show": "Show everything known about a message or a call.",
    "explain": "Explain a receipt code: what it means, what to do.",
    "status": "Tell how the store is doing, and whether receipts still arrive.",
    "export": "Write receipts, sends or figures to files: ndjson, csv, xlsx, parquet.",
    "doctor": "Find what is set up wrong, and say what to do about it.",
    "check": "Check that the store is whole, and that everything in it is what the receipts say.",
    "outages": "Find when receipts did not come, and tell what compensates.",
    "watch": "Watch for what is wrong, print each change once, and tell robots.",
    "forward": "Hand receipts on: every new statement, in the order of seq, at least once.",
    "recordings": "List the recordings of calls; fetch them in time.",
    "forget": "Delete everything that carries a phone number, for good.",
    "prune": "Delete receipts that are older than they need be kept.",
    "rejects": "Look at what could not be decoded; retry or drop it.",
    "store": "Look after the store: its facts, upgrades, copies.",
    "config": "Show the effective configuration; write a first one, units and cron lines.",
    "completion": "Print the completion script of a shell.",
    "help": "Show the help of a command.",
    "sandbox": "Run the provider's side on loopback, for tests and play.",
    "demo": "Show the whole story on loopback, without an account.",
}


class Tool(Group):
    """The program; lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command's name, in the order of the table."""
        return [*COMMANDS]  # in this module, list is the command's module

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Import the command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"smsreceipt.cli.commands.{cmd_name.replace('-', '_')}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but for an unknown name suggest similar names of the table."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(name, possibilities=[*COMMANDS], ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """Write the table."""
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(text)) for name, text in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, without importing commands."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=_(text)) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + translated_items(click.Command.shell_complete(self, ctx, incomplete))


tool = Tool(
    "smsreceipt",
    help="Get every receipt of Alibaba Cloud SMS and number privacy, once, into a store you own.",
    epilog="Options may stand before or after the command's name. Exit codes and examples: README.",
    context_settings={"auto_envvar_prefix": "SMSRECEIPT"},
    params=[
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Print the version and exit.",
            callback=lambda ctx, _param, value: _version(ctx) if value else None,
        )
    ],
)


def _version(ctx: click.Context) -> NoReturn:
    click.echo(f"smsreceipt {__version__}")
    ctx.exit()
