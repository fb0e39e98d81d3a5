"""How fast a queue is drained: ours, against consumers in Go and Node, and against the official clients.

    python -m tests.bench.pull [--messages 200000] [--rounds 3] [--only Go --only smsreceipt]

Ours runs with its defaults. The consumers in Go and Node store each receipt once, commit in groups, and delete what is
committed; the official clients store nothing.

Each client is a process of its own and gets a freshly filled sandbox in another; the clients take turns in each
round, so that a machine whose speed drifts treats them alike. Time begins when the client's process starts and ends
when the sandbox has deleted the last message, so what a client does to prove the queue empty does not count.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import smsreceipt
from tests.bench import durability
from tests.bench.peers import programs
from tests.bench.provider import QUEUE

SDK = str(Path(__file__).parent / "peers" / "mns_sdk.py")
_LINE = "{:34} {:>26} {:>11} {:>9} {:>14} {:>13}"
TRACED = 8_000  # messages of the run that counts fsyncs


@dataclass(frozen=True)
class Client:
    """One way to drain a queue."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What one drain took."""

    rate: float  # messages a second
    cpu: float  # µs of the client's CPU a message
    memory: float  # MiB at the peak
    provider: float  # µs of the sandbox's CPU a message


def clients(latency: float, workers: int | None, only: Sequence[str]) -> list[Client]:
    """Those that can run here, with a name that begins with one of *only* where there are any; ours is the last."""
    python, most = sys.executable, 8 if latency < 1 else 32
    ours = (python, "-m", "smsreceipt", "pull", "--queue", QUEUE, "--wait", "1")
    found = [
        Client("aliyun-mns-sdk, 1 thread", (python, SDK, "URL", QUEUE, "1")),
        Client("aliyun-mns-sdk, 16 threads", (python, SDK, "URL", QUEUE, "16")),
        Client("@alicloud/mns, 32 loops", programs.alicloud_mns("URL", QUEUE, "32")),
        Client("Node + better-sqlite3, 32 loops", programs.node("pull.cjs", "URL", QUEUE, "FOLDER/peer.db", "32")),
        Client(f"Go + go-sqlite3, {most} workers", programs.go("pull", "URL", QUEUE, "FOLDER/peer.db", str(most))),
        Client("smsreceipt pull", ours)
        if workers is None
        else Client(f"smsreceipt pull --workers {workers}", (*ours, "--workers", str(workers))),
    ]
    return [each for each in found if each.command and each.name.startswith(tuple(only) or "")]


def measure(client: Client, messages: int, latency: float, before: tuple[str, ...] = ()) -> Run:
    """Drain a fresh queue once, with a client whose command follows the words *before*."""
    provider = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.provider", "--messages", str(messages), "--latency", str(latency)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert provider.stdin
    assert provider.stdout
    url = provider.stdout.readline().strip()
    served = _cpu_of(provider.pid)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret",
            "SMSRECEIPT_MNS_ENDPOINT": url,
            "SMSRECEIPT_DYBASEAPI_ENDPOINT": url,
            "SMSRECEIPT_STORE": f"{folder}/bench.db",
        }
        finished: list[float] = []
        began = time.perf_counter()
        watch = threading.Thread(target=_watch, args=(url, messages, finished))
        child = subprocess.Popen(
            [*before, *(word.replace("URL", url).replace("FOLDER", folder) for word in client.command)],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        watch.start()
        assert child.stderr
        talk = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        finished.append(time.perf_counter())
        watch.join()
        durability.check_rows(Path(folder, "peer.db"), messages, messages)
    served = _cpu_of(provider.pid) - served
    provider.stdin.close()
    provider.wait()
    if child.returncode:
        raise SystemExit(f"{client.name} ended with {child.returncode}:\n{talk}")
    seconds = finished[0] - began
    cpu = (usage.ru_utime + usage.ru_stime) / messages * 1e6
    return Run(messages / seconds, cpu, usage.ru_maxrss / 1024, served / messages * 1e6)


def _watch(url: str, messages: int, finished: list[float]) -> None:
    """Note when the last message was deleted."""
    while not finished:
        with urllib.request.urlopen(f"{url}/_sandbox/state") as answer:  # noqa: S310 - the sandbox's own URL
            if json.load(answer)["deleted"] >= messages:
                finished.append(time.perf_counter())
                return
        time.sleep(0.1)


def _cpu_of(pid: int) -> float:
    """Seconds of CPU that a running process has used (Linux; elsewhere 0)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def syncs(client: Client) -> durability.Syncs | None:
    """The fsyncs of a short drain. However many messages are in one commit, there is at least one commit."""

    def run(before: tuple[str, ...]) -> tuple[int, float]:
        measure(client, TRACED, 0, before)
        return TRACED, 1

    return durability.count(run)


def compare(chosen: list[Client], messages: int, rounds: int, latency: float) -> None:
    """Let the clients take turns, then print medians and ratios."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for client in chosen:
            runs.setdefault(client.name, []).append(measure(client, messages, latency))
    flushed = {client.name: syncs(client) for client in chosen}
    print(f"\n{messages:,} messages, {latency:g} ms per request, median of {rounds} (min to max):")
    print(_LINE.format("client", "messages/s", "CPU µs/msg", "peak MiB", "server µs/msg", "fsyncs/1,000"))
    for name, found in runs.items():
        rates = sorted(run.rate for run in found)
        cpu, memory, provider = (
            statistics.median(getattr(run, field) for run in found) for field in ("cpu", "memory", "provider")
        )
        rate = f"{statistics.median(rates):,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        cells = [rate, f"{cpu:.1f}", f"{memory:.0f}", f"{provider:.1f}", durability.cell(flushed[name])]
        print(_LINE.format(name, *cells))
    *peers, ours = runs
    for peer in peers:
        pairs = list(zip(runs[ours], runs[peer], strict=True))
        faster = statistics.median(a.rate / b.rate for a, b in pairs)
        leaner = statistics.median(b.cpu / a.cpu for a, b in pairs)
        print(f"against {peer}: {faster:.2f} × the rate, 1/{leaner:.2f} of the CPU per message")
    durability.tell(flushed)


def main() -> None:
    """0 ms, then 10 ms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, action="append", help="ms; default 0 and 10")
    parser.add_argument("--workers", type=int, help="of ours; without it, ours runs with its defaults")
    parser.add_argument("--only", action="append", default=[], help="the beginning of a client's name; repeatable")
    asked = parser.parse_args()
    compileall.compile_dir(Path(smsreceipt.__file__).parent, quiet=2)  # as after an ordinary installation
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, peak of this harness {_peak()} MiB")
    for latency in asked.latency or [0.0, 10.0]:
        compare(clients(latency, asked.workers, asked.only), asked.messages, asked.rounds, latency)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
