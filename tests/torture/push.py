"""Pushes under load, on a stalled store, and among garbage: nothing answered 200 is ever missing, or there twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import apsw

from smsreceipt.sources.push_intake import ANSWER_WITHIN
from tests.bench.pusher import body_of, percentile
from tests.torture.concurrency import _LOCKER
from tests.torture.disk import small_disk
from tests.torture.world import ROOT, kill, unsound

_PATH_SECRET = "0123456789abcdef" * 2
_ADDRESS = re.compile(r"listening on ([0-9.]+:\d+);")
_NOISE = 5.0  # milliseconds that a machine with other work adds to a median by itself
_LATE = 0.65  # seconds after which a 503 came too late


@dataclass
class Figures:
    """What a load brought, and what is wrong with it."""

    statuses: Counter[int] = field(default_factory=Counter)
    acked: int = 0  #: receipts answered 200
    lost: int = 0  #: of these, not in the store
    duplicated: int = 0
    p99: float = 0.0  #: milliseconds
    slowest: float = 0.0
    rate: float = 0.0  #: pushes a second
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.acked > 0 and not (self.lost or self.duplicated or self.faults)

    def __str__(self) -> str:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"answers={statuses} acked={self.acked} lost={self.lost} duplicated={self.duplicated}"
            f" rate={self.rate:.0f}/s p99={self.p99:.0f} ms max={self.slowest:.0f} ms"
            f" integrity/books={'; '.join(sorted(set(self.faults))[:8]) or 'ok'}"
        )


class Listener:
    """The program, listening on a port that it keeps through restarts."""

    def __init__(self, *, bug: str = "", disk: Path | None = None) -> None:
        """*disk*: where the store is, if not with everything else."""
        self.folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-"))
        self.store = (disk or self.folder) / "receipts.db"
        self._secret = self.folder / "push.secret"
        self._secret.touch(0o600)
        self._secret.write_text(_PATH_SECRET + "\n")
        self._bug = bug
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/{_PATH_SECRET}/SmsReport"
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
        books = [int(summary.get(name, -1)) for name in ("received", "new", "duplicate", "rejected")]
        if code != 143 or books[0] != sum(books[1:]):
            self.faults.append(f"exit {code}, {summary}")
        self.look_for_tracebacks()
        return code

    @property
    def talk(self) -> str:
        return (self.folder / "err").read_text(errors="replace")

    def look_for_tracebacks(self) -> None:
        talk = self.talk
        if "Traceback" in talk or "internal" in talk or _PATH_SECRET in talk:
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
        return self.status("POST", f"/{_PATH_SECRET}/SmsReport", body)

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
        stored = _stored(self.store)
        return Figures(
            statuses=Counter({int(status): count for status, count in told["statuses"].items()}),
            acked=len(acked) * receipts,
            lost=sum(max(0, receipts - stored[number]) for number in acked),
            duplicated=sum(max(0, count - receipts) for count in stored.values()),
            p99=told["p99"],
            slowest=told["max"],
            rate=told["rate"],
            faults=self.faults + unsound(self.store),
        )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SMSRECEIPT", "ALIBABA"))}


def _stored(store: Path) -> Counter[int]:
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


# -- load, and kill -9 in the middle ---------------------------------------------------------------------------------


def load(seconds: float, *, receipts: int = 1, kills: int = 2, bug: str = "", connections: int = 64) -> Figures:
    """Push for so long; kill the listener so often on the way, and start it again.

    Every second time it is killed while it waits for a store that another process holds: what it has in hand then is
    there to be lost.
    """
    with Listener(bug=bug) as listener:
        pusher = listener.pusher(seconds, "--receipts", str(receipts), "--connections", str(connections))
        for number in range(kills):
            time.sleep(seconds / (kills + 1))
            with _held(listener.store) if number % 2 else nullcontext():
                kill(listener.process)
            listener.look_for_tracebacks()
            listener.start()
        pusher.wait(seconds + 30)
        listener.stop()
        return listener.judge(pusher, receipts)


@contextmanager
def _held(store: Path) -> Iterator[None]:
    """Hold the store's write lock, and let those wait for it who will."""
    other = apsw.Connection(str(store))
    other.set_busy_timeout(10_000)
    other.execute("BEGIN IMMEDIATE")
    try:
        time.sleep(0.3)
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


# -- a store that is locked ------------------------------------------------------------------------------------------


