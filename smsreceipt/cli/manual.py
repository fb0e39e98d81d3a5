"""Man pages of all commands, made from the same texts as their help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from smsreceipt import __version__, language
from smsreceipt.cli import tool
from smsreceipt.cli.options import Option
from smsreceipt.cli.translated import VERBATIM, help_text, record, translate_click
from smsreceipt.language import N_, _
from smsreceipt.output.breaks import breakable

#: Where man looks for the pages of a language.
FOLDERS = {language.ENGLISH: "share/man/man1", language.CHINESE: "share/man/zh_CN/man1"}
_EXITS = {
    "0": N_("Done."),
    "1": N_("A bug; with --debug it prints where."),
    "2": N_("The command line or the configuration is not valid."),
    "3": N_("Done, but a person should look; standard error says at what."),
    "4": N_("The provider refused the key, the right or the clock."),
    "5": N_("The provider, or a receiver, cannot be reached: run it again."),
    "6": N_("The store is locked, full or cannot be written, or standard output is full."),
    "7": N_("The store is damaged, or newer than this program."),
    "8": N_("There is no such queue."),
    "129, 130, 143": N_("Stopped by a signal."),
    "141": N_("The reader of standard output is gone."),
}


def pages(chosen: str = language.ENGLISH) -> Mapping[str, str]:
    """The pages by their file names: smsreceipt.1, smsreceipt-pull.1, smsreceipt-rejects-retry.1 and so on.

    *chosen*: their language, "en" or "zh". The English pages are ASCII, the Chinese ones UTF-8.
    """
    translate_click()
    with language.using(chosen):
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
    manual = _text(_("User Commands"))
    yield f'.TH {_text(name.upper())} 1 "" "smsreceipt {_text(__version__)}" "{manual}"'
    yield from (".nh", ".ad l")  # no hyphens in the names of variables
    yield from (_section(_("NAME")), f"{_text(name)} \\- {_text(command.get_short_help_str(200).rstrip('.。'))}")
    yield from (_section(_("SYNOPSIS")), f".B {_text(ctx.command_path)}")
    yield _text(" ".join(command.collect_usage_pieces(ctx)))
    yield from (_section(_("DESCRIPTION")), *_paragraphs(help_text(command)))
    yield from _options(_("OPTIONS"), ctx, common=False)
    commands = [*_commands(ctx)]
    if commands:
        yield _section(_("COMMANDS"))
        for each, found in commands:
            yield from _entry(f"{name}-{each}(1)", found.get_short_help_str(200))
    if ctx.parent is None:
        yield from _options(_("COMMON OPTIONS"), ctx, common=True)
        yield _section(_("EXIT STATUS"))
        for code, told in _EXITS.items():
            yield from _entry(code, _(told))
    yield from (_section(_("SEE ALSO")), _prose(language.listed(_related(ctx))))


def _section(title: str) -> str:
    return f".SH {_text(title)}"


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
    records = [found for found in (record(each, ctx) for each in params) if found is not None]
    if records or not common:
        yield _section(title)
        for names, told in records:
            yield from _entry(names, told)
    if not common and ctx.parent is not None:
        yield from (".PP", _prose(_("And the common options: see {page}.", page="smsreceipt(1)")))


def _entry(head: str, told: str) -> Iterator[str]:
    yield from (".TP", f"\\fB{_text(head)}\\fR", _prose(" ".join(told.split())))


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a help text; examples stay as they are written."""
    for number, paragraph in enumerate(text.split("\n\n")):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip(" ") == VERBATIM:
            yield from (".PP", ".nf", *(_text(line) for line in lines[1:]), ".fi")
        else:
            yield from [".PP"] * bool(number)
            yield _prose(" ".join(" ".join(lines).split()))


def _prose(text: str) -> str:
    """A text that may be broken between Chinese characters: roff would break it at blanks only.

    The macros for Chinese that man loads do not break after a comma, and groff 1.22 hangs at a line without a break.
    """
    places = [at for at in range(1, len(text)) if breakable(text[at - 1], text[at]) and not text[at - 1].isspace()]
    return "\\:".join(_text(text[a:b]) for a, b in zip([0, *places], [*places, len(text)], strict=True))


def _text(text: str) -> str:
    """The text as roff prints it: no backslash, hyphen or beginning of a line acts; in English, ASCII only."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    if not language.is_chinese():
        shown = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in shown)
    return f"\\&{shown}" if shown.startswith(".") else shown
