"""A lean sender of pushes, in a process of its own: so many connections, each with one push at a time on its way.

    python -m tests.bench.pusher http://127.0.0.1:8080/SECRET/SmsReport --connections 64 --seconds 10 --receipts 1

Prints one JSON object: how many were answered with what, how long the answers took, and its own CPU. With --ledger FILE
it notes there, in a line each, the number of a push and how it was answered. A connection that breaks is made again.
SIGTERM ends the load before its time. With --pause each connection waits so long between two pushes; for an answer that
takes longer, the pushes that were due meanwhile are counted with the time that they would have taken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import resource
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_RECEIPT = (
    b'{"phone_number":"138%08d","send_time":"2026-11-20 15:49:55","report_time":"2026-11-20 15:49:58","success":true,'
    b'"err_code":"DELIVERED","err_msg":"\xe7\x94\xa8\xe6\x88\xb7\xe6\x8e\xa5\xe6\x94\xb6\xe6\x88\x90\xe5\x8a\x9f",'
    b'"sms_size":"1","biz_id":"T%09d^%d","out_id":"%d"}'
)
_AGAIN = 0.02  # seconds before a broken connection is made again


def body_of(number: int, receipts: int) -> bytes:
    """The body of push *number*: no two pushes share a receipt."""
    return _template(receipts) % ((number % 10**8, number, number) * receipts)


@cache
def _template(receipts: int) -> bytes:
    """The body of every push but for its number, which makes a push cost the sender one formatting."""
    return b"[" + b",".join(_RECEIPT.replace(b"^%d", b"^%d" % n) for n in range(receipts)) + b"]"


@dataclass
class Load:
    """One load: what is sent, and what came back."""

    url: str
    receipts: int
    first: int = 0
    pause: float = 0.0  #: seconds
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    ledger: list[tuple[int, int]] = field(default_factory=list)
    broken: int = 0
    lag: float = 0.0  #: seconds
    over: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json;charset=utf-8\r\n"
            "User-Agent: pusher\r\nContent-Length: %d\r\n\r\n"
        ).encode()
        self.numbers = itertools.count(self.first)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, lost: asyncio.Future[None]) -> None:
        self._load, self._lost = load, lost
        self._seen = b""
        self._number = -1
        self._began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP has no other
        self._wire = transport
        self._send()

    def _send(self) -> None:
        load = self._load
        if load.over:
            self._number = -1
            self._wire.close()
            return
        self._number = next(load.numbers)
        body = body_of(self._number, load.receipts)
        self._began = time.perf_counter()
        self._wire.write(load.head % len(body) + body)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._seen, 0, end + 2)
        if length is None or len(self._seen) < end + 4 + int(length[1]):
            return
        load, status = self._load, int(self._seen[9:12])
        taken = time.perf_counter() - self._began
        load.times.append(taken)
        while load.pause and (taken := taken - load.pause) > 0:
            load.times.append(taken)
        load.statuses[status] += 1
        load.ledger.append((self._number, status))
        self._seen = b""
        if load.pause:
            asyncio.get_running_loop().call_later(load.pause, self._send)
        else:
            self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._number >= 0 and not self._load.over:
            self._load.broken += 1
        if not self._lost.done():
            self._lost.set_result(None)


async def _keep_line(load: Load) -> None:
    loop = asyncio.get_running_loop()
    while not load.over:
        lost: asyncio.Future[None] = loop.create_future()
        try:
            await loop.create_connection(partial(_Line, load, lost), load.host, load.port)
        except OSError:
            await asyncio.sleep(_AGAIN)
            continue
        await lost


async def _measure_lag(load: Load) -> None:
    """Note the most by which this machine is late to wake up a sleeper."""
    while not load.over:
        due = time.perf_counter() + _AGAIN
        await asyncio.sleep(_AGAIN)
        load.lag = max(load.lag, time.perf_counter() - due)


async def run(load: Load, connections: int, seconds: float) -> float:
    """Push for so long, or until SIGTERM; the seconds that it took."""
    began, stopped = time.perf_counter(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    lines = [asyncio.create_task(_keep_line(load)) for _ in range(connections)]
    lines.append(asyncio.create_task(_measure_lag(load)))
    with suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), seconds)
    load.over = True
    took = time.perf_counter() - began
    await asyncio.wait(lines, timeout=3)
    return took


def percentile(times: list[float], share: float) -> float:
    """Milliseconds within which this share was answered; *times* sorted, in seconds."""
    return times[min(len(times) - 1, int(len(times) * share))] * 1000 if times else 0.0


def main() -> None:
    """Push as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--receipts", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--ledger", type=Path)
    asked = parser.parse_args()
    load = Load(asked.url, asked.receipts, asked.first, asked.pause)
    took = uvloop.run(run(load, asked.connections, asked.seconds))
    times, usage = sorted(load.times), resource.getrusage(resource.RUSAGE_SELF)
    if asked.ledger:
        asked.ledger.write_text("".join(f"{number} {status}\n" for number, status in load.ledger))
    print(
        json.dumps(
            {
                "statuses": load.statuses,
                "broken": load.broken,
                "seconds": took,
                "rate": load.statuses[200] / took,
                "p50": percentile(times, 0.5),
                "p99": percentile(times, 0.99),
                "max": percentile(times, 1),
                "lag": load.lag * 1000,
                "cpu": (usage.ru_utime + usage.ru_stime) / max(1, len(times)) * 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
