"""Man pages of all commands, made from the same texts as their help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

import click

from smsreceipt import __version__
from smsreceipt.cli import tool
from smsreceipt.cli.options import Option

_EXITS = {
    "0": "Done.",
    "1": "A bug; with --debug it prints where.",
    "2": "The command line or the configuration is not valid.",
    "3": "Done, but a person should look; standard error says at what.",
    "4": "The provider refused the key, the right or the clock.",
    "5": "The provider, or a receiver, cannot be reached: run it again.",
    "6": "The store is locked, full or cannot be written, or standard output is full.",
    "7": "The store is damaged, or newer than this program.",
    "8": "There is no such queue.",
    "129, 130, 143": "Stopped by a signal.",
    "141": "The reader of standard output is gone.",
}
_VERBATIM = "\b"  # click's mark of a paragraph whose lines stay as they are


def pages() -> Mapping[str, str]:
    """The pages by their file names: smsreceipt.1, smsreceipt-pull.1, smsreceipt-rejects-retry.1 and so on."""
    root = click.Context(tool, info_name="smsreceipt", **tool.context_settings)
    return {f"{_name(ctx)}.1": "\n".join(_page(ctx)) + "\n" for ctx in _contexts(root)}


def _contexts(ctx: click.Context) -> Iterator[click.Context]:
    """The context of a command and those of all its commands."""
    yield ctx
    for name, command in _commands(ctx):
        yield from _contexts(click.Context(command, info_name=name, parent=ctx, **command.context_settings))


def _commands(ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            found = ctx.command.get_command(ctx, name)
            if found is not None and not found.hidden:
                yield name, found


def _name(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def _page(ctx: click.Context) -> Iterator[str]:
    command, name = ctx.command, _name(ctx)
    yield f'.TH {_text(name.upper())} 1 "" "smsreceipt {_text(__version__)}" "User Commands"'
    yield from (".nh", ".ad l")  # no hyphens in the names of variables
    yield from (".SH NAME", f"{_text(name)} \\- {_text(command.get_short_help_str(200).rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_text(ctx.command_path)}", _text(" ".join(command.collect_usage_pieces(ctx))))
    yield from (".SH DESCRIPTION", *_paragraphs(inspect.cleandoc(command.help or "")))
    yield from _options("OPTIONS", ctx, common=False)
    commands = [*_commands(ctx)]
    if commands:
        yield ".SH COMMANDS"
        for each, found in commands:
            yield from _entry(f"{name}-{each}(1)", found.get_short_help_str(200))
    if ctx.parent is None:
        yield from _options("COMMON OPTIONS", ctx, common=True)
        yield from (".SH EXIT STATUS", *(line for code, told in _EXITS.items() for line in _entry(code, told)))
    yield from (".SH SEE ALSO", _text(", ".join(_related(ctx))))


def _related(ctx: click.Context) -> list[str]:
    """The pages to read next: for a command, those of its groups."""
    if ctx.parent is None:
        return [f"{_name(ctx)}-{name}(1)" for name, _ in _commands(ctx)]
    names = []
    while ctx.parent is not None:
        ctx = ctx.parent
        names.append(f"{_name(ctx)}(1)")
    return names


def _options(title: str, ctx: click.Context, *, common: bool) -> Iterator[str]:
    params = [each for each in ctx.command.get_params(ctx) if common == (isinstance(each, Option) and each.common)]
    records = [record for record in (each.get_help_record(ctx) for each in params) if record is not None]
    if records or not common:
        yield f".SH {title}"
        for names, told in records:
            yield from _entry(names, told)
    if not common and ctx.parent is not None:
        yield from (".PP", "And the common options: see", ".BR smsreceipt (1).")


def _entry(head: str, told: str) -> Iterator[str]:
    yield from (".TP", f"\\fB{_text(head)}\\fR", _text(" ".join(told.split())))


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a help text; examples stay as they are written."""
    for number, paragraph in enumerate(text.split("\n\n")):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip(" ") == _VERBATIM:
            yield from (".PP", ".nf", *(_text(line) for line in lines[1:]), ".fi")
        else:
            yield from [".PP"] * bool(number)
            yield _text(" ".join(" ".join(lines).split()))


def _text(text: str) -> str:
    """The text as roff prints it: no backslash, hyphen or beginning of a line acts; ASCII only."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    shown = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in shown)
    return f"\\&{shown}" if shown.startswith(".") else shown
