"""Help and Click's own messages in the user's language.

The English texts of the commands are the message ids: a paragraph of a help text, the help of an option. Examples stay.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from smsreceipt.language import _, is_chinese, translation

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERBATIM = "\b"  # click's mark of a paragraph whose lines stay as they are
#: The modules whose messages a user of this program can see.
CLICK = ("core", "exceptions", "formatting", "parser", "termui", "types")


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text, each in one line; those that stay as they are begin with VERBATIM."""
    for paragraph in inspect.cleandoc(text).partition("\f")[0].split("\n\n"):
        yield paragraph if paragraph.startswith(VERBATIM) else " ".join(paragraph.split())


def help_text(command: click.Command) -> str:
    """The help of a command in the user's language."""
    english = command.help or ""
    if not is_chinese():
        return inspect.cleandoc(english).partition("\f")[0]
    if made := getattr(command, "chinese_help", None):
        return str(made()).rstrip()
    return "\n\n".join(each if each.startswith(VERBATIM) else _(each) for each in paragraphs(english))


def short_help(command: click.Command) -> str:
    """The first sentence of the help in Chinese."""
    sentence, stop, _rest = next(iter(help_text(command).split("\n\n")), "").partition("。")
    return sentence + stop


def record(param: click.Parameter, ctx: click.Context) -> tuple[str, str] | None:
    """The names of a parameter and its help in the user's language; None for a hidden one."""
    found = param.get_help_record(ctx)
    text: str = getattr(param, "help", None) or ""
    if found is None or not text or not found[1].startswith(text):
        return found
    message = " ".join(text.split())
    return found[0], _(message) + _more(found[1][len(text) :]) if is_chinese() else found[1]


def _more(brackets: str) -> str:
    """What click adds to the help of an option, in Chinese."""
    return brackets.replace("; ", "；").replace("required]", "必填]").replace(", ", "、")


class ChineseFormatter(click.HelpFormatter):
    """Wraps Chinese by the columns that it takes on a terminal, between any two characters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:  # noqa: ARG002 - click's
        """Write the line of usage."""
        super().write_usage(prog, args, _("Usage:"))

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        self.write(f"{' ' * self.current_indent}{heading}：\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        from smsreceipt.output.breaks import lines

        indent = " " * self.current_indent
        written = []
        for paragraph in text.split("\n\n"):
            verbatim = paragraph.startswith(VERBATIM)
            each = paragraph.split("\n")[1:] if verbatim else lines(paragraph, self.width - self.current_indent)
            written.append("\n".join(f"{indent}{line}" for line in each))
        self.write("\n\n".join(written) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and what is told of them in two columns."""
        from smsreceipt.output.breaks import columns, lines

        listed = [*rows]
        column = min(max((columns(name) for name, _told in listed), default=0), col_max) + col_spacing
        margin = " " * self.current_indent
        for name, told in listed:
            first, *others = lines(told, max(self.width - column - 2, 10)) or [""]
            below = margin + " " * column
            gap = " " * (column - columns(name)) if columns(name) <= column - col_spacing else f"\n{below}"
            self.write(f"{margin}{name}{gap}{first}".rstrip() + "\n")
            self.write("".join(f"{below}{line}\n" for line in others))


class Context(click.Context):
    """A context whose help is written as the user's language is."""

    def make_formatter(self) -> click.HelpFormatter:
        """What writes the help."""
        made = ChineseFormatter if is_chinese() else click.HelpFormatter
        return made(width=self.terminal_width, max_width=self.max_content_width)


def translated_items(items: list[CompletionItem]) -> list[CompletionItem]:
    """What a shell offers, with its help in the user's language."""
    for each in items:
        each.help = each.help and _(each.help)
    return items


class Sections(click.Command):
    """A command whose help is in the user's language, its own options first, then the common options."""

    context_class = Context

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the help itself."""
        if text := help_text(self):
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(text)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """Write what stands below."""
        if self.epilog:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(_(self.epilog))

    def get_short_help_str(self, limit: int = 45) -> str:
        """The line of the command in a table of commands."""
        return short_help(self) if is_chinese() else super().get_short_help_str(limit)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As in click, with the help of options in the user's language."""
        return translated_items(super().shell_complete(ctx, incomplete))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two sections."""
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            told = record(param, ctx)
            if told is not None and any(told[1:]):  # the usage names the arguments; of most there is no more to tell
                (shared if getattr(param, "common", False) else own).append(told)
        for title, records in ((_("Options"), own), (_("Common options"), shared)):
            with formatter.section(title):
                formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


def translate_click() -> None:
    """Have Click's own messages translated too. Its gettext asks the locale of the process alone, not --lang."""
    for name in CLICK:
        module = importlib.import_module(f"click.{name}")
        if hasattr(module, "_"):
            module._ = _  # type: ignore[attr-defined]
        if hasattr(module, "ngettext"):
            module.ngettext = _plural  # type: ignore[attr-defined]


def usage_message(exc: click.ClickException) -> str:
    """Click's message in the user's language, in one line: click itself adds a full stop, blanks and line ends."""
    told = " ".join(exc.format_message().split())
    if not is_chinese():
        return told
    if isinstance(exc, click.MissingParameter):
        head, dot, choices = told.partition(". ")
        told = f"{head.removesuffix('.')}。{choices.replace(', ', '、')}" if dot else f"{told.removesuffix('.')}。"
    for english, chinese in (("integer", "整数"), ("float", "数字")):
        told = re.sub(f"不是有效的 {english}( range)?", f"不是有效的{chinese}", told)
    return told.replace("。 （", "（").replace("： ", "：").replace("） ", "）").replace("', '", "'、'")


def _plural(one: str, many: str, n: int) -> str:
    found = translation(one) if is_chinese() else None
    return found or (one if n == 1 else many)
