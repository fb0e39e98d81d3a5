"""The README tells what the program does today: its help, its exit codes, its reasons, its links."""

import os
import re
import subprocess
import sys

import click
import pytest

from smsreceipt import cli, errors
from smsreceipt.decode import KINDS
from smsreceipt.model import Reason
from tests import readme

TEXT = readme.README.read_text()
ENGLISH, CHINESE = TEXT.split("\n# 中文", 1)
languages = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["English", "Chinese"])


def walk(command: click.Command, name: str = "") -> list[str]:
    """The names of a command and of all beneath it; "" is the program itself."""
    names = [name] if name else []
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            names += walk(below, f"{name} {word}".strip())
    return names


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table that *head* begins, without its two top lines."""
    table = text[text.index(head) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def fences(text: str) -> list[str]:
    """Every fenced block but help and captures, its comments left out: they are in the reader's language."""
    text = re.sub(r"<!-- (help|capture).*?<!-- /\1 -->", "", text, flags=re.DOTALL)
    blocks = re.findall(r"^```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r"\s*(?<!\S)# .*", "", block) for block in blocks]


def test_help_blocks_are_what_the_program_prints() -> None:
    assert readme.filled(TEXT) == TEXT, "run `make readme`"


def test_every_command_has_its_help_once() -> None:
    assert sorted(readme.commands(TEXT)) == sorted(walk(cli.tool))


def test_help_is_what_a_process_of_its_own_prints() -> None:
    command = [sys.executable, "-m", "smsreceipt", "rejects", "retry", "--help"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMSRECEIPT_")}
    run = subprocess.run(
        command, env=environment | {"COLUMNS": str(readme.WIDTH)}, capture_output=True, text=True, check=True
    )
    assert run.stdout.rstrip() == readme.help_of("rejects retry")


def test_help_names_no_option_that_takes_a_secret() -> None:
    for command in walk(cli.tool):
        assert not re.search(r"--[\w-]*(secret|token|password|access-key)\b(?!-)", readme.help_of(command)), command


@languages
def test_exit_codes_are_those_of_the_program(text: str) -> None:
    told = [
        int(code)
        for row in rows(text, "| Code |" if text is ENGLISH else "| 退出码 |")
        for code in re.findall(r"\d+", row[0])
    ]
    ours = [error for error in vars(errors).values() if isinstance(error, type)]
    raised = {error.exit_code for error in ours if issubclass(error, errors.SmsReceiptError)}
    assert told == [0, 1, 2, 3, 4, 5, 6, 7, 8, 129, 130, 143, 141]
    assert raised <= set(told)


@languages
def test_reject_reasons_are_the_closed_list(text: str) -> None:
    told = [row[0].strip("`") for row in rows(text, "| Reason |" if text is ENGLISH else "| 原因 |")]
    assert told == [reason.value for reason in Reason]


def test_both_languages_tell_the_same() -> None:
    assert fences(CHINESE) == fences(ENGLISH)
    for mark in ("## ", "### "):
        assert len(re.findall(f"^{mark}", CHINESE, re.MULTILINE)) == len(re.findall(f"^{mark}", ENGLISH, re.MULTILINE))
    assert CHINESE.count("\n|") == ENGLISH.count("\n|")


@languages
def test_message_types_are_those_that_are_known(text: str) -> None:
    told = [row[0].strip("`") for row in rows(text, "| Kind |" if text is ENGLISH else "| 类型 |")]
    assert sorted(told) == sorted(KINDS)


@languages
def test_every_command_has_an_example(text: str) -> None:
    examples = "".join(fences(text))
    for command in cli.COMMANDS:
        assert f"smsreceipt {command}" in examples, command


def test_links_inside_the_readme_lead_somewhere() -> None:
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)", prose, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("http"):
            assert (readme.README.parent / target).exists(), target
