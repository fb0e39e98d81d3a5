"""How fast pushes are received: ours against the obvious receivers on Flask, Node, Bun and Go.

    python -m tests.bench.listen [--seconds 10] [--rounds 3] [--connections 64] [--only Go --only smsreceipt]

Flask on waitress commits each push; the others commit in groups what waits. The same lean sender, a process of its own,
pushes to each in turn: single receipts, then ten a push. Every answer comes after the receipts are durably committed.
Each receiver starts with an empty database on the disk of this directory.
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
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench import durability
from tests.bench.peers import programs
from tests.bench.pull import _cpu_of
from tests.ports import free_port

_LINE = "{:30}{:>10}{:>12}{:>8}{:>8}{:>8}{:>13}{:>9}{:>13}{:>14}"
_TITLES = (
    "pushes/s",
    "receipts/s",
    "p50 ms",
    "p99 ms",
    "max ms",
    "CPU µs/push",
    "refused",
    "sender µs",
    "fsyncs/1,000",
)
TRACED = 2.0  # seconds of the run that counts fsyncs
SECRET = "0123456789abcdef" * 2
PEER = Path(__file__).parent / "peers" / "flask_receiver.py"


@dataclass(frozen=True)
class Receiver:
    """One way to receive pushes."""

    name: str
    command: tuple[str, ...]
    path: str


def receivers(only: Sequence[str]) -> list[Receiver]:
    """Those that can run here, with a name that begins with one of *only* where there are any; ours is the last."""
    python, to = sys.executable, ("PORT", "FOLDER/peer.db")
    ours = ("--bind", "127.0.0.1:PORT", "--store", "FOLDER/ours.db", "--metrics-bind", "off")
    found = [
        Receiver("Flask + sqlite3 on waitress", (python, str(PEER), *to), "/callback"),
        Receiver("Node + better-sqlite3", programs.node("listen.cjs", *to), "/callback"),
        Receiver("Bun + bun:sqlite", programs.bun("listen.bun.js", *to), "/callback"),
        Receiver("Go + go-sqlite3", programs.go("listen", *to), "/callback"),
        Receiver("smsreceipt listen", (python, "-m", "smsreceipt", "listen", *ours), f"/{SECRET}/SmsReport"),
    ]
    return [each for each in found if each.command and each.name.startswith(tuple(only) or "")]


@dataclass(frozen=True)
class Run:
    """What one load brought."""

    answered: int
    rate: float  # pushes a second
    p50: float  # milliseconds
    p99: float
    longest: float
    cpu: float  # µs of the receiver's CPU a push
    refused: int
    sender: float  # µs of the sender's CPU a push


def measure(receiver: Receiver, receipts: int, seconds: float, connections: int, before: tuple[str, ...] = ()) -> Run:
    """Push for so long to a fresh receiver whose command follows the words *before*."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        secret = Path(folder) / "ours.secret"
        secret.touch(0o600)
        secret.write_text(SECRET + "\n")
        port = free_port()
        words = [word.replace("PORT", str(port)).replace("FOLDER", folder) for word in receiver.command]
        child = subprocess.Popen(
            [*before, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
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
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
        stored = told["statuses"].get("200", 0) * receipts
        # The answers of the last pushes may not have been waited for.
        durability.check_rows(Path(folder, "peer.db"), stored, stored + connections * receipts)
    answered = sum(told["statuses"].values())
    refused = answered - told["statuses"].get("200", 0) + told["broken"]
    cpu = used / max(answered, 1) * 1e6
    return Run(answered, told["rate"], told["p50"], told["p99"], told["max"], cpu, refused, told["cpu"])


def syncs(receiver: Receiver, receipts: int, connections: int) -> durability.Syncs | None:
    """The fsyncs of a short load. A commit covers at most one push of each connection."""

    def run(before: tuple[str, ...]) -> tuple[int, float]:
        answered = measure(receiver, receipts, TRACED, connections, before).answered
        return answered * receipts, answered / connections

    return durability.count(run)


def _until_it_answers(port: int, path: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as line:
            line.request("POST", path, b"[]", {"Content-Type": "application/json"})
            if line.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise SystemExit("a receiver does not answer")


def compare(chosen: list[Receiver], receipts: int, rounds: int, seconds: float, connections: int) -> None:
    """Let the receivers take turns; print medians and ratios."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for receiver in chosen:
            runs.setdefault(receiver.name, []).append(measure(receiver, receipts, seconds, connections))
    flushed = {receiver.name: syncs(receiver, receipts, connections) for receiver in chosen}
    plural = "s" * (receipts > 1)
    print(f"\n{receipts} receipt{plural} a push, {connections} connections, median of {rounds} × {seconds:g} s:")
    print(_LINE.format("receiver", *_TITLES))
    for name, found in runs.items():
        middle = {field: statistics.median(getattr(run, field) for run in found) for field in Run.__annotations__}
        rate, longest = middle["rate"], max(run.longest for run in found)
        times = [f"{each:.1f}" for each in (middle["p50"], middle["p99"], longest)]
        cells = [f"{rate:,.0f}", f"{rate * receipts:,.0f}", *times, f"{middle['cpu']:.0f}", f"{middle['refused']:.0f}"]
        print(_LINE.format(name, *cells, f"{middle['sender']:.1f}", durability.cell(flushed[name])))
    *peers, ours = runs
    for peer in peers:
        pairs = list(zip(runs[ours], runs[peer], strict=True))
        faster = statistics.median(a.rate / b.rate for a, b in pairs)
        leaner = statistics.median(b.cpu / a.cpu for a, b in pairs)
        print(f"against {peer}: {faster:.2f} × the pushes a second, 1/{leaner:.2f} of the CPU per push", flush=True)
    durability.tell(flushed)


def main() -> None:
    """Singles, then tens."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--receipts", type=int, action="append", help="a push; default 1 and 10")
    parser.add_argument("--only", action="append", default=[], help="the beginning of a receiver's name; repeatable")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, shared with the sender; Python {sys.version.split()[0]}")
    for receipts in asked.receipts or [1, 10]:
        compare(receivers(asked.only), receipts, asked.rounds, asked.seconds, asked.connections)


if __name__ == "__main__":
    main()
