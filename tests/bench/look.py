"""How long the first 100 rows of each look take: `python -m tests.bench.look [--rows N] [--keep FILE]`.

The named peer is the naive query, the way one would write it first: Python's own sqlite3, the same file, one WHERE
with every condition, no word about indexes. Each look runs several times; the median counts.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import islice
from pathlib import Path

from smsreceipt.model import BEIJING, DAY_MS, Decoded, Delivery, Instant, Kind, Outcome, Receipt, Source
from smsreceipt.store import Query
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store

FIRST = 100
DAYS = 60
DAY_0 = Instant(1_790_000_000_000 - 1_790_000_000_000 % DAY_MS)
CODES = ("MOBILE_IN_BLACK", "MOBILE_NOT_ON_SERVICE", "SIGN_ILLEGAL")
BODY = b'{"phone_number":"%s","biz_id":"%s","success":true,"err_code":"DELIVERED","err_msg":"ok","out_id":"%s"}'


def receipts(count: int) -> Iterator[Receipt]:
    """Every fifth a call, one message in fifty failed, one call in five unanswered; spread over days as they come."""
    sms, calls = Kind("SmsReport"), Kind("SecretReport")
    for n in range(count):
        sent = Instant(DAY_0 + n * DAYS * DAY_MS // count)
        phone, out_id = f"13{n % 999_983:09}", f"order-{n}"
        if n % 5 == 0:
            call_id = f"call-{n}"
            outcome = Outcome.UNCONNECTED if n % 25 == 0 else Outcome.CONNECTED
            code, identity, biz_id, kind = "31" if n % 25 == 0 else "16", ("FC1", call_id), "", calls
        else:
            biz_id, call_id, kind = f"{900_000_000 + n}^0", "", sms
            identity = (biz_id, phone)
            outcome = Outcome.FAILED if n % 50 == 1 else Outcome.DELIVERED
            code = CODES[n % 3] if n % 50 == 1 else "DELIVERED"
        body = BODY % (phone.encode(), biz_id.encode(), out_id.encode())
        digest = sha256(body).digest()
        reported = Instant(sent + 3_000)
        yield Receipt(
            kind, identity, outcome, code, sent, reported, phone, biz_id, out_id, call_id, "", False, body, digest
        )


def fill(store: SqliteStore, count: int, say: Callable[[str], None]) -> None:
    """Store this many, in large commits; one message in 10,000 is contradicted."""
    began, done = time.perf_counter(), 0
    delivery = Delivery((), None, Source.MNS, "Alicom-Queue-1-SmsReport", DAY_0)
    every = receipts(count)
    while batch := tuple(islice(every, 20_000)):
        doubted = [_contradiction(each) for each in batch[2::10_000]]
        store.keep([Decoded(delivery, (*batch, *doubted), ())])
        done += len(batch)
        if done % 1_000_000 < 20_000:
            say(f"{done:,} rows, {done / (time.perf_counter() - began):,.0f}/s")


def _contradiction(receipt: Receipt) -> Receipt:
    lost = Outcome.FAILED if receipt.kind == "SmsReport" else Outcome.UNCONNECTED
    fields = {name: getattr(receipt, name) for name in Receipt.__struct_fields__}
    return Receipt(**{**fields, "outcome": lost, "code": CODES[0]})


def looks(count: int) -> dict[str, Query]:
    """Each filter alone, and a date with a kind and one more."""
    middle = count // 2
    sms = middle - middle % 50 + 1
    one = {each.out_id: each for each in islice(receipts(count), sms - 10, sms + 10)}
    message = one[f"order-{sms}"]
    (call, *_) = [each for each in one.values() if each.call_id]
    day = Instant((message.sent_at or 0) - ((message.sent_at or 0) + 8 * 3_600_000) % DAY_MS)
    date = {"since": day, "until": Instant(day + DAY_MS)}
    kind = {"kinds": ["SmsReport"]}
    return {
        "everything": Query(limit=FIRST),
        "newest": Query(limit=FIRST, newest=True),
        "--history": Query(history=True, limit=FIRST),
        "--after": Query(after=count - 1_000, limit=FIRST),
        "--phone": Query(phones=[message.phone], limit=FIRST),
        "--biz-id": Query(biz_ids=[message.biz_id], limit=FIRST),
        "--out-id": Query(out_ids=[message.out_id], limit=FIRST),
        "--call-id": Query(call_ids=[call.call_id], limit=FIRST),
        "--outcome failed": Query(outcomes=[Outcome.FAILED], limit=FIRST),
        "--outcome delivered": Query(outcomes=[Outcome.DELIVERED], limit=FIRST),
        "--code (rare)": Query(codes=[CODES[1]], limit=FIRST),
        "--code (absent)": Query(codes=["NEVER"], limit=FIRST),
        "--kind": Query(kinds=["SecretReport"], limit=FIRST),
        "--source": Query(sources=[Source.MNS], limit=FIRST),
        "--source (absent)": Query(sources=[Source.PUSH], limit=FIRST),
        "--conflicts": Query(conflicts=True, limit=FIRST),
        "--date": Query(**date, limit=FIRST),  # type: ignore[arg-type]  # one dict, two fields of one type
        "--date --kind": Query(**date, **kind, limit=FIRST),  # type: ignore[arg-type]
        "--date --kind --phone": Query(**date, **kind, phones=[message.phone], limit=FIRST),  # type: ignore[arg-type]
        "--date --kind --outcome failed": Query(**date, **kind, outcomes=[Outcome.FAILED], limit=FIRST),  # type: ignore[arg-type]
        "--date --kind --code": Query(**date, **kind, codes=[CODES[2]], limit=FIRST),  # type: ignore[arg-type]
        "--date --kind --out-id": Query(**date, **kind, out_ids=[message.out_id], limit=FIRST),  # type: ignore[arg-type]
    }


_ALL = (
    "SELECT statement.*, kind.name, source, origin FROM statement JOIN kind ON kind.id = statement.kind"
    " JOIN road ON road.id = statement.road WHERE "
)


def naive(query: Query) -> tuple[str, list[object]]:
    """What one would write first."""
    terms, values = ["conflict = 1" if query.conflicts else "1" if query.history else "current = 1"], list[object]()
    filters: Sequence[tuple[str, Sequence[object]]] = [
        ("kind.name", tuple(query.kinds)),
        ("phone", tuple(query.phones)),
        ("biz_id", tuple(query.biz_ids)),
        ("out_id", tuple(query.out_ids)),
        ("call_id", tuple(query.call_ids)),
        ("outcome", tuple(map(str, query.outcomes))),
        ("code", tuple(query.codes)),
        ("source", tuple(map(str, query.sources))),
    ]
    for column, wanted in filters:
        if wanted:
            terms.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    for bound, sign in ((query.since, ">="), (query.until, "<")):
        if bound is not None:
            terms.append(f"coalesce(nullif(sent_at, -1), nullif(reported_at, -1), received_at) {sign} ?")
            values.append(bound)
    order = "DESC" if query.newest else "ASC"
    rows = f"seq > {query.after} AND {' AND '.join(terms)} ORDER BY seq {order} LIMIT {query.limit}"
    return _ALL + rows, values


def timed(work: Callable[[], int], rounds: int) -> tuple[float, int]:
    """Median milliseconds, and how many rows there were. A slow look is not asked for again."""
    spent = []
    found = 0
    for _ in range(rounds):
        began = time.perf_counter()
        found = work()
        spent.append((time.perf_counter() - began) * 1000)
        if spent[0] > 2_000:
            break
    return statistics.median(spent), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="use this file; fill it where it does not exist yet")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.keep or Path(folder) / "look.db"
        measure(path, chosen.rows, chosen.rounds)


def measure(path: Path, count: int, rounds: int) -> None:
    def say(text: str) -> None:
        sys.stderr.write(text + "\n")

    if not path.exists():
        with closing(open_store(path)) as store:
            fill(store, count, say)
    out = sys.stdout.write
    out(f"{count:,} rows, {path.stat().st_size / 1e6:,.0f} MB, Beijing days of {DAY_0} on ({BEIJING}); goal 50 ms\n")
    out(f"{'first 100 rows of':<32} {'rows':>5} {'ms':>9} {'sqlite3 ms':>11} {'ratio':>7}\n")
    worst = 0.0
    with closing(open_reader(path)) as reader, closing(sqlite3.connect(path)) as peer:
        for name, query in looks(count).items():
            ours, found = timed(lambda query=query: sum(1 for _ in reader.list(query)), rounds)  # type: ignore[misc]
            text, values = naive(query)
            theirs, same = timed(lambda text=text, values=values: len(peer.execute(text, values).fetchall()), rounds)  # type: ignore[misc]
            if found != same:
                raise SystemExit(f"{name}: {found} rows, the peer has {same}")
            worst = max(worst, ours)
            out(f"{name:<32} {found:>5} {ours:>9.2f} {theirs:>11.2f} {theirs / ours:>6.1f}x\n")
    out(f"slowest: {worst:.1f} ms\n")


if __name__ == "__main__":
    main()
