"""Exports beside other programs in one run, and the memory that they take.

    python -m tests.bench.export [--receipts N,N…] [--formats csv,parquet…] [--store FILE]

Each export is a process of its own. Peers: `sqlite-utils rows` and pandas (read_sql in chunks, to_csv) read the table
of statements as it is, DuckDB (COPY) reads the exported NDJSON. Memory is the most that the process held at once.
Ten million: --receipts 10000000, which needs 30 GB of disk and half an hour. .xlsx is left out above a million rows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from contextlib import closing
from itertools import islice
from pathlib import Path

from smsreceipt.decode import decode, reread
from smsreceipt.model import Delivery, Instant, Source
from smsreceipt.store import opening
from tests.bench.provider import QUEUE, bodies

AT = Instant(1_795_000_000_000)
_PANDAS = (
    "import sqlite3, sys, pandas\n"
    "db, out = sqlite3.connect(sys.argv[1]), open(sys.argv[2], 'w')\n"
    "for n, part in enumerate(pandas.read_sql('SELECT * FROM statement', db, chunksize=50_000)):\n"
    "    part.to_csv(out, header=not n, index=False)\n"
)
_DUCKDB = (
    "import duckdb, sys\n"
    "keys = ['identity', 'kind', 'outcome', 'phone', 'biz_id', 'out_id', 'call_id', 'code', 'sent_at', 'reported_at',"
    " 'received_at', 'source', 'origin', 'template_code', 'sign_name', 'body']\n"
    "types = {key: 'VARCHAR' for key in keys} | {'seq': 'BIGINT', 'times_seen': 'BIGINT', 'test': 'BOOLEAN'}\n"
    "columns = ', '.join(f'{key}: {kind!r}' for key, kind in types.items())\n"
    "query = f\"SELECT * FROM read_json('{sys.argv[1]}', columns={{{columns}}})\"\n"
    "duckdb.sql(f\"COPY ({query}) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)\")\n"
)


def fill(store: Path, count: int) -> None:
    """Put this many receipts into a new store."""
    frames = map(b64decode, bodies(count))
    with closing(opening.open_store(str(store), readonly=False, reread=reread)) as opened:
        while batch := tuple(islice(frames, 4_000)):
            opened.keep([decode(Delivery(batch, None, Source.MNS, QUEUE, AT))])


def measure(name: str, rows: int, out: Path, command: list[str], stdout: Path | None = None) -> float:
    """Run the command; print its figures, and return its seconds."""
    began = time.perf_counter()
    target = stdout.open("wb") if stdout else subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=target, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    took = time.perf_counter() - began
    if process.returncode:
        print(f"    {name:22} failed: {told.strip().splitlines()[-1:]}")
        return 0.0
    cpu = used.ru_utime + used.ru_stime
    size = out.stat().st_size if out.exists() else 0
    print(
        f"    {name:22} {took:8.1f} s  {rows / took:9,.0f} rows/s  {cpu:7.1f} s CPU"
        f"  {size / 1e6:9.1f} MB  {used.ru_maxrss / 1024:6.0f} MiB",
        flush=True,
    )
    return cpu


def compare(folder: Path, store: Path, rows: int, formats: list[str]) -> None:
    """Export the store in each format, and let the peers do the same."""
    python = [sys.executable]
    ours: dict[str, float] = {}
    for wanted in formats:
        if wanted == "xlsx" and rows > 1_000_000:
            continue
        out = folder / f"out.{wanted}"
        words = ["-m", "smsreceipt", "--store", str(store), "export", "receipts", "--force", "--output", str(out), "-q"]
        ours[wanted] = measure(f"export {wanted}", rows, out, [*python, *words])
    peer = folder / "peer"
    theirs = {}
    if "csv" in ours:
        words = [str(Path(sys.executable).with_name("sqlite-utils")), "rows", str(store), "statement", "--csv"]
        theirs["csv", "sqlite-utils rows"] = measure("sqlite-utils rows --csv", rows, peer, words, stdout=peer)
        words = [*python, "-c", _PANDAS, str(store), str(peer)]
        theirs["csv", "pandas to_csv"] = measure("pandas to_csv", rows, peer, words)
    if "parquet" in ours and "ndjson" in ours:
        words = [*python, "-c", _DUCKDB, str(folder / "out.ndjson"), str(peer)]
        theirs["parquet", "DuckDB COPY"] = measure("DuckDB COPY", rows, peer, words)
    for (wanted, name), cpu in theirs.items():
        if cpu and ours[wanted]:
            print(f"    {wanted}: {cpu / ours[wanted]:.2f} x the speed of {name}, by CPU")


def main() -> None:
    """Print the figures for each number of receipts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--receipts", default="200000,1000000")
    parser.add_argument("--formats", default="ndjson,csv,parquet,xlsx")
    parser.add_argument("--store", type=Path, help="of these receipts, instead of new ones")
    asked = parser.parse_args()
    for count in map(int, asked.receipts.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = asked.store or folder / "bench.db"
            if not asked.store:
                fill(store, count)
            print(f"{count:,} receipts")
            compare(folder, store, count, asked.formats.split(","))


if __name__ == "__main__":
    main()
