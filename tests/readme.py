"""Writes what every command's --help prints into README.md, between its <!-- help: NAME --> marks.

`python -m tests.readme` writes; the tests compare. Nobody edits these blocks by hand.
"""

import os
import re
from functools import cache
from pathlib import Path

from click.testing import CliRunner

from smsreceipt import cli

README = Path(__file__).parent.parent / "README.md"
WIDTH = 100
_BLOCK = re.compile(r"(<!-- help:(?P<command>[ a-z-]*)-->\n).*?(<!-- /help -->)", re.DOTALL)


def commands(text: str) -> list[str]:
    """The commands that have a help block in *text*, in its order; "" is the program itself."""
    return [block["command"].strip() for block in _BLOCK.finditer(text)]


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


def filled(text: str) -> str:
    """*text* with every help block as the program prints it today, folded until the reader opens it."""

    def block(found: re.Match[str]) -> str:
        command = found["command"].strip()
        title = f"<details><summary>smsreceipt {command} --help</summary>"
        return f"{found[1]}{title}\n\n```text\n{help_of(command)}\n```\n\n</details>\n{found[3]}"

    return _BLOCK.sub(block, text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
