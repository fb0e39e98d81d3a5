"""`smsreceipt help`: what `COMMAND --help` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command
from smsreceipt.language import _

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete_word(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        named = context_of(ctx.params.get("words") or ())
    except click.UsageError:
        return []
    command = named.command
    names = command.list_commands(named) if isinstance(command, click.Group) else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@cli_command("help", data=True, reads_config=False)
@click.argument("words", metavar="[COMMAND]...", nargs=-1, shell_complete=_complete_word)
def command(app: App, words: tuple[str, ...]) -> None:
    """Show the help of a command.

    \b
      smsreceipt help pull
      smsreceipt help rejects retry
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    app.write(app.encode(f"{context_of(words).get_help()}\n"))


def context_of(words: Sequence[str]) -> click.Context:
    """The context of the command that *words* name; that of the program without any. Raises a usage error."""
    from smsreceipt.cli import tool

    context: click.Context = tool.context_class(tool, info_name="smsreceipt", **tool.context_settings)
    for word in words:
        group = context.command
        if not isinstance(group, click.Group):
            raise click.UsageError(_("{command} has no commands", command=context.command_path), context)
        name, found, _rest = group.resolve_command(context, [word])
        assert found is not None  # noqa: S101 - an unknown word has raised
        context = found.context_class(found, info_name=name, parent=context, **found.context_settings)
    return context
