"""Commands that do something themselves and have subcommands beside."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import click

from smsreceipt.cli.options import Command


class CommandGroup(Command, click.Group):
    """A command with options of its own that also has subcommands: without one of these, it runs itself."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, invoke_without_command=True, **attrs)


def cli_group(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], CommandGroup]:
    """As cli_command, for a command that gets subcommands; the function is not called for these."""

    def wrap(function: Callable[..., Any]) -> CommandGroup:
        def alone(ctx: click.Context, /, **chosen: Any) -> None:
            if ctx.invoked_subcommand is None:
                function(ctx.obj, **chosen)

        update_wrapper(alone, function)
        made = click.command(name, cls=CommandGroup, **attrs)(click.pass_context(alone))
        assert isinstance(made, CommandGroup)  # noqa: S101
        return made

    return wrap
