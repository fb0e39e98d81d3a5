"""What a person sees of `pull`: counters that are redrawn, then a sentence; rows only where they were asked for."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsreceipt.sandbox import Options, Sandbox
from tests.cli.program import FAILED, REPLY, Program, report

UID = "1000000001"
BOTH = ("--uid", UID, "--type", "SmsReport", "--type", "SmsUp", "--wait", "0", "--no-settle")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0, seed=1)) as running:
        for number in range(30):
            running.put_object(f"Alicom-Queue-{UID}-SmsReport", report(f"138{number:08}", f"{number}^0"))
        running.put_object(f"Alicom-Queue-{UID}-SmsReport", report("13900000000", "x^0", **FAILED))
        running.put_object(f"Alicom-Queue-{UID}-SmsReport", report("13900000000", "x^0", **FAILED))
        running.put_object(f"Alicom-Queue-{UID}-SmsUp", REPLY)
        yield running


def on_terminal(sandbox: Sandbox, store: Path, *words: str, columns: int = 80, **environ: str) -> tuple[int, str]:
    """Run `pull` with a pseudo-terminal for its three streams; the exit code and everything that came."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {
        **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LC_ALL", "LC_MESSAGES"}},
        **sandbox.environment(),
        "SMSRECEIPT_STORE": str(store),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        **environ,
    }
    command = [sys.executable, "-m", "smsreceipt", "pull", *words]
    with subprocess.Popen(command, env=variables, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the last process that had the terminal is gone
            pass
        os.close(ours)
        code = run.wait(30)
    return code, shown.decode().replace("\r\n", "\n")


def screen(shown: str, columns: int = 80) -> list[str]:
    """The lines that are left on the terminal: each carriage return begins its line anew."""
    left = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).split("\n"):
        cells = [" "] * columns
        for text in line.split("\r"):
            cells[: len(text)] = text
        left.append("".join(cells).rstrip())
    return left[:-1] if left and not left[-1] else left


def test_counters_while_it_runs_and_a_sentence_at_the_end(sandbox: Sandbox, tmp_path: Path) -> None:
    code, shown = on_terminal(sandbox, tmp_path / "s.db", *BOTH)
    assert code == 0
    drawn = [line.split("\n")[0].rstrip() for line in shown.split("\r")[1:]]
    assert any(
        re.match(r"received 33  [\d,]+/s  delivered 30  failed 1  other 1  duplicate 1  \d+ s$", line) for line in drawn
    )
    left = screen(shown)
    assert re.fullmatch(r"received 33 in \d\.\d s \(\d+/s\): 30 delivered, 1 failed, 1 other, 1 duplicate; 33", left[0])
    assert left[1:] == ["deleted from the queues", "look at them: smsreceipt list"]
    assert "received=" not in shown
    assert not re.search(r"138[\d*]{8}", shown)  # a rate may hold any three digits


def test_in_chinese(sandbox: Sandbox, tmp_path: Path) -> None:
    _, shown = on_terminal(sandbox, tmp_path / "s.db", *BOTH, LANG="zh_CN.UTF-8")
    assert "已送达 30，失败 1，其他 1，重复 1；已从队列删除 33" in "".join(screen(shown))
    assert "查看：smsreceipt list" in shown


@pytest.mark.parametrize("words", [("-v",), ("--follow", "--max", "33")], ids=["verbose", "follow"])
def test_rows_with_the_message_type_first_where_they_are_wanted(
    sandbox: Sandbox, tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, shown = on_terminal(sandbox, tmp_path / "s.db", *BOTH, *words)
    lines = screen(shown)
    head = next(n for n, line in enumerate(lines) if line.startswith("KIND "))
    rows = [line for line in lines[head + 1 :] if "****" in line]
    assert (code, len(rows)) == (0, 32)
    assert {line.split()[0] for line in rows} == {"SmsReport", "SmsUp"}
    assert all(len(line) <= 80 for line in lines)


def test_quiet_shows_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    assert on_terminal(sandbox, tmp_path / "s.db", *BOTH, "-q") == (0, "")


def test_json_on_a_terminal_is_what_was_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    _, shown = on_terminal(sandbox, tmp_path / "s.db", *BOTH, "--json", columns=400)
    assert shown.count('"kind":"SmsReport"') == 31


def test_a_pipe_gets_rows_and_the_summary_for_machines(sandbox: Sandbox, tmp_path: Path) -> None:
    program = Program(tmp_path)
    ended = program("pull", *BOTH, environ=sandbox.environment())
    assert (ended.code, len(ended.objects)) == (0, 32)
    (line,) = ended.err.splitlines()
    assert line.startswith("received=33 new=32 duplicate=1 rejected=0 deleted=33 undeleted=0 seconds=")


def test_the_summary_for_machines_stays_where_only_standard_output_is_a_terminal(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    ended = Program(tmp_path)("pull", *BOTH, environ=sandbox.environment(), terminal=True)
    assert ended.err.splitlines()[0].startswith("received=33 new=32")
    assert ended.out == ""
