"""How long a check of a large store takes, and how much memory: `python -m tests.bench.check [--keep FILE]`.

The receipts are stored as a queue brings them; a file that holds some already is filled up. The named peers are
integrity_check of SQLite, which is the first part of the check, and decoding all bodies once.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from smsreceipt.decode import decode, reread
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.runs.check import read_again
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.torture.derived import PLACE

_AT_ONCE = 20_000
_BEGAN = 1_790_000_000  # seconds
_KIND = Kind("SmsReport")


def bodies(first: int, last: int) -> Iterator[bytes]:
    """Receipts as the provider sends them; one in fifty comes with another end too, one in a hundred failed."""
    for n in range(first, last):
        number = n - 1 if n % 50 == 49 else n
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(_BEGAN + number // 4))
        end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(_BEGAN + number // 4 + 3 + n % 7))
        failed = n % 100 == 99 or n % 50 == 49
        fields = {
            "phone_number": f"13{number * 7919 % 1_000_000_000:09}", "send_time": at, "report_time": end,
            "success": not failed, "err_code": "MOBILE_IN_BLACK" if failed else "DELIVERED", "err_msg": "用户接收成功",
            "sms_size": "1", "biz_id": f"{900_000_000_000 + number}^0", "out_id": f"order-{number}",
        }  # fmt: skip
        yield json.dumps(fields, ensure_ascii=False).encode()


def fill(store: SqliteStore, rows: int) -> None:
    """Fill the store up."""
    at = store.facts().last_seq
    while at < rows:
        frames = tuple(bodies(at, min(at + _AT_ONCE, rows)))
        received = Instant((_BEGAN + at // 4 + 10) * 1000)
        store.keep([decode(Delivery(frames, _KIND, Source.MNS, "Alicom-Queue-1-SmsReport", received))])
        at += len(frames)
        print(f"\r{at:,}", end="", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--keep", type=Path, help="use this file; fill it up where it holds fewer")
    parser.add_argument("--fill", action="store_true", help="only fill")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "receipts.db"
        store = open_store(path)
        fill(store, given.rows)
        store.fold(readers_of(PLACE))
        store.close()
        if not given.fill:
            measure(path)


def measure(path: Path) -> None:
    """Check the store, and its peers."""
    store = open_reader(path)
    count, size = store.facts().statements, path.stat().st_size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    marks: list[float] = []
    found = list(store.verify(read_again, readers_of(PLACE), on_progress=lambda *_: marks.append(time.perf_counter())))
    took = time.perf_counter() - began
    engine = marks[0] - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    longest = max(after - one for one, after in pairwise(marks))
    began = time.perf_counter()
    for (body,) in store._db.execute("SELECT body FROM statement"):
        reread(_KIND, bytes(body))
    decoding = time.perf_counter() - began
    print(
        f"{count:,} receipts, {size / 1e9:.2f} GB: checked in {took:.1f} s, {count / took:,.0f}/s,"
        f" {took / (engine + decoding):.2f} times integrity_check and decoding alone;"
        f" integrity_check {engine:.1f} s, decoding {decoding:.1f} s; longest slice {longest * 1000:.0f} ms;"
        f" peak memory {memory / 1024:.0f} MiB, {before / 1024:.0f} before; {len(found)} findings"
    )
    store.close()


if __name__ == "__main__":
    main()
