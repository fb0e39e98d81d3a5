"""Writes docs/reference.md from what every command's --help prints.

`python -m tests.docs.reference` writes, the tests compare. Nobody edits that page by hand.
"""

import os
import re
from functools import cache

import click
from click.testing import CliRunner

from smsreceipt import cli
from tests.docs.pages import ROOT

REFERENCE = ROOT / "docs" / "reference.md"
WIDTH = 100
_COMMON = re.compile(r"^Common options:\n(?:  .*\n?)+\n?", re.MULTILINE)
_HEAD = """\
# Reference

What `smsreceipt COMMAND --help` prints; `make reference` writes this page. Guides:
[English](../README.md#documentation) · [中文](../README.zh-CN.md#文档).
"""


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
def help_of(command: str) -> str:
    """What `smsreceipt COMMAND --help` prints on a terminal of WIDTH columns."""
    unset = dict.fromkeys(name for name in os.environ if name.startswith("SMSRECEIPT_"))
    # click leaves two columns free at the right.
    run = CliRunner().invoke(
        cli.tool, [*command.split(), "--help"], prog_name="smsreceipt", env=unset, terminal_width=WIDTH - 2
    )
    assert run.exit_code == 0, run.output
    return run.stdout.rstrip()


def common_options(command: str = "") -> str:
    """The section of a command's help that is the same for every command."""
    [section] = _COMMON.findall(help_of(command))
    return str(section).rstrip()


def own_help(command: str) -> str:
    """A command's help without the common options."""
    return _COMMON.sub("", help_of(command)).rstrip()


def page() -> str:
    """The whole page: the common options once, then each command's own help."""
    sections = [("Common options", common_options())]
    sections += [(f"smsreceipt {command}".strip(), own_help(command)) for command in commands()]
    return _HEAD + "".join(f"\n## {title}\n\n```text\n{text}\n```\n" for title, text in sections)


if __name__ == "__main__":
    REFERENCE.write_text(page())
