"""How long looks take in a large store in PostgreSQL: `python -m tests.bench.large [--rows N] [--folder FOLDER]`.

The rows are those of tests.bench.look, made by the server itself: ten million of them take some minutes. Each look
runs several times on a server with its cache warm; the median counts. The server is in a folder of its own.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from string import Template

import psycopg

from smsreceipt.model import DAY_MS, Source, beijing_day
from smsreceipt.model.times import Instant
from smsreceipt.store.postgres.keep import Numbers
from tests.bench.look import BODY, CODES, DAY_0, DAYS, looks, timed
from tests.torture.postgres_server import Server, opened

_PIECE = 100_000  # rows that are made together, two pieces at once
_ROWS = Path(__file__).with_suffix(".sql")


def fill(url: str, count: int) -> None:
    """Fill an empty store; its indexes are made afterwards."""
    opened(url).close()
    with closing(psycopg.connect(url, autocommit=True)) as db:
        numbers = Numbers()
        given = {
            "sms": numbers.kind(db, "SmsReport"), "call": numbers.kind(db, "SecretReport"),
            "road": numbers.road_of(db, Source.MNS, "Alicom-Queue-1-SmsReport"), "count": count, "day_0": DAY_0,
            "span": DAYS * DAY_MS, "body": BODY.decode(), "codes": f"(ARRAY{[*CODES]})",
        }  # fmt: skip
        indexes = db.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'statement'").fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX smsreceipt.{name}")
        began = time.perf_counter()
        rows, *rest = _ROWS.read_text().split(";\n")

        def make(low: int) -> None:
            with closing(psycopg.connect(url, autocommit=True)) as own:
                own.execute(Template(rows).substitute(given, low=low, high=min(low + _PIECE, count)))

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(make, range(0, count, _PIECE)))
        for statement in rest:
            db.execute(Template(statement).substitute(given))
        print(f"{count:,} rows made in {time.perf_counter() - began:.0f} s", flush=True)
        for _, definition in indexes:
            db.execute(definition)
        db.execute("VACUUM (ANALYZE) smsreceipt.statement")
        db.execute("VACUUM (ANALYZE) smsreceipt.send")
        print(f"with their indexes in {time.perf_counter() - began:.0f} s", flush=True)


def measure(url: str, count: int, rounds: int) -> None:
    """Print a line for each look, each with a connection that has asked before."""
    day = beijing_day(Instant(DAY_0 + (DAYS - 1) * DAY_MS))
    with closing(opened(url, readonly=True)) as reader:
        facts = reader.facts()
        print(f"{facts.statements:,} statements, {facts.sends:,} sends, {facts.open_sends:,} of them open;"
              f" {facts.size / facts.statements:.0f} bytes a statement, sends included", flush=True)  # fmt: skip
        for name, query in looks(count).items():
            ms, found = timed(lambda query=query: sum(1 for _ in reader.list(query)), rounds)  # type: ignore[misc]
            print(f"{name:<32} {found:>7} rows {ms:>9.2f} ms", flush=True)
        for name, work in {
            "status: all facts": lambda: len(reader.facts().kinds),
            "sends of a day without a receipt": lambda: sum(1 for _ in reader.missing(day, day)),
            "the receipts of a day added up": lambda: len(reader.day_parts(day, day)),
        }.items():
            ms, found = timed(work, rounds)
            print(f"{name:<32} {found:>7} rows {ms:>9.2f} ms", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="the server's disk")  # noqa: S108
    asked = parser.parse_args()
    memory = {"shared_buffers": "2GB", "maintenance_work_mem": "1GB", "max_wal_size": "16GB"}
    with Server(asked.folder, binaries=None, **memory) as server:
        server.execute("CREATE DATABASE large")
        fill(server.url("large"), asked.rows)
        measure(server.url("large"), asked.rows, asked.rounds)


if __name__ == "__main__":
    main()
