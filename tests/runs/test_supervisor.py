"""What a supervisor is told: only of progress, and never by a timer."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smsreceipt.decode import decode
from smsreceipt.errors import StoreLocked
from smsreceipt.ingest import Committer, LockRetry
from smsreceipt.model import Decoded, Delivery, Instant, Kind, Source, Tally
from smsreceipt.runs.supervisor import Progress, Supervisor, asking
from smsreceipt.store import Kept
from tests.runs.supervisor import FakeSupervisor

DELIVERY = Delivery((b"[]",), Kind("SmsReport"), Source.PUSH, "/", Instant(0), lambda: None)


def test_a_path_names_the_socket_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(tmp_path / "s"))
        Supervisor({"NOTIFY_SOCKET": str(tmp_path / "s")}).ready()
        assert wire.recv(100) == b"READY=1"


def test_nobody_is_told_without_a_socket_and_one_that_is_gone_is_no_error() -> None:
    for environ in ({}, {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000"}, {"NOTIFY_SOCKET": "@nobody"}):
        told = Supervisor(environ)
        told.ready()
        told.beat()
        told.status(lambda: "")
        told.stopping()


def test_ready_and_stopping_are_told_once_and_the_status_once_a_minute() -> None:
    now = [1000.0]
    with FakeSupervisor() as fake:
        told = Supervisor(fake.environ(), clock=lambda: now[0])
        for _ in range(3):
            told.ready()
            told.status(lambda: f"at={now[0]:.0f}")
            now[0] += 30
            told.beat()  # no watchdog: no beat
        told.stopping()
        told.stopping()
        assert fake.came() == ["READY=1", "STATUS=at=1000", "STATUS=at=1060", "STOPPING=1"]


def test_beats_are_as_rare_as_they_may_be() -> None:
    now = [1000.0]
    with FakeSupervisor() as fake:
        told = Supervisor(fake.environ(watchdog=40), clock=lambda: now[0])
        for _ in range(40):
            told.beat()
            now[0] += 1
        assert fake.beats() == 4


@pytest.mark.parametrize("pid", ["1", ""])
def test_the_watchdog_of_another_process_is_not_ours(pid: str) -> None:
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": pid}
    assert Supervisor(environ).watchdog == (0.0 if pid else 1.0)
    assert Supervisor(environ | {"WATCHDOG_PID": str(os.getpid())}).watchdog == 1.0


def test_a_watchdog_that_is_too_short_for_the_pauses_is_made_longer() -> None:
    with FakeSupervisor() as fake:
        told = Supervisor(fake.environ(watchdog=10))
        told.allow(5)
        told.allow(20)
        assert fake.came() == ["WATCHDOG_USEC=20000000"]


class Disk:
    """A store that commits when it is let."""

    def __init__(self) -> None:
        self.goes, self.began, self.locked = threading.Event(), threading.Event(), False

    def keep(self, decoded: Sequence[Decoded], **_: Any) -> Kept:
        self.began.set()
        assert self.goes.wait(10)
        if self.locked:
            self.locked = False
            raise StoreLocked("locked")
        rejects = sum(len(item.rejects) for item in decoded)
        return SimpleNamespace(tally=Tally(received=rejects, rejected=rejects), new=())  # type: ignore[return-value]

    def consolidate(self) -> None:
        pass


def test_a_commit_that_hangs_ends_the_beats_though_requests_are_answered() -> None:
    disk = Disk()
    kept = threading.Event()
    with FakeSupervisor() as fake:
        told = Supervisor(fake.environ(watchdog=1e-6))
        progress = Progress(told, dict)
        progress.answered()
        assert fake.came() == [], "the store is not open yet"

        def on_kept(each: Kept) -> None:
            progress.committed(each)
            kept.set()

        committer = Committer(disk, decode, lock_retry=LockRetry(), on_kept=on_kept)  # type: ignore[arg-type]
        progress.commits = committer
        for _ in range(3):
            progress.answered()
        assert fake.beats() == 3, "nothing waits"
        committer.put(DELIVERY)
        assert disk.began.wait(10)
        for _ in range(3):
            progress.answered()
        assert fake.beats() == 3, "a commit hangs"
        disk.goes.set()
        assert kept.wait(10)
        assert fake.beats() == 4, "it was made"
        committer.close()


def test_a_store_that_is_locked_does_not_end_the_beats() -> None:
    disk = Disk()
    disk.locked = True
    disk.goes.set()
    with FakeSupervisor() as fake:
        progress = Progress(Supervisor(fake.environ(watchdog=1e-6)), dict)
        committer = Committer(disk, decode, lock_retry=LockRetry())  # type: ignore[arg-type]
        progress.commits = committer
        committer.put(DELIVERY)
        committer.close()
        assert committer.attempts == 2
        progress.answered()
        assert fake.beats() == 1


def test_the_listener_that_does_not_answer_itself_does_not_beat() -> None:
    answered = threading.Event()
    with socket.socket() as bound:
        bound.bind(("0.0.0.0", 0))  # noqa: S104 - it is asked by the address of this machine
        bound.listen()
        with asking(bound, answered.set, 0.01):
            wire, _ = bound.accept()
            with wire:
                assert wire.recv(1000).startswith(b"GET /healthz HTTP/1.1\r\n")
                assert not answered.is_set()
                wire.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            assert answered.wait(10)
