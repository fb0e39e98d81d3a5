"""What a receipt and a send take in the store of each engine: `python -m tests.bench.size [--receipts N]`.

SmsReports of a day, as the service pushes them (233 bytes each), in commits of 500; then a send for each. A gigabyte
has 10^9 bytes. The figures are those of the file, or of all tables with their indexes, after everything is written.
"""

from __future__ import annotations

import argparse
import tempfile
from base64 import b64decode
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psycopg

from smsreceipt.decode import reread
from smsreceipt.model import Decoded, Send, Source, beijing_day
from smsreceipt.store.opening import open_store
from tests import postgres
from tests.bench.engines import batches
from tests.bench.provider import bodies

PER_DAY = 2_000_000


def size(location: str) -> int:
    """Bytes of a store that nobody has open."""
    if not location.startswith("postgresql"):
        return Path(location).stat().st_size
    with closing(psycopg.connect(location)) as db:
        found = db.execute(
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'smsreceipt'::regnamespace"
        ).fetchone()
    assert found is not None
    return int(found[0])


def sends(of: list[Decoded]) -> list[Send]:
    """The sends that these receipts answer."""
    receipts = [receipt for each in of for receipt in each.receipts]
    return [
        Send(r.phone, r.biz_id, beijing_day(r.sent_at), r.sent_at, r.out_id, "SMS_123456789", "云通信", 1)
        for r in receipts
        if r.sent_at is not None
    ]


def main() -> None:
    """Print a line for each engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--receipts", type=int, default=200_000)
    count = parser.parse_args().receipts
    frames = [b64decode(body) for body in bodies(count)]
    given = batches(frames, 500, Source.PUSH)
    print(f"{count:,} receipts of {sum(map(len, frames)) / count:.0f} bytes, a send for each")
    with tempfile.TemporaryDirectory() as folder, postgres.database() as url:
        for name, location in (("SQLite", f"{folder}/size.db"), ("PostgreSQL", url)):
            sizes = []
            for step in ("nothing", "receipts", "sends"):
                with closing(open_store(location, readonly=False, reread=reread)) as store:
                    for batch in given:
                        if step == "receipts":
                            store.keep(batch)
                        elif step == "sends":
                            store.add_sends(sends(batch))
                sizes.append(size(location))
            receipt, sent = ((after - before) / count for before, after in pairwise(sizes))
            daily = PER_DAY * (receipt + sent) / 1e9
            print(f"{name:10}  a receipt {receipt:.0f} bytes  a send {sent:.0f} bytes  2 million a day {daily:.2f} GB")


if __name__ == "__main__":
    main()
