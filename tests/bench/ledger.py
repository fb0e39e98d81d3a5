"""How long it takes to find what has no receipt: one day of 100,000 sends in a store of a million receipts, or of ten.

    python -m tests.bench.ledger [--full] [--scattered] [--import]

Prints the anti-join of one day, worst case (no send is known to be settled) and as it is once the store has settled
them, beside the same question asked send by send. BizIds are in the order of time, as the provider's are, unless
--scattered. With --import, how fast a list of sends is entered, and entered again.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import apsw

from smsreceipt.ledger import entries
from smsreceipt.model import Send, beijing_day
from smsreceipt.store import Imported
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.store import open_reader, open_store

T = TypeVar("T")

A_DAY = 100_000
LAST_DAY = beijing_day(1_795_160_995_000)  # type: ignore[arg-type]
LOST = 33  # one send of so many has no receipt


def build(path: Path, receipts: int, *, scattered: bool) -> None:
    """A store of so many receipts and the ledger of as many sends, 100,000 a day up to LAST_DAY, one of 33 lost.

    Written by SQL alone, for questions about the ledger: bodies are as long as real ones, but do not fit their digests.
    """
    biz_id = "printf('%018d^0', (n * 7368787) % 999999999989)" if scattered else "printf('9%017d^0', n)"
    open_store(path).close()
    with closing(apsw.Connection(str(path))) as db:
        db.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").fetchall()
        again = [str(text) for (text,) in rows(db, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql <> ''")]
        for (name,) in list(rows(db, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql <> ''")):
            db.execute(f"DROP INDEX {name}")
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO kind VALUES (1, 'SmsReport', 0, 0, 0, 1, 1)")
        db.execute("INSERT INTO road VALUES (1, 'mns', 'a-queue')")
        db.execute(
            "INSERT INTO send WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < ?1)"  # noqa: S608
            f" SELECT {biz_id}, printf('1%010d', (n * 2654435761) % 9999999967), ?2 - n / {A_DAY},"
            " 1795104000000 + n % 86400000, 'order-' || n, 'SMS_12345678', '阿里云', 1, 0, -1, '' FROM s ORDER BY 1",
            (receipts, LAST_DAY),
        )
        db.execute(
            "INSERT INTO statement SELECT NULL, 1, 0, 2, biz_id, phone, '', '', 'delivered', 'DELIVERED',"
            " sent_at + 3000, '', sent_at, sent_at + 3500, day, phone, biz_id, out_id, '', 1, 1, 1, 1, 0, 0, 1,"
            " zeroblob(32), zeroblob(230), 1, -1, '', '' FROM send WHERE (sent_at + day) % ? > 0",
            (LOST,),
        )
        db.execute("UPDATE counter SET sends = ?1, last_seq = ?1, phones_to = ?1", (receipts,))
        for text in again:
            db.execute(text)
        db.execute("COMMIT")


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """What it returns, and the seconds and the CPU seconds it takes."""
    began, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - began, time.process_time() - cpu


def anti_join(path: Path, day: int) -> int:
    """What is missing of a day, through a connection that has read nothing yet."""
    with closing(open_reader(path)) as store:
        return sum(1 for _ in store.missing(day, day))


def one_by_one(path: Path, day: int) -> int:
    """The same question as it is asked without an anti-join: each send of the day for itself."""
    look = (
        "SELECT count(*) FROM statement WHERE id1 = ? AND id2 = ? AND id3 = '' AND id4 = '' AND outcome = 'delivered'"
    )
    with closing(open_reader(path)) as store:
        sends = "SELECT biz_id, phone FROM send WHERE settled IN (0, 1) AND day = ?"
        return sum(not number(store._db, look, *key) for key in rows(store._db, sends, (day,)))


def settle(path: Path) -> None:
    """What keep does by and by."""
    with closing(open_store(path)) as store, store._transaction():
        store._sends.settle(0)


def joins(receipts: int, *, scattered: bool) -> None:
    """Print the figures of a store of so many receipts."""
    middle = LAST_DAY - receipts // A_DAY // 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receipts.db"
        _, built, _ = timed(partial(build, path, receipts, scattered=scattered))
        size, order = path.stat().st_size / 1e9, "scattered" if scattered else "in order"
        print(f"{receipts:,} receipts and sends, {size:.1f} GB, BizIds {order}; built in {built:.0f} s", flush=True)
        for name, work in (("one by one", one_by_one), ("anti-join", anti_join), ("anti-join", anti_join)):
            missing, seconds, cpu = timed(partial(work, path, middle))
            print(f"  {name}: {missing:,} of {A_DAY:,} missing in {seconds:.2f} s ({cpu:.2f} s CPU)", flush=True)
        settle(path)
        missing, seconds, cpu = timed(partial(anti_join, path, middle))
        print(f"  anti-join, settled: {missing:,} missing in {seconds:.2f} s ({cpu:.2f} s CPU)")
        with closing(open_reader(path)) as store:
            facts, seconds, _ = timed(store.facts)
            print(f"  status: {facts.open_sends:,} of {facts.sends:,} open in {seconds:.2f} s")


def listed(count: int) -> bytes:
    """A list of sends as a sender's database exports it."""
    text = io.StringIO()
    text.write("phone,biz_id,sent_at,out_id,template_code,sign_name\n")
    for n in range(count):
        clock = f"{n * 86 // count % 24:02}:{n % 60:02}:{n * 7 % 60:02}"
        phone = 13_000_000_000 + n * 2_654_435_761 % 6_999_999_967
        text.write(f"{phone},9{n * 37:017}^0,2026-11-20 {clock},order-{n},SMS_12345678,阿里云\n")
    return text.getvalue().encode()


def imports(count: int) -> None:
    data = listed(count)
    _, seconds, cpu = timed(lambda: sum(1 for _ in entries(io.BytesIO(data))))
    print(f"a list of {count:,} sends read in {seconds:.1f} s ({cpu:.1f} s CPU)")
    with tempfile.TemporaryDirectory() as folder, closing(open_store(Path(folder) / "receipts.db")) as store:

        def enter() -> Imported:
            done = Imported()
            sends: Iterator[Send] = (entry for entry in entries(io.BytesIO(data)) if isinstance(entry, Send))
            while batch := list(islice(sends, 20_000)):
                done += store.add_sends(batch)
            return done

        for name in ("entered", "entered again"):
            done, seconds, cpu = timed(enter)
            print(f"  {name}: new {done.new:,} known {done.known:,} in {seconds:.1f} s ({cpu:.1f} s CPU)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="ten million receipts")
    parser.add_argument("--scattered", action="store_true", help="BizIds in no order")
    parser.add_argument("--import", action="store_true", dest="entering", help="measure the import too")
    chosen = parser.parse_args()
    joins(10_000_000 if chosen.full else 1_000_000, scattered=chosen.scattered)
    if chosen.entering:
        imports(1_000_000)


if __name__ == "__main__":
    main()
