"""However a pull is stopped, held up or refused: the right number, a summary, and nothing forgotten."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.model import Instant
from smsreceipt.sandbox import Options, Sandbox
from smsreceipt.store import Query
from smsreceipt.store.sqlite.store import open_reader
from tests.cli.program import Program
from tests.locks import locked

QUEUE = "Alicom-Queue-1000000001-SmsReport"


def reports(sandbox: Sandbox, count: int) -> None:
    sandbox.put_object(
        QUEUE,
        *[
            {
                "phone_number": f"138{n:08}",
                "success": True,
                "biz_id": f"{n}^0",
                "send_time": "2026-11-20 15:49:55",
                "report_time": "2026-11-20 15:49:58",
                "err_code": "DELIVERED",
            }
            for n in range(count)
        ],
    )


@contextmanager
def provider(**options: float) -> Iterator[Sandbox]:
    with Sandbox(Options(port=0, **options)) as sandbox:  # type: ignore[arg-type]  # numbers only
        yield sandbox


#: Runs the program behind it, which waits half a second for another process instead of five.
_IMPATIENT = (
    "import runpy, sys; from smsreceipt import store; from smsreceipt.store.sqlite import connect;"
    " store.LOCK_WAIT, connect.OPENING_MS = 0.5, 500;"
    " sys.argv = sys.argv[3:]; runpy.run_module('smsreceipt', run_name='__main__')"
)


def pulled(sandbox: Sandbox, store: Path, *words: str) -> list[str]:
    """What a pull in this process says, which ends well."""
    program = Program(store.parent)
    seams: dict[str, Any] = {"environ": sandbox.environment(), "now": lambda: Instant(time.time_ns() // 1_000_000)}
    ended = program("pull", "--queue", QUEUE, *words, **seams)
    assert ended.code == 0, ended.err
    return ended.err.splitlines()


class Pull:
    """A pull in a process of its own."""

    def __init__(
        self, sandbox: Sandbox, store: Path, *words: str, stdout: int = subprocess.DEVNULL, wrap: tuple[str, ...] = ()
    ) -> None:
        env = os.environ | sandbox.environment() | {"SMSRECEIPT_STORE": str(store), "HOME": str(store.parent)}
        self.process = subprocess.Popen(
            [*wrap, sys.executable, "-m", "smsreceipt", "pull", "--queue", QUEUE, *words],
            env=env,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, within: float = 30) -> tuple[int, list[str]]:
        _, talk = self.process.communicate(timeout=within)
        lines = talk.splitlines()
        assert "Traceback" not in talk
        return self.process.returncode, lines


def until(sandbox: Sandbox, **wanted: int) -> None:
    """Until the provider's counters have reached this."""
    deadline = time.monotonic() + 30
    while any(int(str(sandbox.state()[name])) < number for name, number in wanted.items()):
        assert time.monotonic() < deadline, sandbox.state()
        time.sleep(0.02)


def stored(path: Path) -> int:
    with closing(open_reader(path)) as store:
        return sum(1 for _ in store.list(Query()))