def stall(seconds: float, *, bug: str = "") -> Figures:
    """Push while another process holds the store, then send again what was refused."""
    with Listener(bug=bug) as listener:
        locker = subprocess.Popen([sys.executable, "-c", _LOCKER, str(listener.store), str(seconds + 2)])
        time.sleep(1)
        pusher = listener.pusher(seconds - 1, "--connections", "16")
        pusher.wait(seconds + 30)
        healthy = listener.status("GET", "/healthz")
        still_locked = locker.poll() is None
        locker.wait(20)
        figures = listener.judge(pusher, 1)
        ledger = [line.split() for line in (listener.folder / "ledger").read_text().splitlines()]
        refused = [int(number) for number, status in ledger if status == "503"]
        if set(figures.statuses) != {503} or figures.slowest > _LATE * 1000 or healthy != 503 or not still_locked:
            listener.faults.append(f"not only 503s in time: health {healthy}, locked {still_locked}")
        landed = _send_again(listener, refused)
        listener.stop()
        stored = _stored(listener.store)
        figures.acked = landed
        figures.lost = sum(1 for number in refused if not stored[number])
        figures.duplicated = sum(count - 1 for count in stored.values())
        figures.faults = listener.faults + unsound(listener.store)
        return figures


def _send_again(listener: Listener, numbers: list[int]) -> int:
    return sum(listener.push(body_of(number, 1)) == 200 for number in numbers)


# -- a disk that is full ---------------------------------------------------------------------------------------------


def full_disk(bug: str = "") -> Figures | None:
    """Push until a disk of 8 MB is full, free some, and push on. None where nothing can be mounted."""
    with small_disk("8m") as small:
        if small is None:
            return None
        ballast = small / "ballast"
        ballast.write_bytes(bytes(5 << 20))
        with Listener(bug=bug, disk=small) as listener:
            acked: list[int] = []
            refused = _push_until(listener, range(1_000), acked, wanted=503)
            healthy = listener.status("GET", "/healthz")
            alive = listener.process.poll() is None
            ballast.unlink()
            _push_until(listener, range(refused, refused + 200), acked, wanted=200)
            recovered = listener.status("GET", "/healthz")
            acked += [number for number in range(20_000, 20_020) if listener.push(body_of(number, 20)) == 200]
            listener.stop()
            stored = _stored(listener.store)
            if (healthy, alive, recovered) != (503, True, 200) or acked[-1] != 20_019:
                listener.faults.append(f"full: health {healthy}, alive {alive}; then health {recovered}")
            return Figures(
                statuses=Counter({200: len(acked)}),
                acked=len(acked) * 20,
                lost=sum(20 - stored[number] for number in acked),
                duplicated=sum(max(0, count - 20) for count in stored.values()),
                faults=listener.faults + unsound(listener.store),
            )


def _push_until(listener: Listener, numbers: range, acked: list[int], *, wanted: int) -> int:
    """Push twenties until the answer is the one that is waited for; the number of the push that got it."""
    for number in numbers:
        status = listener.push(body_of(number, 20))
        if status == 200:
            acked.append(number)
        if status == wanted:
            return number
    listener.faults.append(f"no push was answered {wanted}")
    return numbers.stop


def failing_disk(call: str, bug: str = "") -> Figures:
    """Push while *call* fails with EIO from its second time on: 503 and exit 6; then, on a sound disk, push again."""
    with Listener() as listener:
        acked = [number for number in range(5) if listener.push(body_of(number, 1)) == 200]
        listener.stop()
        words = listener.words()
        tracer = f"strace -qq -o {listener.folder / 'log'} --trace={call} --inject={call}:error=EIO:when=2+"
        listener.start([*words[:2], "tests.torture.traced", tracer, bug, *words[words.index("listen") :]])
        refused: list[int] = []
        for number in range(10, 20):
            status = listener.push(body_of(number, 1))
            (acked if status == 200 else refused).append(number)
        with suppress(subprocess.TimeoutExpired):
            listener.process.wait(10)
        if listener.process.returncode != 6 or "the disk failed under the store" not in listener.talk or not refused:
            listener.faults.append(f"{call} EIO: exit {listener.process.returncode}, {len(refused)} refused")
        if listener.process.returncode is None:
            kill(listener.process)
        listener.look_for_tracebacks()
        early = _stored(listener.store)
        lost = {number for number in acked if not early[number]}
        listener.start()
        acked += [number for number in refused if listener.push(body_of(number, 1)) == 200]
        listener.stop()
        stored = _stored(listener.store)
        return Figures(
            statuses=Counter({200: len(acked), 503: len(refused)}),
            acked=len(acked),
            lost=len(lost | {number for number in acked if not stored[number]}),
            duplicated=sum(count - 1 for count in stored.values()),
            faults=listener.faults + unsound(listener.store),
        )


# -- garbage ---------------------------------------------------------------------------------------------------------


