"""The real program with every kind of stream a shell can give it: documented exit codes, never a traceback."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import FAILED, REPLY, Program, report

PROGRAM = [sys.executable, "-m", "smsreceipt"]
#: Much to print, and little, which is written only at the end. What else prints does it the same way.
READERS = [["list"], ["explain", "16"]]
SHELL = 'exec "$@"'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Only ever read here, so one store is enough for all."""
    program = Program(tmp_path_factory.mktemp("streams"))
    program.keep(
        "SmsReport", *(report(f"138{number:08}") for number in range(1000)), report("13800008000", "x^0", **FAILED)
    )
    program.keep("SmsReport", b"broken")
    program.keep("SmsUp", REPLY)
    return program


def shell(program: Program, script: str, *words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program as "$@" of a shell script."""
    return subprocess.run(
        ["bash", "-c", script, "bash", *PROGRAM, "--store", str(program.store), *words],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
        check=False,
        timeout=30,
    )


def quiet(ended: subprocess.CompletedProcess[bytes]) -> bool:
    """Neither ours nor Python's own complaint at exit."""
    return not re.search(rb"Traceback|Exception ignored|internal|lost sys", ended.stderr)


def test_a_reader_that_leaves_early(filled: Program) -> None:
    ended = shell(filled, '"$@" | head -1; exit ${PIPESTATUS[0]}', "list")
    assert (ended.returncode, ended.stderr) == (141, b"")
    assert ended.stdout.count(b"\n") == 1


@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])
def test_a_full_disk_behind_standard_output(filled: Program, words: list[str]) -> None:
    ended = shell(filled, 'exec "$@" > /dev/full', *words)
    assert ended.returncode == 6
    assert ended.stderr.startswith(b"error: standard output: No space left on device\n")
    assert quiet(ended)


@pytest.mark.parametrize("words", [*READERS, ["completion", "bash"]], ids=lambda words: words[0])
def test_no_standard_output_at_all(filled: Program, words: list[str]) -> None:
    ended = shell(filled, 'exec "$@" >&-', *words)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"error: standard output is closed")
    assert quiet(ended)


def test_every_command_that_only_prints_needs_somewhere_to_print(filled: Program) -> None:
    for words in ("list", "show 1", "explain 16", "status", "rejects list", "rejects show x", "config show"):
        ended = filled(*words.split(), stdout=None)
        assert (ended.code, ended.err.split(",")[0]) == (2, "error: standard output is closed"), words


def test_help_has_the_same_manners(filled: Program) -> None:
    for words in (["--help"], ["--version"]):
        full = shell(filled, 'exec "$@" > /dev/full', *words)
        assert (full.returncode, quiet(full)) == (6, True)
    gone = shell(filled, '"$@" | true; exit ${PIPESTATUS[0]}', "list", "--help")
    assert (gone.returncode in {0, 141}, gone.stderr) == (True, b"")


@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])
def test_no_standard_error(filled: Program, words: list[str]) -> None:
    ended = shell(filled, 'exec "$@" 2>&- <&-', *words)
    assert ended.returncode == 0
    assert ended.stdout


@pytest.mark.parametrize(
    ("streams", "words", "code"),
    [
        ("2>&-", ["nonsense"], 2),
        ("2>/dev/full", ["list", "--date", "x"], 2),
        (">/dev/full 2>/dev/full", ["list", "--date", "x"], 2),
        (">/dev/full 2>/dev/full", ["explain", "16"], 6),
        (">/dev/full 2>&-", ["explain", "16"], 6),
        (">/dev/full 2>/dev/full", ["--help"], 6),
        (">&- 2>/dev/full", ["list"], 2),
        ("<&- >&- 2>&-", ["list"], 2),
    ],
)
def test_errors_without_standard_error_keep_their_number(
    filled: Program, streams: str, words: list[str], code: int
) -> None:
    """Python itself would end with 120 where it cannot flush a stream at exit."""
    again = f'for n in 1 2 3; do "$@" {streams}; [ $? -eq {code} ] || exit 1; done'
    assert shell(filled, again, *words).returncode == 0


