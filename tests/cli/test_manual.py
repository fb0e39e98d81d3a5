"""Man pages: one for each command, with what its help says, and nothing that a formatter complains about."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from smsreceipt.cli.manual import FOLDERS, pages
from smsreceipt.language import CHINESE, ENGLISH, using
from smsreceipt.output.breaks import columns
from tests.docs import reference

PAGES = {language: pages(language) for language in FOLDERS}
HEADINGS = {
    ENGLISH: ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"),
    CHINESE: ("名称", "概述", "描述", "选项", "参见"),
}
#: What man has groff load.
MACROS = {ENGLISH: ["-Tutf8"], CHINESE: ["-Tutf8", "-mzh"]}
languages = pytest.mark.parametrize("language", FOLDERS)


def file(command: str) -> str:
    """The name of the page of a command."""
    return f"smsreceipt {command}".strip().replace(" ", "-") + ".1"


def formatted(folder: Path, pages: Mapping[str, str], *options: str, width: int = 78) -> str:
    """What man shows of these pages; fails where groff says something. What it loads for a language man decides."""
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = ["groff", "-man", *options, "-Kutf8", "-ww", "-P-cbou", f"-rLL={width}n", *pages]
    run = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


@languages
def test_every_command_has_a_page(language: str) -> None:
    assert {*PAGES[language]} == {file(command) for command in reference.commands()}


@languages
@pytest.mark.parametrize("command", reference.commands())
def test_a_page_has_every_option_of_the_help(command: str, language: str) -> None:
    page = PAGES[language][file(command)]
    assert page.isascii() == (language == ENGLISH)
    told = page.replace("\\-", "-")
    options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", reference.own_help(command), re.MULTILINE))
    assert options, command
    for option in options:
        assert re.search(rf"^\\fB.*{option}\b", told, re.MULTILINE), option
    for heading in HEADINGS[language]:
        assert f".SH {heading}\n" in page


@languages
def test_the_first_page_has_the_common_options_and_the_exit_codes(language: str) -> None:
    page = PAGES[language]["smsreceipt.1"].replace("\\-", "-")
    for option in re.findall(r"--[\w-]+", reference.common_options()):
        assert option in page
    assert {ENGLISH: ".SH EXIT STATUS\n", CHINESE: ".SH 退出状态\n"}[language] in page


def test_a_chinese_page_has_no_english_sentence() -> None:
    for name, page in PAGES[CHINESE].items():
        told = re.sub(r"^\.nf$.*?^\.fi$|\\:", "", page, flags=re.MULTILINE | re.DOTALL)
        texts = [line for line in told.splitlines() if line and not re.match(r"\.|\\fB|\[|smsreceipt", line)]
        assert [line for line in texts if not re.search("[\u4e00-\u9fff]", line)] == [], name


@pytest.mark.needs("groff")
@languages
def test_groff_has_nothing_to_say_and_keeps_to_the_width(tmp_path: Path, language: str) -> None:
    shown = formatted(tmp_path, PAGES[language], *MACROS[language])
    examples = re.compile(r"^ +(smsreceipt|/\S+) ")
    assert [line for line in shown.splitlines() if columns(line) > 80 and not examples.match(line)] == []
    if mandoc := shutil.which("mandoc"):
        linted = subprocess.run([mandoc, "-Tlint", "-Werror", *PAGES[language]], cwd=tmp_path, check=False)
        assert linted.returncode == 0


@pytest.mark.needs("groff")
def test_examples_can_be_copied_from_the_page(tmp_path: Path) -> None:
    name = "smsreceipt-pull.1"
    shown = formatted(tmp_path, {name: PAGES[ENGLISH][name]}, "-Tascii")
    assert "  smsreceipt pull --uid 1234567890123456 --type SmsReport --type SmsUp\n" in shown
    assert "SMSRECEIPT_PULL_WORKERS" in shown


@pytest.mark.needs("groff")
def test_a_line_of_chinese_is_filled(tmp_path: Path) -> None:
    """groff itself breaks lines at blanks only."""
    name = "smsreceipt-sandbox.1"
    shown = formatted(tmp_path, {name: PAGES[CHINESE][name]}, "-Tutf8")
    [first, *_others] = [line for line in shown.splitlines() if "带令牌、签名和可见性的队列" in line]
    assert columns(first) > 72


def test_the_language_of_the_process_makes_no_difference() -> None:
    with using(CHINESE):
        assert pages() == PAGES[ENGLISH]
