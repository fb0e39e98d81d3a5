"""How fast a saved file is stored: ours, against sqlite-utils, and against loaders in Python and Go that check nothing.

    python -m tests.bench.replay [--receipts 1000000] [--rounds 3] [--full]

All get the same NDJSON file and a fresh database, the peers with a primary key, so that all store each receipt once;
they take turns in each round, each in a process of its own whose whole life is measured. Ours prints every new
statement as JSON, to /dev/null. --full also shows that memory does not grow with the file: 1 GB as lines, as one array
on one line, and packed.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import smsreceipt
from tests.bench import durability
from tests.bench.peers import programs
from tests.bench.provider import bodies

GIGABYTE = 10**9
GOALS = "goals: >= 60,000/s, >= 2 x sqlite-utils, --dry-run >= 150,000/s, <= 150 MiB"
OURS = "smsreceipt replay"
DRY = "smsreceipt replay --dry-run"
TRACED = 30_000  # receipts of the run that counts fsyncs
_LINE = "{:34} {:>28} {:>12} {:>9} {:>13}"


@dataclass(frozen=True)
class Run:
    """What one process took."""

    rate: float  # receipts a second
    cpu: float  # µs of CPU a receipt
    memory: float  # MiB at the peak


def lines(count: int) -> Iterator[bytes]:
    for body in bodies(count):
        yield b64decode(body) + b"\n"


def measure(receipts: int, *words: str) -> Run:
    """Run a command to its end."""
    began = time.perf_counter()
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr
    talk = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if child.returncode:
        raise SystemExit(f"{' '.join(words[:3])} ended with {child.returncode}:\n{talk}")
    return Run(receipts / seconds, (usage.ru_utime + usage.ru_stime) / receipts * 1e6, usage.ru_maxrss / 1024)


def commands(saved: str, folder: str) -> dict[str, tuple[str, ...]]:
    """The peers that can run here, then ours."""
    python, ours = sys.executable, (sys.executable, "-m", "smsreceipt", "replay", saved)
    to_peer = (saved, f"{folder}/peer.db")
    found = {
        "sqlite-utils insert --nl": (
            *(python, "-m", "sqlite_utils", "insert", f"{folder}/peer.db", "receipt", saved, "--nl"),
            *("--pk", "biz_id", "--pk", "phone_number"),
        ),
        "Python, msgspec + sqlite3": (python, str(Path(__file__).parent / "peers" / "saved_file.py"), *to_peer),
        "Go, encoding/json + go-sqlite3": programs.go("replay", *to_peer),
        OURS: (*ours, "--store", f"{folder}/ours.db", "--json"),
        DRY: (*ours, "--dry-run", "--json"),
    }
    return {name: words for name, words in found.items() if words}


def syncs(words: tuple[str, ...]) -> durability.Syncs | None:
    """The fsyncs of a short file. It may all be in one commit."""

    def run(before: tuple[str, ...]) -> tuple[int, float]:
        measure(TRACED, *before, *words)
        return TRACED, 1

    return durability.count(run)


def counted(folder: str) -> dict[str, durability.Syncs | None]:
    """The fsyncs of each command."""
    saved, found = Path(folder, "short.ndjson"), {}
    with saved.open("wb") as file:
        file.writelines(lines(TRACED))
    for name, words in commands(str(saved), folder).items():
        if name != DRY:
            found[name] = syncs(words)
            _remove_databases(folder)
    return found


def _remove_databases(folder: str) -> None:
    for database in Path(folder).glob("*.db*"):
        database.unlink()


def compare(receipts: int, rounds: int, folder: str) -> None:
    """Let them take turns, then print medians and ratios."""
    saved = Path(folder, "saved.ndjson")
    with saved.open("wb") as file:
        file.writelines(lines(receipts))
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for name, words in commands(str(saved), folder).items():
            runs.setdefault(name, []).append(measure(receipts, *words))
            durability.check_rows(Path(folder, "peer.db"), receipts, receipts)
            _remove_databases(folder)
    flushed = counted(folder)
    print(f"\n{receipts:,} receipts, {saved.stat().st_size / 1e6:,.0f} MB, median of {rounds} (min to max):")
    print(_LINE.format("command", "receipts/s", "CPU µs each", "peak MiB", "fsyncs/1,000"))
    for name, found in runs.items():
        rates = sorted(run.rate for run in found)
        cpu, memory = (statistics.median(getattr(run, field) for run in found) for field in ("cpu", "memory"))
        rate = f"{statistics.median(rates):,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        flushes = durability.cell(flushed[name]) if name in flushed else "-"
        print(_LINE.format(name, rate, f"{cpu:.1f}", f"{memory:.0f}", flushes))
    for peer in [name for name in runs if name not in {OURS, DRY}]:
        pairs = list(zip(runs[OURS], runs[peer], strict=True))
        faster = statistics.median(a.rate / b.rate for a, b in pairs)
        leaner = statistics.median(b.cpu / a.cpu for a, b in pairs)
        print(f"against {peer}: {faster:.2f} × the rate, 1/{leaner:.2f} of the CPU per receipt")
    print(GOALS)
    durability.tell(flushed)


def flat(folder: str, size: int) -> None:
    """What a large file takes at the peak, in each form."""
    count = size * 1_000 // sum(map(len, lines(1_000)))
    saved, database = Path(folder, "large"), Path(folder, "large.db")
    forms: dict[str, Callable[[BinaryIO], None]] = {
        "lines": lambda file: file.writelines(lines(count)),
        "one line": lambda file: file.writelines(chain([b"["], (line[:-1] + b"," for line in lines(count)))),
        "packed": lambda file: _packed(file, count),
    }
    for form, write in forms.items():
        with saved.open("wb") as file:
            write(file)
        for words in (("--store", str(database), "--json"), ("--dry-run",)):
            run = measure(count, sys.executable, "-m", "smsreceipt", "replay", str(saved), *words)
            read = saved.stat().st_size / 1e9
            print(f"{read:.1f} GB, {form:9} {words[0]:10} peak {run.memory:.0f} MiB, {run.rate:,.0f}/s", flush=True)


def _packed(file: BinaryIO, count: int) -> None:
    with gzip.open(file, "wb", compresslevel=1) as packed:
        packed.writelines(lines(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="also files of 1 GB")
    asked = parser.parse_args()
    compileall.compile_dir(Path(smsreceipt.__file__).parent, quiet=2)  # as after an ordinary installation
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        compare(asked.receipts, asked.rounds, folder)
        if asked.full:
            flat(folder, GIGABYTE)


if __name__ == "__main__":
    main()
