"""How long it takes to look for the outages of a day: `python -m tests.bench.outages [--rows N] [--keep FILE]`.

The store is that of tests.bench.check: a third of a million receipts a day. The named peer is the naive query, which
reads every receipt for those that arrived on that day.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from smsreceipt.insight.question import Thresholds
from smsreceipt.model import DAY_MS, Instant, beijing_day, start_of_day
from smsreceipt.runs.outages import windows
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.bench.check import fill

_NAIVE = (
    "SELECT kind, road, received_at / 60000, count(*) FROM statement WHERE received_at >= ? AND received_at < ?"
    " GROUP BY 1, 2, 3"
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--keep", type=Path, help="use this file; fill it up where it holds fewer")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "receipts.db"
        store = open_store(path)
        fill(store, given.rows)
        store.close()
        reader = open_reader(path)
        facts = reader.facts()
        since = start_of_day(beijing_day(facts.kinds[0].last_received_at) - 1)
        until = Instant(since + DAY_MS)
        for _ in range(3):
            began = time.perf_counter()
            found = windows(reader, since, until, Thresholds())
            took = time.perf_counter() - began
        began = time.perf_counter()
        minutes = len(list(reader._db.execute(_NAIVE, (since, until))))
        naive = time.perf_counter() - began
        print(
            f"{facts.statements:,} receipts: a day's {len(found)} windows in {took:.2f} s;"
            f" the naive query for its {minutes:,} minutes {naive:.2f} s"
        )
        reader.close()


if __name__ == "__main__":
    main()
