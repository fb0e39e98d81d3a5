"""The long runs under a supervisor: what it is told, and the counters that SIGUSR1 asks for."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cli.listening import Listen
from tests.cli.listening import until as eventually
from tests.cli.program import report
from tests.cli.test_pull_stops import Pull, provider, reports, until
from tests.locks import locked
from tests.ports import free_port
from tests.runs.supervisor import FakeSupervisor

pytestmark = pytest.mark.slow
WATCHDOG = 0.8


def supervise(fake: FakeSupervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fake.environ(WATCHDOG).items():
        monkeypatch.setenv(name, value)


def beats_on(fake: FakeSupervisor) -> None:
    before = fake.beats()
    fake.until(lambda: fake.beats() > before + 1)


def stops_beating(fake: FakeSupervisor, pid: int) -> None:
    """A process that is stopped by SIGSTOP does not beat, and does again when it goes on."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.1)
    before = fake.beats()
    time.sleep(2 * WATCHDOG)
    assert fake.beats() == before
    os.kill(pid, signal.SIGCONT)
    beats_on(fake)


def told_counters(pull: Pull) -> str:
    """What it says when it is asked. The provider counts a deletion before the answer has come."""
    pull.process.send_signal(signal.SIGUSR1)
    assert pull.process.stderr is not None
    return next(line for line in pull.process.stderr if '"event": "counters"' in line)


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return str(answer.read(), "utf-8")


def test_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSupervisor() as fake:
        supervise(fake, monkeypatch)
        with Listen(tmp_path / "receipts.db") as listen:
            assert listen.push(report()) == 200
            fake.until(lambda: "READY=1" in fake.came())
            beats_on(fake)  # though nobody pushes
            stops_beating(fake, listen.process.pid)
            listen.process.send_signal(signal.SIGUSR1)
            said = listen.said(r"counters: received=1 new=1 .*\n")[0]
            assert " pushes=1 refused=0 waiting=0 " in said
            assert listen.stop() == 143
        assert fake.came()[-1] == "STOPPING=1"
        [status] = [line for line in fake.lines if line.startswith("STATUS=")]
        assert status.startswith("STATUS=received=")


def test_listen_is_not_ready_before_its_store_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "receipts.db"
    with Listen(store) as listen:
        listen.stop()
    with FakeSupervisor() as fake:
        supervise(fake, monkeypatch)
        with locked(store), Listen(store, ready=False) as listen:
            assert listen.ask("GET", "/healthz")[0] == 503
            time.sleep(WATCHDOG)
            assert fake.came() == []
            listen.process.kill()


def test_pull_beats_while_the_queue_is_empty_and_prints_its_counters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSupervisor() as fake, provider() as sandbox:
        supervise(fake, monkeypatch)
        pull = Pull(sandbox, tmp_path / "receipts.db", "-f", "--wait", "1", "--log-format", "json")
        fake.until(lambda: "READY=1" in fake.came())
        beats_on(fake)
        reports(sandbox, 3)
        until(sandbox, deleted=3)
        eventually(lambda: '"received": 3, "new": 3' in (said := told_counters(pull)) and '"deleted": 3' in said)
        beats_on(fake)
        stops_beating(fake, pull.process.pid)
        pull.process.send_signal(signal.SIGTERM)
        assert pull.ended()[0] == 143
        assert fake.came()[-1] == "STOPPING=1"


@pytest.mark.parametrize(
    ("words", "counters"),
    [
        (["watch", "--every", "1s"], "alarms=0"),
        (["list", "-f"], "printed=0"),
        (["forward", "--to", "exec:true", "-f"], "sent=0 refused=0 parked=0"),
    ],
    ids=lambda it: it[0],
)
def test_other_long_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], counters: str) -> None:
    monkeypatch.setenv("SMSRECEIPT_STORE", str(tmp_path / "receipts.db"))
    with FakeSupervisor() as fake:
        supervise(fake, monkeypatch)
        command = [sys.executable, "-m", "smsreceipt", *words]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            fake.until(lambda: fake.beats() > 0)
            process.send_signal(signal.SIGUSR1)
            assert process.stderr is not None
            assert any(line == f"counters: {counters}\n" for line in process.stderr)
            assert fake.lines[0].startswith(("READY=1", "WATCHDOG_USEC="))
            assert "READY=1" in fake.lines
            process.terminate()
            assert process.wait(20) == 143
        eventually(lambda: fake.came()[-1] == "STOPPING=1")


def test_pull_serves_its_metrics(tmp_path: Path) -> None:
    port = free_port()
    with provider() as sandbox:
        reports(sandbox, 3)
        forward = [sys.executable, "-m", "smsreceipt", "--store", str(tmp_path / "receipts.db"), "forward", "--to", "-"]
        subprocess.run([*forward, "-q"], check=True)  # a cursor that nothing moves any more
        words = ("-f", "--wait", "1", "--metrics-bind", f"127.0.0.1:{port}")
        pull = Pull(sandbox, tmp_path / "receipts.db", *words)
        until(sandbox, deleted=3)
        eventually(lambda: "smsreceipt_messages_deleted_total 3.0" in metrics(port))
        text = metrics(port)
        pull.process.terminate()
        assert pull.ended()[0] == 143
    numbers = dict(re.findall(r"^(smsreceipt_[^ ]+) ([\d.e+]+)$", text, re.MULTILINE))
    assert float(numbers['smsreceipt_forward_behind{name="default"}']) >= 3
    assert numbers['smsreceipt_forward_running{name="default"}'] == "0.0"
    assert numbers["smsreceipt_messages_received_total"] == numbers["smsreceipt_messages_deleted_total"] == "3.0"
    assert numbers['smsreceipt_receipts_total{result="new"}'] == "3.0"
    assert numbers['smsreceipt_queue_failing{kind="SmsReport"}'] == "0.0"
    assert float(numbers["smsreceipt_store_bytes"]) > 0
    assert abs(float(numbers['smsreceipt_last_received_timestamp_seconds{kind="SmsReport"}']) - time.time()) < 60
    told = "\n".join(line.rpartition(" ")[0] for line in text.splitlines())  # a time may hold any digits
    assert not re.search(r"138\d{8}|1000000001", told)


def test_metrics_at_an_address_that_is_taken_are_a_usage_error(tmp_path: Path) -> None:
    with provider() as sandbox, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, lines = Pull(sandbox, tmp_path / "receipts.db", "--metrics-bind", address).ended()
    assert code == 2
    assert lines[0].startswith(f"error: --metrics-bind: cannot listen on {address}")
