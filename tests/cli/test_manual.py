"""Man pages: one for each command, with what its help says, and nothing that a formatter complains about."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from smsreceipt.cli.manual import pages
from tests.docs import reference

PAGES = pages()


def test_every_command_has_a_page() -> None:
    names = {f"smsreceipt {command}".strip().replace(" ", "-") + ".1" for command in reference.commands()}
    assert {*PAGES} == names


@pytest.mark.parametrize("command", reference.commands())
def test_a_page_has_every_option_of_the_help(command: str) -> None:
    page = PAGES[f"smsreceipt {command}".strip().replace(" ", "-") + ".1"]
    assert page.isascii()
    told = page.replace("\\-", "-")
    options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", reference.own_help(command), re.MULTILINE))
    assert options, command
    for option in options:
        assert re.search(rf"^\\fB.*{option}\b", told, re.MULTILINE), option
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"):
        assert f".SH {heading}\n" in page


def test_the_first_page_has_the_common_options_and_the_exit_codes() -> None:
    page = PAGES["smsreceipt.1"].replace("\\-", "-")
    for option in re.findall(r"--[\w-]+", reference.common_options()):
        assert option in page
    assert ".SH EXIT STATUS\n" in page


@pytest.mark.needs("groff")
def test_groff_has_nothing_to_say(tmp_path: Path) -> None:
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
        formatted = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", name], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (formatted.returncode, formatted.stderr) == (0, ""), name
        if mandoc := shutil.which("mandoc"):
            linted = subprocess.run([mandoc, "-Tlint", "-Werror", name], cwd=tmp_path, check=False)
            assert linted.returncode == 0, name


@pytest.mark.needs("groff")
def test_examples_can_be_copied_from_the_page(tmp_path: Path) -> None:
    (tmp_path / "page.1").write_text(PAGES["smsreceipt-pull.1"])
    shown = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-c", "page.1"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "  smsreceipt pull --uid 1234567890123456 --type SmsReport --type SmsUp\n" in shown
    assert "SMSRECEIPT_PULL_WORKERS" in shown
