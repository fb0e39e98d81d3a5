"""Writes docs/en/reference.md and docs/zh-CN/reference.md from what every command's --help prints.

`python -m tests.docs.reference` writes, the tests compare. Nobody edits these pages by hand.
"""

import os
import re
from functools import cache

import click
from click.testing import CliRunner

from smsreceipt import cli, language
from smsreceipt.cli.translated import translate_click
from tests.docs import pages

LANGUAGES = {"en": language.ENGLISH, "zh-CN": language.CHINESE}
WIDTH = 100
_SECTION = {"en": "Common options", "zh-CN": "通用选项"}
_COMMON = re.compile(r"^(?:Common options:|通用选项：)\n(?:  .*\n?)+\n?", re.MULTILINE)
_HEAD = {
    "en": """\
# Reference

**English** · [中文](../zh-CN/reference.md)

What `smsreceipt COMMAND --help` prints; `make reference` writes this page.
""",
    "zh-CN": """\
# 命令参考

[English](../en/reference.md) · **中文**

即 `smsreceipt --lang zh COMMAND --help` 的输出；本页由 `make reference` 生成。
""",
}


def commands(command: click.Command = cli.tool, name: str = "") -> list[str]:
    """The names of a command and of all its subcommands; "" is the program itself."""
    names = [name]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            subcommand = command.get_command(context, each)
            assert subcommand is not None
            names += commands(subcommand, f"{name} {each}".strip())
    return names


@cache
def help_of(command: str, locale: str = "en") -> str:
    """What `smsreceipt COMMAND --help` prints in that language on a terminal of WIDTH columns."""
    unset = dict.fromkeys(name for name in os.environ if name.startswith("SMSRECEIPT_"))
    translate_click()
    with language.using(LANGUAGES[locale]):
        # click leaves two columns free at the right.
        run = CliRunner().invoke(
            cli.tool, [*command.split(), "--help"], prog_name="smsreceipt", env=unset, terminal_width=WIDTH - 2
        )
    assert run.exit_code == 0, run.output
    return run.stdout.rstrip()


def common_options(command: str = "", locale: str = "en") -> str:
    """The section of a command's help that is the same for every command."""
    [section] = _COMMON.findall(help_of(command, locale))
    return str(section).rstrip()


def own_help(command: str, locale: str = "en") -> str:
    """A command's help without the common options."""
    return _COMMON.sub("", help_of(command, locale)).rstrip()


def titles(locale: str) -> list[str]:
    """The headings of the page: the common options, then each command."""
    return [_SECTION[locale], *(f"smsreceipt {command}".strip() for command in commands())]


def page(locale: str) -> str:
    """The whole page of a language, "en" or "zh-CN": the common options once, then each command's own help."""
    texts = [common_options(locale=locale), *(own_help(command, locale) for command in commands())]
    sections = zip(titles(locale), texts, strict=True)
    return _HEAD[locale] + "".join(f"\n## {title}\n\n```console\n{text}\n```\n" for title, text in sections)


if __name__ == "__main__":
    for each in LANGUAGES:
        pages.path(each, "reference").write_text(page(each))
