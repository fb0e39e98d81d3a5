"""The command line: a table of commands, each in a module of its own that is imported when it is called for.

``smsreceipt --help`` reads the table alone, so it costs little more than importing click.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NoReturn, cast

import click

from smsreceipt import __version__
from smsreceipt.cli.options import Group

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Name -> where its ``command`` lives, and its short help (a test holds it equal to the command's own).
COMMANDS = {
    "pull": ("smsreceipt.cli.commands.pull", "Drain the queues: store, delete, show."),
    "listen": ("smsreceipt.cli.commands.listen", "Receive HTTP pushes: store, answer, show."),
    "replay": ("smsreceipt.cli.commands.replay", "Feed saved payloads into the store, or send them to a URL."),
    "query-details": ("smsreceipt.cli.commands.query_details", "Ask the provider for one day's send records."),
    "query-stats": ("smsreceipt.cli.commands.query_stats", "Ask the provider for its day totals, beside ours."),
    "reconcile": ("smsreceipt.cli.commands.reconcile", "Find what has no receipt, fetch it, report."),
    "sends": ("smsreceipt.cli.commands.sends", "Tell what was sent, so that what has no receipt can be found."),
    "list": ("smsreceipt.cli.commands.list", "List receipts: the state of each message, call and review."),
    "show": ("smsreceipt.cli.commands.show", "Show everything known about a message or a call."),
    "explain": ("smsreceipt.cli.commands.explain", "Explain a receipt code: what it means, what to do."),
    "status": ("smsreceipt.cli.commands.status", "Tell how the store is doing, and whether receipts still arrive."),
    "rejects": ("smsreceipt.cli.commands.rejects", "Look at what could not be decoded; retry or drop it."),
    "config": ("smsreceipt.cli.commands.config", "Show the effective configuration, or write a first one."),
    "completion": ("smsreceipt.cli.commands.completion", "Print the completion script of a shell."),
    "sandbox": ("smsreceipt.cli.commands.sandbox", "Run the provider's side on loopback, for tests and play."),
    "demo": ("smsreceipt.cli.commands.demo", "Show the whole story on loopback, without an account."),
}


class Tool(Group):
    """The program. Lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command's name, in the order of the table."""
        return [*COMMANDS]  # in this module, list is the command's module

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """The command itself, imported now; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the near misses of the table for a name that is unknown."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(name, possibilities=[*COMMANDS], ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """Write the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names from the table, so that a TAB imports no command."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


tool = Tool(
    "smsreceipt",
    help="Get every receipt of Alibaba Cloud SMS and number privacy, once, into a store you own.",
    epilog="Options may stand before or after the command's name. Exit codes and examples: README.",
    context_settings={"auto_envvar_prefix": "SMSRECEIPT"},
    params=[
        click.Option(
            ["--version"],
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