@pytest.mark.slow
def test_stopped_while_the_store_is_locked_it_ends_with_the_signals_number_and_a_summary(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    with provider() as sandbox:
        pulled(sandbox, store, "--wait", "0")
        pull = Pull(sandbox, store, "--wait", "5", "-f", wrap=(sys.executable, "-c", _IMPATIENT))
        until(sandbox, polling=1)
        with locked(store):
            reports(sandbox, 3)
            until(sandbox, invisible=3)
            began = time.monotonic()
            pull.process.send_signal(signal.SIGINT)
            code, lines = pull.ended()
        assert code == 130
        assert time.monotonic() - began < 6  # acknowledgements that cannot come are not waited for
        assert lines[-1].startswith("received=0 new=0 duplicate=0 rejected=0 deleted=0 undeleted=3 ")


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_reader_that_pauses_holds_up_neither_commits_nor_a_stop(tmp_path: Path, signum: signal.Signals) -> None:
    store = tmp_path / "receipts.db"
    with provider() as sandbox:
        reports(sandbox, 3_000)
        silent, _unread = os.pipe()
        pull = Pull(sandbox, store, "-f", stdout=_unread)
        until(sandbox, deleted=3_000)
        began = time.monotonic()
        pull.process.send_signal(signum)
        code, lines = pull.ended()
        os.close(silent)
        os.close(_unread)
    assert (code, lines[-1].split(" seconds")[0]) == (
        128 + signum,
        "received=3000 new=3000 duplicate=0 rejected=0 deleted=3000 undeleted=0",
    )
    assert time.monotonic() - began < 10
    assert stored(store) == 3_000


@pytest.mark.slow
def test_what_a_stopped_receive_may_have_taken_is_waited_for_by_the_next_run(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    with provider(latency=800, visibility=3) as sandbox:
        reports(sandbox, 10)
        pull = Pull(sandbox, store, "--wait", "1")
        until(sandbox, invisible=10)
        pull.process.send_signal(signal.SIGINT)
        assert pull.ended()[0] == 130
        lines = pulled(sandbox, store, "--wait", "1")
    assert "ended unclean" in lines[0]
    assert lines[-1].split(" undeleted")[0] == "received=10 new=10 duplicate=0 rejected=0 deleted=10"


@pytest.mark.slow
def test_the_ends_on_several_queues_are_told_in_one_line(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    kinds = ("SmsUp", "SignSmsReport", "SecretReport", "SecretRecording")
    others = [word for kind in kinds for word in ("--queue", f"Alicom-Queue-1000000001-{kind}")]
    with provider(visibility=1) as sandbox:
        pull = Pull(sandbox, store, "-f", *others)
        until(sandbox, polling=5)
        pull.process.kill()
        assert pull.ended()[0] == -signal.SIGKILL
        first, summary = pulled(sandbox, store, "--wait", "0", *others)
    assert re.fullmatch(r"the last run on [\w-]+ and 4 more queues ended unclean: .* up to 1 s more; .*", first)
    assert summary.startswith("received=0 ")


@pytest.mark.slow
def test_without_settling_the_note_of_a_crash_stays(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    with provider(visibility=1) as sandbox:
        pull = Pull(sandbox, store, "-f")
        until(sandbox, polling=1)
        pull.process.kill()
        assert pull.ended()[0] == -signal.SIGKILL
        assert "unclean" not in "".join(pulled(sandbox, store, "--wait", "0", "--no-settle"))
        assert "ended unclean" in pulled(sandbox, store, "--wait", "0")[0]
        assert "unclean" not in "".join(pulled(sandbox, store, "--wait", "0"))


def test_a_run_that_could_not_begin_has_hidden_nothing(tmp_path: Path) -> None:
    """A port that is taken ends it before it asks for anything: the next one waits for nothing."""
    store = tmp_path / "receipts.db"
    with provider() as sandbox, socket.create_server(("127.0.0.1", 0)) as taken:
        reports(sandbox, 1)
        pull = Pull(sandbox, store, "--metrics-bind", f"127.0.0.1:{taken.getsockname()[1]}")
        assert pull.ended()[0] == 2
        assert "unclean" not in "".join(pulled(sandbox, store, "--wait", "0"))


@pytest.mark.slow
def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    with provider() as sandbox:
        pulled(sandbox, store, "--wait", "0")
        pull = Pull(sandbox, store, "-f")
        until(sandbox, polling=1)
        with locked(store):
            reports(sandbox, 1)
            until(sandbox, invisible=1)
            pull.process.send_signal(signal.SIGINT)
            time.sleep(0.5)  # the first one waits for the store now
            began = time.monotonic()
            pull.process.send_signal(signal.SIGTERM)
            assert pull.ended()[0] == 143
        assert time.monotonic() - began < 2


@pytest.mark.slow
def test_a_store_that_is_locked_when_a_run_begins_is_waited_for(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    with provider() as sandbox:
        pulled(sandbox, store, "--wait", "0")
        reports(sandbox, 2)
        with locked(store):
            pull = Pull(sandbox, store, "--wait", "0", wrap=(sys.executable, "-c", _IMPATIENT))
            assert pull.process.stderr
            said = pull.process.stderr.readline()  # after longer than SQLite itself waits
        code, lines = pull.ended()
    assert "is locked by another process; waiting" in said
    assert (code, lines[-1].split(" seconds")[0]) == (
        0,
        "received=2 new=2 duplicate=0 rejected=0 deleted=2 undeleted=0",
    )


def test_following_says_at_once_that_one_of_the_queues_fails(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    with provider() as sandbox:
        reports(sandbox, 2)
        pull = Pull(sandbox, store, "-f", "--queue", "Alicom-Queue-2-SmsReport")
        until(sandbox, deleted=2)
        assert pull.process.stderr
        said = pull.process.stderr.readline()
        reports(sandbox, 4)  # two of them are new
        until(sandbox, deleted=6)
        pull.process.send_signal(signal.SIGTERM)
        code, lines = pull.ended()
    assert said.startswith("error: ")
    assert said.endswith("; looking again in 60 s\n")
    assert (code, lines[-1].split(" rejected")[0]) == (143, "received=6 new=4 duplicate=2")


def test_following_ends_when_nothing_has_ever_worked(tmp_path: Path) -> None:
    with provider() as sandbox:
        env_secret = "wrong"
        env = (
            os.environ | sandbox.environment() | {"HOME": str(tmp_path), "ALIBABA_CLOUD_ACCESS_KEY_SECRET": env_secret}
        )
        words = [sys.executable, "-m", "smsreceipt", "--store", str(tmp_path / "s.db"), "pull", "-f", "--queue", QUEUE]
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith("error: ")
