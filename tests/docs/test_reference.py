"""docs/reference.md holds the help of every command as the program prints it today."""

import os
import re
import subprocess
import sys

import pytest

from tests.docs import errors, pages, reference


def test_the_reference_is_what_the_program_prints() -> None:
    assert reference.REFERENCE.read_text() == reference.page(), "run `make reference`"


@pytest.mark.parametrize("language", errors.LANGUAGES)
def test_the_page_of_errors_has_every_error_of_the_sources(language: str) -> None:
    assert errors.path(language).read_text() == errors.page(language), "run `make reference`"


def test_every_command_has_its_help_once() -> None:
    titles = [words for level, words in pages.headings(reference.REFERENCE.read_text()) if level == 2]
    assert titles == ["Common options", *(f"smsreceipt {command}".strip() for command in reference.commands())]


def test_the_common_options_are_the_same_for_every_command() -> None:
    for command in reference.commands():
        assert "Common options" not in reference.own_help(command)
        if "--output FILE" in reference.own_help(command):  # writes a file: no -o json, and no --json
            named = re.findall(r"^  .*?--(\w[\w-]*)", reference.common_options(), re.MULTILINE)
            found = re.findall(r"^  .*?--(\w[\w-]*)", reference.common_options(command), re.MULTILINE)
            assert found == [name for name in named if name not in {"output", "json"}], command
        else:
            assert reference.common_options(command) == reference.common_options(), command


def test_help_is_what_a_process_of_its_own_prints() -> None:
    command = [sys.executable, "-m", "smsreceipt", "rejects", "retry", "--help"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMSRECEIPT_")}
    run = subprocess.run(
        command, env=environment | {"COLUMNS": str(reference.WIDTH)}, capture_output=True, text=True, check=True
    )
    assert run.stdout.rstrip() == reference.help_of("rejects retry")


def test_help_names_no_option_that_takes_a_secret() -> None:
    for command in reference.commands():
        assert not re.search(r"--[\w-]*(secret|token|password|access-key)\b(?!-)", reference.help_of(command)), command
