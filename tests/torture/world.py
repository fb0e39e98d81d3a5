"""A provider that is never killed, a ledger of what it was given, and a judge of what the store made of it."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import apsw

from smsreceipt.sandbox import Options, Sandbox
from smsreceipt.sandbox.queues.queue import Message, Queue
from smsreceipt.sandbox.wire.admission import Admission
from smsreceipt.sandbox.wire.mns import Refusal

ROOT = Path(__file__).parents[2]
KINDS = ("SmsReport", "SmsUp", "SecretStartReport", "SecretReport")
_SERIAL = re.compile(rb"T\d{9}")
_serials = map("T{:09}".format, itertools.count(1))  # no generators: several threads take from them
_uids = map(str, itertools.count(1_000_000_001))
_SUMMARY = re.compile(
    r"^received=(\d+) new=(\d+) duplicate=(\d+) rejected=(\d+) deleted=(\d+) undeleted=(\d+) ", re.MULTILINE
)
_again: defaultdict[str, set[bytes]] = defaultdict(set)  # queue --> messages that were delivered more than once

_refused: Counter[int] = Counter()  # a sandbox, by its clock --> calls with a token that had ended


def _noting(hide: Callable[[Queue, Message, int], None]) -> Callable[[Queue, Message, int], None]:
    def noted(queue: Queue, message: Message, until: int) -> None:
        if message.dequeued > 1:
            _again[queue.name].add(message.id)
        hide(queue, message, until)

    return noted


def _counting(check: Callable[..., Any]) -> Callable[..., Any]:
    def counted(admission: Admission, token: Any, security_token: bytes | None) -> Any:
        try:
            return check(admission, token, security_token)
        except Refusal as refusal:
            _refused[id(admission._clock)] += refusal.code == "SecurityTokenExpired"
            raise

    return counted


patch.object(Queue, "_hide", _noting(Queue._hide)).start()
patch.object(Admission, "_check_token", _counting(Admission._check_token)).start()


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended; a negative code is a signal that killed it."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def summary(self) -> dict[str, int]:
        """The summary's numbers; {} where there is none."""
        found = _SUMMARY.search(self.err)
        names = ("received", "new", "duplicate", "rejected", "deleted", "undeleted")
        return dict(zip(names, map(int, found.groups()), strict=True)) if found else {}

    @property
    def balanced(self) -> bool:
        """Whether the summary is there and its counters add up."""
        it = self.summary
        return bool(it) and it["received"] == it["new"] + it["duplicate"] + it["rejected"]


@dataclass
class Verdict:
    """Jepsen's four counters, and what else is wrong."""

    acked: int = 0  #: messages in the ledger
    lost: int = 0  #: given to the queue, gone from it, not in the store
    duplicated: int = 0  #: in the store more than once
    unexpected: int = 0  #: in the store, never given
    recovered: int = 0  #: delivered more than once, as after a kill, and in the store once
    faults: list[str] = field(default_factory=list)  #: integrity, counters, leftovers, tracebacks

    @property
    def good(self) -> bool:
        return not (self.lost or self.duplicated or self.unexpected or self.faults)

    def __iadd__(self, other: Verdict) -> Self:
        self.acked += other.acked
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.unexpected += other.unexpected
        self.recovered += other.recovered
        self.faults += other.faults
        return self

    def __str__(self) -> str:
        said = "; ".join(sorted(set(self.faults))[:8])
        return (
            f"messages={self.acked} lost={self.lost} duplicated={self.duplicated} unexpected={self.unexpected}"
            f" recovered={self.recovered} store={said or 'ok'}"
        )