@dataclass
class Siege:
    """How a listener stood it."""

    requests: int = 0
    grown: float = 0.0  #: MiB of memory
    leaked: int = 0  #: descriptors
    before: float = 0.0  #: ms, median and p99 of a legitimate push without garbage and with it
    before_p99: float = 0.0
    under: float = 0.0
    under_p99: float = 0.0
    answered: int = 0  #: legitimate pushes answered 200 under it
    refused: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return (
            self.answered > 0
            and not (self.refused or self.faults)
            and self.grown <= 50
            and self.leaked <= 0
            and self.under <= max(2 * self.before, self.before + _NOISE)
            and self.under_p99 < ANSWER_WITHIN * 1000
        )

    def __str__(self) -> str:
        return (
            f"requests={self.requests} memory={self.grown:+.1f} MiB descriptors={self.leaked:+d}"
            f" legitimate={self.answered} refused={self.refused} median {self.before:.1f} -> {self.under:.1f} ms,"
            f" p99 {self.before_p99:.1f} -> {self.under_p99:.1f} ms faults={'; '.join(self.faults[:4]) or 'none'}"
        )


def garbage(requests: int, *, idle: int = 1_000, warm: float = 1, rate: float = 400, seed: int = 5) -> Siege:
    """So many requests that no honest peer sends, and so many idle connections, while a provider goes on pushing.

    *warm*: seconds of honest load before, so that what the store's page cache takes is not mistaken for a leak.
    """
    with Listener() as listener:
        siege, dice = Siege(requests), random.Random(seed)
        listener.pusher(warm, "--receipts", "10").communicate(timeout=warm + 30)
        siege.before, siege.before_p99, _, _ = _legitimate(listener, 10**6, _until_time(3))
        memory, descriptors = _memory(listener.process.pid), _descriptors(listener.process.pid)
        done = threading.Event()
        result: list[Any] = []
        honest = threading.Thread(target=lambda: result.append(_legitimate(listener, 2 * 10**6, done)))
        honest.start()
        with _idlers(listener, idle):
            besiegers = multiprocessing.get_context("spawn").Process(  # or they would hold up those who measure
                target=_besiege, args=(listener.port, requests, rate, dice.random())
            )
            besiegers.start()
            besiegers.join()
        done.set()
        honest.join()
        siege.under, siege.under_p99, siege.answered, siege.refused = result[0]
        time.sleep(1.5)  # for what lingers
        siege.grown = _memory(listener.process.pid) - memory
        siege.leaked = _descriptors(listener.process.pid) - descriptors
        listener.stop()
        siege.faults = listener.faults + unsound(listener.store)
        return siege


def _until_time(seconds: float) -> threading.Event:
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.daemon = True
    timer.start()
    return over


def _legitimate(listener: Listener, first: int, done: threading.Event) -> tuple[float, float, int, int]:
    """Push every 20 ms over a connection as the provider does; median and p99 in ms, how many were good, and not."""
    times, refused, number = [], 0, first
    head = f"POST /{_PATH_SECRET}/SmsReport HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    line = socket.create_connection(("127.0.0.1", listener.port), timeout=5)
    while not done.wait(0.02):
        body = body_of(number, 1)
        number += 1
        began = time.perf_counter()
        try:
            line.sendall((head % len(body)).encode() + body)
            status = line.recv(4096)[9:12]
        except OSError:
            status = b""
        times.append(time.perf_counter() - began)
        if status != b"200":
            refused += 1
            line.close()
            line = socket.create_connection(("127.0.0.1", listener.port), timeout=5)
    line.close()
    times.sort()
    return percentile(times, 0.5), percentile(times, 0.99), len(times) - refused, refused


@contextmanager
def _idlers(listener: Listener, count: int) -> Iterator[None]:
    """Connections that never ask anything, or never get to the end of it."""
    lines = []
    try:
        for number in range(count):
            with suppress(OSError):
                line = socket.create_connection(("127.0.0.1", listener.port), timeout=5)
                lines.append(line)
                if number % 3 == 1:
                    line.sendall(b"POST / HTTP/1.1\r\nX: ")
        yield
    finally:
        for line in lines:
            line.close()