@pytest.mark.parametrize(("output", "environ"), [("json", {"LC_ALL": "C"}), ("csv", {"PYTHONIOENCODING": "gbk"})])
def test_json_and_csv_are_utf8_in_every_locale_and_tables_never_fail(
    filled: Program, output: str, environ: dict[str, str]
) -> None:
    lines = shell(filled, SHELL, "list", "--kind", "SmsUp", "-o", output, **environ)
    assert "您好，收到了".encode() in lines.stdout
    table = shell(filled, SHELL, "show", "13800008000", "-o", "table", "--reveal", **environ)
    assert (table.returncode, quiet(table)) == (0, True)


def test_a_broken_pipe_in_the_middle_of_follow_ends_it(filled: Program) -> None:
    ended = shell(filled, '"$@" | head -1; exit ${PIPESTATUS[0]}', "list", "--follow")
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_with_their_numbers(filled: Program, signum: signal.Signals, code: int) -> None:
    child = subprocess.Popen(
        [*PROGRAM, "--store", str(filled.store), "list", "--follow", "--kind", "SmsUp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        assert child.stdout
        assert child.stdout.readline()  # it is past its start
        child.send_signal(signum)
        _, err = child.communicate(timeout=10)
    assert (child.returncode, err) == (code, b"")


#: Runs a command whose last act is a signal to itself, or that gets it even later.
LATE_SIGNAL = """
import atexit, os, sys
import smsreceipt.cli.main as boundary

kill = lambda *_: os.kill(os.getpid(), int(sys.argv[1]))
if sys.argv[2] == "later":
    atexit.register(kill)
boundary._Run.finish = (lambda *_: 0) if sys.argv[2] == "later" else kill
boundary.main()
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_a_command_that_has_ended_is_no_bug_of_ours(signum: signal.Signals, code: int) -> None:
    for moment, expected in (("last", code), ("later", 0)):
        ended = subprocess.run(
            [sys.executable, "-c", LATE_SIGNAL, str(signum.value), moment], capture_output=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (expected, b"")


def on_terminal(program: Program, *words: str, **environ: str) -> str:
    """What a terminal of 40 columns gets to see."""
    mother, daughter = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "--store", str(program.store), *words],
        stdin=daughter,
        stdout=daughter,
        stderr=daughter,
        env={**os.environ, "COLUMNS": "40", "TERM": "xterm", **environ},
    ) as child:
        os.close(daughter)
        seen = b""
        while select.select([mother], [], [], 20)[0]:
            try:
                piece = os.read(mother, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            seen += piece
        child.wait(timeout=20)
    os.close(mother)
    return seen.decode()


def test_a_terminal_gets_colours_unless_it_or_its_user_refuses(filled: Program) -> None:
    assert "\x1b[31m" in on_terminal(filled, "list", "--outcome", "failed")
    seen = on_terminal(filled, "list", TERM="dumb")
    assert "\x1b" not in seen
    assert max(map(len, seen.splitlines())) <= 52
    assert seen.splitlines()[-1] == "952 more: --limit N shows more of them, --json all"


@pytest.mark.parametrize(("words", "environ"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})])
def test_the_user_may_refuse_colours(
    filled: Program, monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str]
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    looks = ["list", "--outcome", "failed"]
    assert "\x1b[31m" in filled(*looks, terminal=True, environ={"TERM": "xterm"}).out
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert "\x1b" not in filled(*words, *looks, terminal=True, environ={"TERM": "xterm", **environ}).out


def test_no_secret_and_no_number_in_the_arguments_is_needed(filled: Program) -> None:
    ended = shell(filled, 'echo 13800008000 | "$@"', "show", "-", "--json")
    assert len(ended.stdout.splitlines()) == 2
