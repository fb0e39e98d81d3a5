"""The next step after an error of usage: the option or the command that was meant."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import click

from smsreceipt.language import _
from smsreceipt.model.written import typed

#: Word processors make a dash of the two hyphens of an option, and Chinese keyboards full-width ones.
_WIDE_OPTION = re.compile("([-－‐‑‒–—―−]+)([A-Za-zＡ-Ｚａ-ｚ][^=＝]*)")
_ONE_HYPHEN = re.compile(r"-([A-Za-z][\w-]+)", re.ASCII)


def next_step(exc: click.ClickException, tool: click.Group, args: Sequence[str]) -> str:
    """The hint for an error of usage: the option or the command that was meant, else where the help is; "" for none.

    Suggestions of *exc* that miss the point are dropped.
    """
    context = getattr(exc, "ctx", None)
    if context is None:
        return ""
    words = [*itertools.takewhile(lambda word: word != "--", args)]
    if option := _wide_option(exc, context, words):
        if isinstance(exc, click.NoSuchCommand | click.NoSuchOption) and exc.possibilities:
            exc.possibilities.clear()
        return _("an option begins with the hyphens of ASCII: {option}", option=option)
    if isinstance(exc, click.NoSuchOption):
        for word in words:
            if (found := _ONE_HYPHEN.match(word)) and f"--{found[1]}" in _options(context):
                return _("such an option begins with two hyphens: {option}", option=f"--{found[1]}")
    if isinstance(exc, click.NoSuchCommand) and not exc.possibilities:
        if f"--{exc.command_name}" in _options(context):
            return f"{context.command_path} --{exc.command_name}"
        root = click.Context(tool, info_name=context.find_root().info_name, **tool.context_settings)
        paths = [*_commands_called(exc.command_name, root)]
        if len(paths) == 1:
            return f"{paths[0]} --help"
    return f"{context.command_path} --help"


def _wide_option(exc: click.ClickException, context: click.Context, words: Sequence[str]) -> str:
    """The option that one of the words is meant to be, which begins with other characters than ASCII's."""
    for word in words:
        found = _WIDE_OPTION.match(word)
        if isinstance(exc, click.NoSuchOption) and not word.startswith("-"):
            continue  # click did not take this word for an option
        if found and not found[0].isascii():
            name = typed(found[2])
            option = f"-{name}" if len(name) == 1 else f"--{name}"
            if option in _options(context) or (isinstance(exc, click.NoSuchCommand) and exc.command_name == word):
                return option
    return ""


def _options(context: click.Context) -> set[str]:
    return {name for param in context.command.get_params(context) for name in param.opts}


def _commands_called(name: str, context: click.Context) -> Iterator[str]:
    """The command lines of the subcommands of this name, anywhere in the program."""
    group = context.command
    assert isinstance(group, click.Group)  # noqa: S101 - the callers pass groups only
    for each in group.list_commands(context):
        found = group.get_command(context, each)
        if found is not None and not found.hidden:
            inner = click.Context(found, info_name=each, parent=context)
            if each == name:
                yield inner.command_path
            if isinstance(found, click.Group):
                yield from _commands_called(name, inner)
