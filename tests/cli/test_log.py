"""`--log-format json`: each line of standard error is an object, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.output.log import EVENTS, log_line
from tests.cli.program import NOW, Ended, Program, report

KEYS = ["at", "level", "event", "message", "fields"]


def records(text: str) -> list[dict[str, Any]]:
    """The lines of a log, each checked for its form."""
    found = [json.loads(line) for line in text.splitlines()]
    for record in found:
        assert list(record) == KEYS
        assert EVENTS[record["event"]] == record["level"]
    return found


def test_errors_and_hints(program: Program) -> None:
    error, hint = records(program("rejects", "show", "x", "--log-format", "json").err)
    assert (error["level"], error["event"], error["message"]) == ("error", "error", "no reject begins with 'x'")
    assert (hint["event"], hint["message"]) == ("hint", "List them: smsreceipt rejects list")
    assert error["at"] == "2026-11-21T04:00:00.000Z"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_summary_has_its_figures_as_numbers(program: Program, terminal: bool) -> None:
    program.stdin = json.dumps(report()).encode()
    ended = program("replay", "-", "--log-format", "json", stderr_is_tty=terminal)
    assert ended.code == 0, ended.err
    summary = records(ended.err)[-1]
    assert summary["event"] == "summary"
    assert summary["fields"]["received"] == 1
    assert isinstance(summary["fields"]["seconds"], float)
    assert summary["message"].startswith("received=1 new=1 ")


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--bogus", "--log-format", "json"),
        ("nosuch", "--log-format=json"),
        ("--log-format", "json", "rejects"),
        ("--log-format", "json", "list", "--limit", "x"),
        ("--log-format", "json", "list", "--config", "none.toml"),
    ],
)
def test_a_command_line_that_cannot_be_read(program: Program, words: tuple[str, ...]) -> None:
    ended = program(*words)
    assert ended.code == 2
    assert records(ended.err)


def test_environment_and_configuration_ask_for_it_too(program: Program) -> None:
    assert records(program("list", "--bogus", environ={"SMSRECEIPT_LOG_FORMAT": "json"}).err)
    file = program.home / "mine.toml"
    file.touch(0o600)
    file.write_text('log-format = "json"')
    assert records(program("rejects", "show", "x", "--config", str(file)).err)
    assert not program("rejects", "show", "x", "--config", str(file), "--log-format", "text").err.startswith("{")


def broken(program: Program, *words: str) -> Ended:
    def now() -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("13800008000 is in this message")
        return NOW

    calls: list[int] = []
    return program("status", "--log-format", "json", *words, now=now)


def test_each_line_of_a_traceback_is_an_object_and_quotes_no_data(program: Program) -> None:
    ended = broken(program, "--debug")
    assert ended.code == 1
    found = records(ended.err)
    assert [record["event"] for record in found][-2:] == ["traceback", "error"]
    assert len(found) > 4
    assert "13800008000" not in ended.err


def test_a_bug_in_a_thread_or_at_the_end_is_an_object_too(tmp_path: Path) -> None:
    code = (
        "import sys, threading\nfrom smsreceipt.cli.main import _Run, install_exception_hooks\n"
        "from smsreceipt.cli import tool\n"
        "install_exception_hooks(_Run(tool, ['pull', '--log-format', 'json'], None).line)\n"
        "def fail(): raise RuntimeError('13800008000')\n"
        "thread = threading.Thread(target=fail)\nthread.start()\nthread.join()\nfail()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    found = records(ended.stderr)
    assert [record["message"] for record in found if record["event"] == "error"] == [
        "internal, in a thread", "internal"
    ]  # fmt: skip
    assert "13800008000" not in ended.stderr


def test_phone_numbers_are_masked_and_nothing_breaks_a_line() -> None:
    line = log_line(
        "warning: 13800008000 is\nno \x1b[31m number\u2028", NOW, fields={"phone": "13800008000", "n": "007"}
    )
    assert line.isprintable()
    record = json.loads(line)
    assert record["level"] == "warning"
    assert record["message"] == "138****8000 is\nno \x1b[31m number\u2028"
    assert record["fields"] == {"phone": "138****8000", "n": "007"}
