"""How fast a queue is drained: ours, stored and deleted, against the official clients, which store nothing.

    python -m tests.bench.pull [--messages 200000] [--rounds 3]

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
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import smsreceipt
from tests.bench.provider import QUEUE

HERE = Path(__file__).parent
NODE = HERE.parent / "sandbox" / "node" / "node_modules" / "@alicloud" / "mns"


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


def clients() -> list[Client]:
    """Those that can run here."""
    python = sys.executable
    sdk = str(HERE / "peers" / "mns_sdk.py")
    found = [
        Client(f"aliyun-mns-sdk, {threads} thread{'s' * (threads > 1)}", (python, sdk, "URL", QUEUE, str(threads)))
        for threads in (1, 16)
    ]
    if shutil.which("node") and NODE.exists():
        found.append(Client("@alicloud/mns, 32 loops", ("node", str(HERE / "peers" / "mns.cjs"), "URL", QUEUE, "32")))
    else:
        print("not measured: @alicloud/mns (node or its package is absent; `make test` installs it)")
    ours = (python, "-m", "smsreceipt", "pull", "--queue", QUEUE, "--wait", "1")
    return [*found, Client("smsreceipt pull", ours)]


def measure(client: Client, messages: int, latency: float) -> Run:
    """Drain a fresh queue once."""
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
            [word if word != "URL" else url for word in client.command],
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


def compare(messages: int, rounds: int, latency: float) -> None:
    """Let the clients take turns, then print medians and ratios."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for client in clients():
            runs.setdefault(client.name, []).append(measure(client, messages, latency))
    print(f"\n{messages:,} messages, {latency:g} ms per request, median of {rounds} (min to max):")
    print(f"{'client':34} {'messages/s':>26} {'CPU µs/msg':>11} {'peak MiB':>9} {'server µs/msg':>14}")
    for name, found in runs.items():
        rates = sorted(run.rate for run in found)
        cpu, memory, provider = (
            statistics.median(getattr(run, field) for run in found) for field in ("cpu", "memory", "provider")
        )
        rate = f"{statistics.median(rates):,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        print(f"{name:34} {rate:>26} {cpu:>11.1f} {memory:>9.0f} {provider:>14.1f}")
    *peers, ours = runs
    for peer in peers:
        pairs = list(zip(runs[ours], runs[peer], strict=True))
        faster = statistics.median(a.rate / b.rate for a, b in pairs)
        leaner = statistics.median(b.cpu / a.cpu for a, b in pairs)
        print(f"against {peer}: {faster:.1f} × the rate, 1/{leaner:.1f} of the CPU per message")


def main() -> None:
    """0 ms, then 10 ms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, action="append", help="ms; default 0 and 10")
    parser.add_argument("--only-ours", action="store_true")
    asked = parser.parse_args()
    compileall.compile_dir(Path(smsreceipt.__file__).parent, quiet=2)  # as after an ordinary installation
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, peak of this harness {_peak()} MiB")
    for latency in asked.latency or [0.0, 10.0]:
        if asked.only_ours:
            print(measure(clients()[-1], asked.messages, latency))
        else:
            compare(asked.messages, asked.rounds, latency)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
