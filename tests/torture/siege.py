"""A listener among garbage and idle connections, while a provider goes on pushing."""

from __future__ import annotations

import multiprocessing
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smsreceipt.sources.push.intake import ANSWER_WITHIN
from tests.bench.pusher import body_of, percentile
from tests.torture.listener import PATH_SECRET, Listener
from tests.torture.world import unsound, until

_NOISE = 5.0  # milliseconds that a machine with other work adds to a median by itself


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
    """So many requests that are malformed, and so many idle connections, while a provider goes on pushing.

    *warm*: seconds of ordinary load before, so that what the store's page cache takes is not mistaken for a leak.
    """
    with Listener() as listener:
        siege, dice = Siege(requests), random.Random(seed)
        listener.pusher(warm, "--receipts", "10").communicate(timeout=warm + 30)
        siege.before, siege.before_p99, _, _ = _legitimate(listener, 10**6, _until_time(3))
        memory, descriptors = _memory(listener.process.pid), _descriptors(listener.process.pid)
        done, begun = threading.Event(), threading.Event()
        result: list[Any] = []
        provider = threading.Thread(target=lambda: result.append(_legitimate(listener, 2 * 10**6, done, begun)))
        provider.start()
        begun.wait(5)  # of connections that never sent a request, the oldest is closed for a new one
        with _idlers(listener, idle):
            besiegers = multiprocessing.get_context("spawn").Process(  # or they would hold up those who measure
                target=_besiege, args=(listener.port, requests, rate, dice.random())
            )
            besiegers.start()
            besiegers.join()
        done.set()
        provider.join()
        siege.under, siege.under_p99, siege.answered, siege.refused = result[0]
        until(lambda: _descriptors(listener.process.pid) <= descriptors)  # the last connections linger
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


def _legitimate(
    listener: Listener, first: int, done: threading.Event, begun: threading.Event | None = None
) -> tuple[float, float, int, int]:
    """Push every 20 ms over a connection as the provider does; median and p99 in ms, how many were good, and not.

    *begun* is set after the first answer.
    """
    times, refused, number = [], 0, first
    head = f"POST /{PATH_SECRET}/SmsReport HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
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
        if begun is not None:
            begun.set()
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
    told = path or dice.choice([f"/{PATH_SECRET}", f"/{PATH_SECRET}/SmsUp", f"/{PATH_SECRET}/SecretReport"])
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
