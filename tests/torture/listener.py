"""A listener under torture, the load that is pushed at it, and the judge of what became of that."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import apsw

from tests.ports import free_port
from tests.torture.world import ROOT, kill, unsound

PATH_SECRET = "0123456789abcdef" * 2


@dataclass
class Figures:
    """What a load brought, and what is wrong with it."""

    statuses: Counter[int] = field(default_factory=Counter)
    acked: int = 0  #: receipts answered 200
    lost: int = 0  #: of these, not in the store
    duplicated: int = 0
    p99: float = 0.0  #: milliseconds
    slowest: float = 0.0
    lag: float = 0.0  #: by which this machine woke up the pusher late at most
    rate: float = 0.0  #: pushes a second
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.acked > 0 and not (self.lost or self.duplicated or self.faults)

    def __add__(self, other: Figures) -> Figures:
        """Both together; times and rates are those of the first."""
        return replace(
            self,
            statuses=self.statuses + other.statuses,
            acked=self.acked + other.acked,
            lost=self.lost + other.lost,
            duplicated=self.duplicated + other.duplicated,
            faults=self.faults + other.faults,
        )

    def __str__(self) -> str:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"answers={statuses} acked={self.acked} lost={self.lost} duplicated={self.duplicated}"
            f" rate={self.rate:.0f}/s p99={self.p99:.0f} ms max={self.slowest:.0f} ms"
            f" store={'; '.join(sorted(set(self.faults))[:8]) or 'ok'}"
        )


class Listener:
    """The program, listening on a port that it keeps through restarts."""

    def __init__(self, *, bug: str = "", disk: Path | None = None) -> None:
        """*disk*: where the store is, if not with everything else."""
        self.folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-"))
        self.store = (disk or self.folder) / "receipts.db"
        self._secret = self.folder / "push.secret"
        self._secret.touch(0o600)
        self._secret.write_text(PATH_SECRET + "\n")
        self._bug = bug
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/{PATH_SECRET}/SmsReport"
        self.faults: list[str] = []
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            kill(self.process)
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def words(self) -> list[str]:
        module = ["tests.torture.planted", self._bug] if self._bug else ["smsreceipt"]
        return [
            sys.executable, "-m", *module, "listen", "--store", str(self.store), "--secret-file", str(self._secret),
            "--bind", f"127.0.0.1:{self.port}", "--metrics-bind", "off", "--min-free", "0",
        ]  # fmt: skip

    def start(self, words: list[str] | None = None) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            self.process = subprocess.Popen(
                words or self.words(), cwd=ROOT, stdout=out, stderr=err, env=_environment(), start_new_session=True
            )
        deadline = time.monotonic() + 30
        while self.status("GET", "/healthz") != 200:
            assert self.process.poll() is None, self.talk
            assert time.monotonic() < deadline, self.talk
            time.sleep(0.02)

    def stop(self) -> int:
        """Stop it as systemd does; what it said at its end must balance."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        summary = dict(re.findall(r"(\w+)=([\d.]+)", self.talk.strip().rpartition("\n")[2]))
        counters = [int(summary.get(name, -1)) for name in ("received", "new", "duplicate", "rejected")]
        if code != 143 or counters[0] != sum(counters[1:]):
            self.faults.append(f"exit {code}, {summary}")
        self.look_for_tracebacks()
        return code

    @property
    def talk(self) -> str:
        return (self.folder / "err").read_text(errors="replace")

    @property
    def written(self) -> int:
        """The size of the store's journal, which grows with the first push that is stored."""
        journal = self.store.with_name(f"{self.store.name}-wal")
        return journal.stat().st_size if journal.exists() else 0

    def look_for_tracebacks(self) -> None:
        talk = self.talk
        if "Traceback" in talk or "internal" in talk or PATH_SECRET in talk:
            self.faults.append(f"traceback or secret: {talk[-300:]}")

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        """The status of one request; 0 where there is no answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
                line.sendall(
                    f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}"
                    "\r\n\r\n".encode()
                    + body
                )
                answer = line.recv(4096)
        except OSError:
            return 0
        return int(answer[9:12]) if answer else 0

    def push(self, body: bytes) -> int:
        return self.status("POST", f"/{PATH_SECRET}/SmsReport", body)

    def pusher(self, seconds: float, *words: str) -> subprocess.Popen[str]:
        """A load, whose ledger it leaves in the folder."""
        ledger = self.folder / "ledger"
        return subprocess.Popen(
            [sys.executable, "-m", "tests.bench.pusher", self.url, "--seconds", str(seconds), "--ledger", str(ledger),
             *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )  # fmt: skip

    def judge(self, pusher: subprocess.Popen[str], receipts: int) -> Figures:
        """Compare the store with what was answered 200."""
        told = json.loads(pusher.communicate(timeout=60)[0])
        ledger = [line.split() for line in (self.folder / "ledger").read_text().splitlines()]
        acked = {int(number) for number, status in ledger if status == "200"}
        stored = stored_by_number(self.store)
        return Figures(
            statuses=Counter({int(status): count for status, count in told["statuses"].items()}),
            acked=len(acked) * receipts,
            lost=sum(max(0, receipts - stored[number]) for number in acked),
            duplicated=sum(max(0, count - receipts) for count in stored.values()),
            p99=told["p99"],
            slowest=told["max"],
            lag=told["lag"],
            rate=told["rate"],
            faults=self.faults + unsound(self.store),
        )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SMSRECEIPT", "ALIBABA"))}


def stored_by_number(store: Path) -> Counter[int]:
    """By a push's number, how many statements of it the store holds."""
    db = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found: Counter[int] = Counter()
        for (body,) in db.execute("SELECT body FROM statement UNION ALL SELECT body FROM reject"):
            assert isinstance(body, bytes)
            for number in re.findall(rb'"out_id":"(\d+)"', body):
                found[int(number)] += 1
        return found
    finally:
        db.close()
