"""Help, by every way in which people ask for it."""

from __future__ import annotations

import pytest

from smsreceipt import __version__
from tests.cli.program import Program
from tests.docs import reference


@pytest.mark.parametrize("command", ["", "pull", "rejects", "rejects retry"])
def test_help_prints_what_the_option_prints(program: Program, command: str) -> None:
    ended = program("help", *command.split())
    assert ended.code == 0
    usage = f"Usage: smsreceipt {command}".strip()
    assert ended.out.startswith(f"{usage} [OPTIONS]")
    assert ended.out.split()[:40] == reference.help_of(command).split()[:40]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("command", ["", "pull", "rejects", "rejects retry", "help"])
def test_help_is_the_option_in_both_languages(
    program: Program, capsys: pytest.CaptureFixture[str], command: str, lang: str
) -> None:
    assert program("--lang", lang, *command.split(), "--help").code == 0
    assert program("--lang", lang, "help", *command.split()).out == capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("-h", "pull"), "smsreceipt pull"),
        (("--help", "rejects", "retry"), "smsreceipt rejects retry"),
        (("rejects", "-h", "retry"), "smsreceipt rejects retry"),
        (("-q", "-h", "list", "--limit", "3"), "smsreceipt list"),
        (("-h",), "smsreceipt"),
        (("rejects", "-h"), "smsreceipt rejects"),
    ],
)
def test_an_option_before_the_command_asks_for_its_help(
    program: Program, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], usage: str
) -> None:
    assert program(*words).code == 0
    assert capsys.readouterr().out.startswith(f"Usage: {usage} [OPTIONS]")


@pytest.mark.parametrize("words", [("help", "pul"), ("-h", "pul")])
def test_a_name_that_is_none_gets_a_suggestion(program: Program, words: tuple[str, ...]) -> None:
    ended = program(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "Did you mean 'pull'?" in ended.err


def test_a_command_without_commands_says_so(program: Program) -> None:
    ended = program("help", "pull", "queues")
    assert ended.code == 2
    assert ended.err.startswith("error: smsreceipt pull has no commands")


def test_help_does_not_need_a_valid_configuration(program: Program) -> None:
    (program.home / "bad.toml").write_text("= 1")
    assert program("help", "pull", "--config", str(program.home / "bad.toml")).code == 0


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(program: Program, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert program(option).code == 0
    assert capsys.readouterr().out == f"smsreceipt {__version__}\n"
