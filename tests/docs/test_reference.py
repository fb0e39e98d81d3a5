"""The pages of reference hold the help of every command as the program prints it today, in both languages."""

import os
import re
import subprocess
import sys

import pytest

from smsreceipt.output.breaks import columns
from tests.docs import errors, pages, reference

languages = pytest.mark.parametrize("language", reference.LANGUAGES)


@languages
def test_the_reference_is_what_the_program_prints(language: str) -> None:
    assert pages.read(language, "reference") == reference.page(language), "run `make reference`"


@languages
def test_the_page_of_errors_has_every_error_of_the_sources(language: str) -> None:
    assert errors.path(language).read_text() == errors.page(language), "run `make reference`"


@languages
def test_every_command_has_its_help_once(language: str) -> None:
    text = pages.read(language, "reference")
    assert [words for level, words in pages.headings(text) if level == 2] == reference.titles(language)
    for command in reference.commands():
        assert reference.titles(language)[0] not in reference.own_help(command, language)


@languages
def test_the_help_fits_the_page(language: str) -> None:
    lines = pages.read(language, "reference").splitlines()
    unbreakable = re.compile(r" *(-|smsreceipt |用法：|Usage: )")
    assert [line for line in lines if columns(line) > reference.WIDTH and not unbreakable.match(line)] == []


def test_the_common_options_are_the_same_for_every_command() -> None:
    for command in reference.commands():
        if "--output FILE" in reference.own_help(command):  # writes a file: no -o json, and no --json
            named = re.findall(r"^  .*?--(\w[\w-]*)", reference.common_options(), re.MULTILINE)
            found = re.findall(r"^  .*?--(\w[\w-]*)", reference.common_options(command), re.MULTILINE)
            assert found == [name for name in named if name not in {"output", "json"}], command
        else:
            assert reference.common_options(command) == reference.common_options(), command


@languages
def test_help_is_what_a_process_of_its_own_prints(language: str) -> None:
    command = [
        sys.executable,
        "-m",
        "smsreceipt",
        "rejects",
        "retry",
        "--help",
        "--lang",
        reference.LANGUAGES[language],
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMSRECEIPT_")}
    run = subprocess.run(
        command, env=environment | {"COLUMNS": str(reference.WIDTH)}, capture_output=True, text=True, check=True
    )
    assert run.stdout.rstrip() == reference.help_of("rejects retry", language)


def test_help_names_no_option_that_takes_a_secret() -> None:
    for command in reference.commands():
        assert not re.search(r"--[\w-]*(secret|token|password|access-key)\b(?!-)", reference.help_of(command)), command