class World:
    """One sandbox, one store, one ledger."""

    def __init__(self, *, bug: str = "", tmpfs: Path | None = None, **options: Any) -> None:
        self.uid = next(_uids)
        self.bug = bug
        self.folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-", dir=tmpfs))
        self.store = self.folder / "receipts.db"
        self.ledger: dict[str, str] = {}  #: serial --> kind
        self.faults: list[str] = []
        self.sandbox = Sandbox(Options(**{"port": 0, "uid": self.uid, "visibility": 2, **options}))
        self._dice = random.Random(self.uid)

    def __enter__(self) -> Self:
        self.sandbox.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.sandbox.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, count: int, *, kinds: Sequence[str] = KINDS, poison: float = 0.02, repeats: float = 0.02) -> None:
        """Queue *count* messages no one has seen, some of them unreadable, some of them twice."""
        by_kind: defaultdict[str, list[str | bytes | Mapping[str, object]]] = defaultdict(list)
        for serial in itertools.islice(_serials, count):
            kind = self._dice.choice(kinds)
            self.ledger[serial] = kind
            body = f"!!!!{serial}!!!!" if self._dice.random() < poison else message(kind, serial)
            by_kind[kind] += [body] * (2 if self._dice.random() < repeats else 1)
        for kind, bodies in by_kind.items():
            objects = [body for body in bodies if isinstance(body, Mapping)]
            self.sandbox.put_object(self.queue(kind), *objects)
            self.sandbox.put(self.queue(kind), *(body for body in bodies if isinstance(body, str)))

    def queue(self, kind: str) -> str:
        return f"Alicom-Queue-{self.uid}-{kind}"

    def count(self, name: str) -> int:
        """A counter of the sandbox: sent, queued, invisible, deleted, …"""
        found = self.sandbox.state()[name]
        assert isinstance(found, int)
        return found

    @property
    def calls(self) -> int:
        """How often the provider was asked for anything."""
        calls = self.sandbox.state()["calls"]
        assert isinstance(calls, dict)
        return sum(calls.values())

    @property
    def expired_calls(self) -> int:
        """Calls that came with a token that had ended."""
        return _refused[id(self.sandbox._clock)]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SMSRECEIPT", "ALIBABA"))},
            **self.sandbox.environment(),
            "SMSRECEIPT_STORE": str(self.store),
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }

    def words(self, *args: str) -> list[str]:
        """The command line of a run of the program, with its planted bug if it has one."""
        return [sys.executable, "-m", *(["tests.torture.planted", self.bug] if self.bug else ["smsreceipt"]), *args]

    def pull_words(self, *args: str, kinds: Sequence[str] = KINDS, wait: int = 1) -> list[str]:
        types = [word for kind in kinds for word in ("--type", kind)]
        return self.words("pull", "--uid", self.uid, *types, "--wait", str(wait), "--json", "--min-free", "0", *args)

    def start(self, words: Sequence[str], **env: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own; its output goes to files in the world's folder."""
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            return subprocess.Popen(
                words, cwd=ROOT, env={**self.environment, **env}, stdout=out, stderr=err, start_new_session=True
            )

    def run(self, words: Sequence[str], *, timeout: float = 120, **env: str) -> Ended:
        """Run a command to its end and look for tracebacks."""
        began = time.monotonic()
        try:
            done = subprocess.run(
                words, cwd=ROOT, env={**self.environment, **env}, capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as exc:
            self.faults.append(f"still running after {timeout:.0f} s")
            return Ended(-9, "", (exc.stderr or b"").decode(errors="replace"), timeout)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if "Traceback" in err or "error: internal" in err:
            self.faults.append(f"traceback: {err.strip().splitlines()[-1]}")
        return Ended(done.returncode, out, err, time.monotonic() - began)

    def pull(self, *args: str, expect: Sequence[int] = (0, 3)) -> Ended:
        """One plain pull; what it prints must balance."""
        ended = self.run(self.pull_words(*args))
        if ended.code not in expect:
            self.faults.append(f"pull ended with {ended.code}: {ended.err.strip()[-200:]}")
        elif not ended.balanced:
            self.faults.append("the summary is missing or does not balance")
        return ended

    def drain(self) -> None:
        """Pull until the queues are empty: no more than three runs."""
        for _ in range(3):
            self.pull()
            if not self.count("queued") + self.count("invisible"):
                return
        self.faults.append(f"{self.count('queued') + self.count('invisible')} messages left in the queues")

    def judge(self, *, drained: bool = True) -> Verdict:
        """Compare the store with the ledger. Before the queues are drained only what left them can be lost."""
        found = self.stored()
        missing = sum(1 for serial in self.ledger if serial not in found)
        waiting = 0 if drained else self.count("queued") + self.count("invisible")
        return Verdict(
            acked=len(self.ledger),
            lost=max(0, missing - waiting),
            duplicated=sum(times - 1 for times in found.values()),
            unexpected=sum(1 for serial in found if serial not in self.ledger),
            recovered=sum(len(_again[self.queue(kind)]) for kind in KINDS),
            faults=[*self.faults, *(unsound(self.store) if self.store.exists() else [])],
        )

    def stored(self) -> Counter[str]:
        """How often the store holds each serial, as a receipt or as a reject."""
        return serials(self.store) if self.store.exists() and self.store.stat().st_size else Counter()


def serials(store: Path) -> Counter[str]:
    """Every serial in a store, with how many statements and rejects hold it."""
    db = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'statement'").fetchall():
            return Counter()
        bodies = db.execute("SELECT body FROM statement UNION ALL SELECT body FROM reject")
        return Counter(serial_of(bytes(body)) for (body,) in bodies if isinstance(body, bytes))
    finally:
        db.close()


def serial_of(body: bytes) -> str:
    found = _SERIAL.search(body)
    return found[0].decode() if found else "none"


def unsound(store: Path) -> list[str]:
    """What a full integrity check and our own checks find wrong with a store; [] when all is well."""
    db = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(3)") if row != ("ok",)]
        if found or not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'statement'").fetchall():
            return [f"integrity: {line}" for line in found]
        return [name for name, query in _CHECKS.items() if db.execute(query).fetchall()]
    except apsw.Error as exc:
        return [f"integrity: {exc}"]
    finally:
        db.close()


#: Each query finds rows where the counters or the states are wrong.
_CHECKS = {
    "foreign keys": "PRAGMA foreign_key_check",
    "counter behind seq": "SELECT 1 FROM counter WHERE last_seq < (SELECT max(seq) FROM statement)",
    "statements miscounted": "SELECT 1 FROM kind WHERE statements <> (SELECT count(*) FROM statement WHERE kind = id)",
    "identities miscounted": "SELECT 1 FROM kind WHERE identities + tests <>"
    " (SELECT count(*) FROM statement WHERE kind = id AND current)",
    "bodies not read": "SELECT 1 FROM statement JOIN backfill ON seq <= read_to"
    " WHERE -2 IN (billed_parts, talk_seconds) OR '-2' IN (numbers, unread)",
    "not one state": "SELECT 1 FROM statement GROUP BY id1, id2, id3, id4, kind HAVING sum(current) <> 1",
}


def message(kind: str, serial: str) -> dict[str, object]:
    """A receipt of one of our kinds that no other is like, its serial somewhere in it."""
    phone = f"138{serial[2:]}"
    match kind:
        case "SmsReport":
            return {
                "phone_number": phone, "send_time": "2026-11-20 15:49:55", "report_time": "2026-11-20 15:49:58",
                "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1",
                "biz_id": f"{serial}^0",
            }  # fmt: skip
        case "SmsUp":
            return {
                "phone_number": phone, "content": f"收到 {serial}", "send_time": "2026-11-20 16:01:00",
                "dest_code": "1234", "sequence_id": int(serial[1:]), "sign_name": "【阿里云】",
            }  # fmt: skip
        case _:
            call = {
                "pool_key": "FC100000012345678", "sub_id": 1, "call_id": serial, "phone_no": phone,
                "secret_no": "17000000001", "peer_no": "13700002222", "call_type": 0,
                "call_time": "2026-11-20 10:00:00",
            }  # fmt: skip
            over = {
                "start_time": "2026-11-20 10:00:12", "release_time": "2026-11-20 10:03:17", "release_dir": 1,
                "release_cause": 16,
            }  # fmt: skip
            return {**call, **over} if kind == "SecretReport" else call


def kill(process: subprocess.Popen[bytes], signum: int = signal.SIGKILL) -> None:
    """Signal a process group that we started, and wait for it when it cannot survive that."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signum)
    if signum == signal.SIGKILL:
        process.wait()


def until(condition: Callable[[], bool], seconds: float = 30, pause: float = 0.004) -> bool:
    """Wait for a condition; False when it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
