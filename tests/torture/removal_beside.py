"""What goes on while a store is pruned: a sandbox whose queue `pull` empties, `listen`, and pushes at an even pace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from smsreceipt.sandbox import Options, Sandbox
from tests.ports import free_port
from tests.torture.listener import PATH_SECRET
from tests.torture.world import ROOT, kill, message, until

_CONNECTIONS, _PAUSE = 4, 0.1  # of the pushes: each connection pushes so often, about 40 a second in all
_PUT, _EVERY = 5, 0.2  # messages that are put into the queue at once, and seconds between
_UID = "1000000077"


class Beside:
    """Runs beside what deletes. *environment* is that of every program on the store."""

    def __init__(self, folder: Path, location: str) -> None:
        self._folder, self._location = folder, location
        self._sandbox = Sandbox(Options(port=0, uid=_UID))
        self._port = free_port()
        self._stop = threading.Event()
        self._stack = ExitStack()
        self._queued: list[str] = []
        self._pusher: subprocess.Popen[str]
        self._ledger = folder / "pushed"
        self.faults: list[str] = []
        self.statuses: dict[str, int] = {}
        self.p99 = 0.0  #: milliseconds within which 99 of 100 pushes were answered, late ones counted as they were due

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("SMSRECEIPT", "ALIBABA"))}
        home = {"HOME": str(self._folder), "XDG_CONFIG_HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder)}
        return {**own, **self._sandbox.environment(), **home, "SMSRECEIPT_STORE": self._location}

    def __enter__(self) -> Self:
        self._stack.enter_context(self._sandbox)
        secret = self._folder / "push.secret"
        secret.touch(0o600)
        secret.write_text(PATH_SECRET + "\n")
        bind = f"127.0.0.1:{self._port}"
        self._start(
            ["listen", "--secret-file", str(secret), "--bind", bind, "--metrics-bind", "off", "--min-free", "0"]
        )
        self._start(
            ["pull", "--uid", _UID, "--type", "SmsReport", "--wait", "1", "--follow", "--json", "--min-free", "0"]
        )
        self._push(0.5, first=90_000_000, ledger=self._folder / "first").communicate()  # until it listens, and a bit
        putting = threading.Thread(target=self._put)
        putting.start()
        self._stack.callback(putting.join)
        self._stack.callback(self._stop.set)
        self._pusher = self._push(3_600, first=0, ledger=self._ledger)
        return self

    def _start(self, words: Sequence[str]) -> None:
        with (self._folder / f"{words[0]}.err").open("ab") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "smsreceipt", *words], cwd=ROOT, env=self.environment,
                stdout=subprocess.DEVNULL, stderr=err, start_new_session=True,
            )  # fmt: skip

        def end() -> None:
            process.terminate()
            try:
                code = process.wait(30)
            except subprocess.TimeoutExpired:
                kill(process)
                code = -9
            talk = (self._folder / f"{words[0]}.err").read_text()
            if code != 143 or "Traceback" in talk or "internal" in talk:
                self.faults.append(f"{words[0]} ended with {code}: {talk[-300:]}")

        self._stack.callback(end)

    def _push(self, seconds: float, *, first: int, ledger: Path) -> subprocess.Popen[str]:
        words = ["--connections", str(_CONNECTIONS), "--pause", str(_PAUSE), "--seconds", str(seconds)]
        url = f"http://127.0.0.1:{self._port}/{PATH_SECRET}/SmsReport"
        assert until(self._listens, 60, 0.1)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.bench.pusher", url, *words, "--first", str(first), "--ledger", str(ledger)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    def _put(self) -> None:
        number = 0
        while not self._stop.wait(_EVERY):
            serials = [f"T{number + more:09}" for more in range(_PUT)]
            number += _PUT
            objects = [{**message("SmsReport", serial), "biz_id": f"queued-{serial}^0"} for serial in serials]
            self._sandbox.put_object(f"Alicom-Queue-{_UID}-SmsReport", *objects)
            self._queued += [f"queued-{serial}^0" for serial in serials]

    def __exit__(self, *_exc: object) -> None:
        self._pusher.terminate()
        told = json.loads(self._pusher.communicate(timeout=60)[0])
        self.statuses, self.p99 = told["statuses"], told["p99"]
        self._stop.set()
        until(lambda: not self._waiting(), 60, 0.1)
        self._stack.close()

    def _waiting(self) -> int:
        state: Any = self._sandbox.state()
        return int(state["queued"] + state["invisible"])

    @property
    def given(self) -> Iterable[str]:
        """The BizIds of what was answered 200, or was queued: they must be in the store."""
        lines = [line.split() for line in self._ledger.read_text().splitlines()]
        yield from (f"T{int(number):09}^0" for number, status in lines if status == "200")
        yield from self._queued