def _besiege(port: int, requests: int, rate: float, seed: float) -> None:
    """At most so many a second: it is the listener that is tried, not the machine."""
    lanes, dice = 4, random.Random(seed)
    seeds = [dice.random() for _ in range(lanes)]

    def lane(seed: float) -> None:
        own, began = random.Random(seed), time.monotonic()
        for number in range(requests // lanes):
            time.sleep(max(0.0, began + number * lanes / rate - time.monotonic()))
            with suppress(OSError):
                _one_bad(port, own)

    threads = [threading.Thread(target=lane, args=(seed,)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _one_bad(port: int, dice: random.Random) -> None:
    wire = dice.choice(_BAD)(dice)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.settimeout(0.3)
        line.sendall(wire)
        if dice.random() < 0.8:
            line.recv(4096)


def _request(dice: random.Random, body: bytes, *headers: str, path: str = "", method: str = "POST") -> bytes:
    told = path or dice.choice([f"/{_PATH_SECRET}", f"/{_PATH_SECRET}/SmsUp", f"/{_PATH_SECRET}/SecretReport"])
    return "\r\n".join([f"{method} {told} HTTP/1.1", "Host: x", *headers, "", ""]).encode() + body


def _sized(dice: random.Random, body: bytes) -> bytes:
    return _request(dice, body, f"Content-Length: {len(body)}", "Connection: close")


def _noise(dice: random.Random, most: int) -> bytes:
    return dice.randbytes(dice.randrange(most))


_BAD = (
    lambda d: _noise(d, 2_000),
    lambda d: _sized(d, _noise(d, 3_000)),
    lambda d: _sized(d, b"[" * d.randrange(1, 50_000)),
    lambda d: _sized(d, b'[{"a":' * d.randrange(1, 9_000)),
    lambda d: _sized(d, b"[" + b"null," * d.randrange(1, 1_500) + b"null]"),
    lambda d: _sized(d, b"\0" * d.randrange(1, 5_000)),
    lambda d: _sized(d, b'[{"phone_number":"\\u0000","biz_id":"\\ud800"}]'),
    lambda d: _sized(d, b'[{"biz_id":1e999,"biz_id":NaN}]'),
    lambda d: _request(d, b"{}", f"Content-Length: {d.randrange(3, 10**9)}"),
    lambda d: _request(d, b"{}", f"Content-Length: -{d.randrange(9)}"),
    lambda d: _request(d, b"{}", f"Content-Length: {'9' * d.randrange(1, 400)}"),
    lambda d: _request(d, b"{}" * 9, "Content-Length: 1"),
    lambda d: _request(d, b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
    lambda d: _request(d, b"1\r\n[\r\n" * d.randrange(5_000), "Transfer-Encoding: chunked"),
    lambda d: _request(d, b"fffffffffffffff\r\n" + _noise(d, 90), "Transfer-Encoding: chunked"),
    lambda d: _request(d, b"g\r\n" + _noise(d, 90), "Transfer-Encoding: chunked"),
    lambda d: _request(d, b"\x1f\x8b" + _noise(d, 90), "Content-Encoding: gzip", "Content-Length: 50"),
    lambda d: _request(d, b"", method="GET") * d.randrange(2, 300),
    lambda d: _request(d, b"", "X: " + "x" * d.randrange(60_000)),
    lambda d: _request(d, b"", *["X: x"] * d.randrange(9_000)),
    lambda d: _request(d, b"", path="/" + "p" * d.randrange(60_000)),
    lambda d: _request(d, b"x" * 500, "Content-Length: 500", path=f"/{_noise(d, 20).hex()}/SmsReport"),
    lambda d: _request(d, b"", "Connection: upgrade", "Upgrade: websocket", method="GET"),
    lambda d: _request(d, b"", path="x:1", method="CONNECT"),
    lambda d: _request(d, b"", "Expect: 100-continue", "Content-Length: 10"),
)


def _memory(pid: int) -> float:
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def _descriptors(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


# -- all of it -------------------------------------------------------------------------------------------------------


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    figures = load(6, bug="ok-before-commit")
    print(f"push, planted ok-before-commit: {'caught' if not figures.good else 'NOT CAUGHT'}: {figures}", flush=True)
    good = not figures.good
    for receipts in (1, 10):
        figures = load(60 if full else 8, receipts=receipts)
        print(f"push, 64 connections, {receipts} a push, killed twice: {figures}", flush=True)
        good &= figures.good
    figures = stall(10 if full else 4)
    print(f"push, store locked: {figures}", flush=True)
    good &= figures.good
    if (filled := full_disk()) is not None:
        swallowed = full_disk("swallow")
        caught = swallowed is not None and not swallowed.good
        print(f"push, disk full, planted swallow: {'caught' if caught else 'NOT CAUGHT'}: {swallowed}", flush=True)
        good &= caught and filled.good
    print(f"push, disk full: {filled or 'NOT CHECKED: nothing can be mounted'}", flush=True)
    swallowed = failing_disk("fdatasync", "swallow")
    print(f"push, EIO, planted swallow: {'caught' if not swallowed.good else 'NOT CAUGHT'}: {swallowed}", flush=True)
    good &= not swallowed.good
    for call in ("fdatasync", "pwrite64"):
        figures = failing_disk(call)
        print(f"push, {call} fails with EIO: {figures}", flush=True)
        good &= figures.good
    siege = garbage(50_000, warm=15) if full else garbage(3_000, idle=300, warm=3)
    print(f"push, garbage: {siege}", flush=True)
    return good and siege.good
