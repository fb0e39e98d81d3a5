"""How fast pushes are received: ours against the obvious Flask receiver on waitress that commits before it answers.

    python -m tests.bench.listen [--seconds 10] [--rounds 3] [--connections 64]

The same lean sender, a process of its own, pushes to each in turn: single receipts, then ten a push. Every answer comes
after the receipts are durably committed. Each receiver starts with an empty database on the disk of this directory.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.pull import _cpu_of
from tests.ports import free_port

_LINE = "{:30}{:>10}{:>12}{:>8}{:>8}{:>8}{:>13}{:>9}"
SECRET = "0123456789abcdef" * 2
PEER = Path(__file__).parent / "peers" / "flask_receiver.py"


@dataclass(frozen=True)
class Receiver:
    """One way to receive pushes."""

    name: str
    command: tuple[str, ...]
    path: str


RECEIVERS = (
    Receiver("Flask + sqlite3 on waitress", (sys.executable, str(PEER), "PORT", "FOLDER/peer.db"), "/callback"),
    Receiver(
        "smsreceipt listen",
        (sys.executable, "-m", "smsreceipt", "listen", "--bind", "127.0.0.1:PORT", "--store", "FOLDER/ours.db",
         "--metrics-bind", "off"),
        f"/{SECRET}/SmsReport",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one load brought."""

    rate: float  # pushes a second
    p50: float  # milliseconds
    p99: float
    longest: float
    cpu: float  # µs of the receiver's CPU a push
    refused: int


def measure(receiver: Receiver, receipts: int, seconds: float, connections: int) -> Run:
    """Push to a fresh receiver for so long."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        secret = Path(folder) / "ours.secret"
        secret.touch(0o600)
        secret.write_text(SECRET + "\n")
        port = free_port()
        words = [word.replace("PORT", str(port)).replace("FOLDER", folder) for word in receiver.command]
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}{receiver.path}"
        try:
            _until_it_answers(port, receiver.path)
            used = _cpu_of(child.pid)
            told = json.loads(
                subprocess.run(
                    [sys.executable, "-m", "tests.bench.pusher", url, "--seconds", str(seconds), "--receipts",
                     str(receipts), "--connections", str(connections)],
                    stdout=subprocess.PIPE, check=True,
                ).stdout
            )  # fmt: skip
            used = _cpu_of(child.pid) - used
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()
    answered = sum(told["statuses"].values())
    refused = answered - told["statuses"].get("200", 0) + told["broken"]
    return Run(told["rate"], told["p50"], told["p99"], told["max"], used / max(answered, 1) * 1e6, refused)


def _until_it_answers(port: int, path: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as line:
            line.request("POST", path, b"[]", {"Content-Type": "application/json"})
            if line.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise SystemExit("a receiver does not answer")


def compare(receipts: int, rounds: int, seconds: float, connections: int) -> None:
    """Let the receivers take turns; print medians and the ratio."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for receiver in RECEIVERS:
            runs.setdefault(receiver.name, []).append(measure(receiver, receipts, seconds, connections))
    plural = "s" * (receipts > 1)
    print(f"\n{receipts} receipt{plural} a push, {connections} connections, median of {rounds} × {seconds:g} s:")
    print(_LINE.format("receiver", "pushes/s", "receipts/s", "p50 ms", "p99 ms", "max ms", "CPU µs/push", "refused"))
    for name, found in runs.items():
        middle = {field: statistics.median(getattr(run, field) for run in found) for field in Run.__annotations__}
        rate, longest = middle["rate"], max(run.longest for run in found)
        times = [f"{each:.1f}" for each in (middle["p50"], middle["p99"], longest)]
        cells = [f"{rate:,.0f}", f"{rate * receipts:,.0f}", *times, f"{middle['cpu']:.0f}", f"{middle['refused']:.0f}"]
        print(_LINE.format(name, *cells))
    peer, ours = runs.values()
    faster = statistics.median(a.rate / b.rate for a, b in zip(ours, peer, strict=True))
    leaner = statistics.median(b.cpu / a.cpu for a, b in zip(ours, peer, strict=True))
    print(
        f"against the Flask receiver: {faster:.1f} × the pushes a second, 1/{leaner:.1f} of the CPU per push",
        flush=True,
    )


def main() -> None:
    """Singles, then tens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, shared with the sender; Python {sys.version.split()[0]}")
    for receipts in (1, 10):
        compare(receipts, asked.rounds, asked.seconds, asked.connections)


if __name__ == "__main__":
    main()
