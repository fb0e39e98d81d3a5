"""The store in PostgreSQL beside the store in a file, in one run: commits of new, repeated and contested receipts.

    python -m tests.bench.engines [--receipts N] [--commit N] [--rounds N]

*contested*: every receipt contradicts one that is stored. CPU is that of this process and, beside it, of all servers
named postgres on this machine. The server is the one of the tests: see tests/postgres.py; name one with a disk for
figures that hold for yours.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from smsreceipt.decode import decode, reread
from smsreceipt.model import Decoded, Delivery, Instant, Source
from smsreceipt.store import Store, opening
from tests import postgres
from tests.bench.provider import QUEUE, bodies

AT = Instant(1_795_000_000_000)
Batches = list[list[Decoded]]


def batches(frames: list[bytes], size: int, source: Source) -> Batches:
    """The frames as deliveries of one each, in commits of so many."""
    given = [decode(Delivery((frame,), None, source, QUEUE, AT)) for frame in frames]
    return [given[begin : begin + size] for begin in range(0, len(given), size)]


def contradicting(frame: bytes) -> bytes:
    """The same message with the outcome that it did not have."""
    fields = msgspec.json.decode(frame)
    fields |= {
        "success": not fields["success"],
        "err_code": "DELIVERED" if not fields["success"] else "MOBILE_IN_BLACK",
    }
    return msgspec.json.encode(fields)


def own_cpu() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def server_cpu() -> float:
    """Seconds of CPU that the servers have used."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        if name.endswith("(postgres"):
            ticks += sum(map(int, rest.split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def stores() -> Iterator[dict[str, Callable[[], Store]]]:
    """By the name of the engine, what opens an empty store."""
    with tempfile.TemporaryDirectory() as folder, postgres.database() as url:
        locations = {"SQLite": f"{folder}/bench.db", "PostgreSQL": url}
        yield {
            name: lambda location=location: opening.open_store(location, readonly=False, reread=reread)  # type: ignore[misc]
            for name, location in locations.items()
        }


def measure(store: Store, work: dict[str, Batches]) -> None:
    """Print a line for each kind of work, then one for commits of one receipt."""
    for name, given in work.items():
        began, own, server = time.perf_counter(), own_cpu(), server_cpu()
        count = sum(store.keep(batch).tally.received for batch in given)
        took = time.perf_counter() - began
        cpu = f"{1e6 * (own_cpu() - own) / count:5.1f} + {1e6 * (server_cpu() - server) / count:5.1f} us CPU"
        print(f"    {name:10} {count / took:9,.0f} receipts/s  {cpu} a receipt")
    times = []
    for item in next(iter(work.values()))[0][:200]:
        began = time.perf_counter()
        store.keep([item])
        times.append(time.perf_counter() - began)
    print(f"    one receipt a commit: p50 {1000 * sorted(times)[len(times) // 2]:.1f} ms")


def main() -> None:
    """Print the figures of each engine, as often as asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--receipts", type=int, default=80_000)
    parser.add_argument("--commit", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    frames = [b64decode(body) for body in bodies(asked.receipts)]
    work = {
        "new": batches(frames, asked.commit, Source.PUSH),
        "repeats": batches(frames, asked.commit, Source.PUSH),
        "signed": batches(frames, asked.commit, Source.MNS),
        "contested": batches([contradicting(frame) for frame in frames], asked.commit, Source.PUSH),
    }
    for turn in range(1, asked.rounds + 1):
        with stores() as openers:
            for name, opener in openers.items():
                with closing(opener()) as store:
                    print(f"{name}, round {turn}")
                    measure(store, work)


if __name__ == "__main__":
    main()
