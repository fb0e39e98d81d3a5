"""How long figures take: `python -m tests.bench.insight [--rows N] [--days 32] [--calls N] [--keep FILE]`.

A store of so many days, the last one not counted in advance yet. Each measurement is a process of its own, with its
peak of memory. The named peer is one GROUP BY over the statements of a day, without which there is no figure.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import apsw

from smsreceipt.decode import reread
from smsreceipt.insight.answer import readers_of, stats
from smsreceipt.insight.question import Group, Question
from smsreceipt.model import Instant, number_of, start_of_day
from smsreceipt.store.sqlite.store import open_store

LAST = number_of(date(2026, 11, 24))
NOW = Instant(start_of_day(LAST + 10))
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 14, 15, 16, 16, 15, 16, 18, 20, 18, 12, 6, 2)
SECONDS = (2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 6, 6, 7, 8, 9, 10, 12, 20, 94)
PREFIXES = 200_000
GOALS = {"folded day": 0.1, "folded day, page": 2.0, "month": 1.0, "unfolded day": 2.0}
GOALS |= {"calls, unfolded day": 2.0, "calls, folded day": 0.1, "calls, month": 1.0}

_RARE = ["statement_key", "statement_day", "statement_outcome", "statement_code"]
#: One day of messages, made by the database itself.
_FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1),
drawn AS MATERIALIZED (SELECT i, abs(random()) % 253 AS h, abs(random()) % 1000 AS f, abs(random()) % 20 AS s,
                       abs(random()) % 3600000 AS ms, abs(random()) % ?4 + 1 AS p FROM n)
INSERT INTO statement (seq, kind, lead, parts, id1, id2, id3, id4, outcome, code, reported_at, detail, sent_at,
    received_at, day, phone, biz_id, out_id, call_id, road, times_seen, signed, current, conflict, test, native, digest,
    body, billed_parts, talk_seconds, numbers, unread)
SELECT ?2 + i, 1, 0, 2, ?2 + i || '^0', phone, '', '', iif(f < 36, 'failed', iif(f < 40, 'unknown', 'delivered')),
    iif(f < 36, 'CODE_' || f / 3, iif(f < 40, 'UNKNOWN', 'DELIVERED')), sent_at / 1000 * 1000 + took * 1000, '',
    sent_at / 1000 * 1000, sent_at, ?3, phone, ?2 + i || '^0', '', '', 1, 1, 1, 1, 0, 0, 1, zeroblob(32),
    CAST(printf('{"phone_number":"%s","success":true}', phone) AS BLOB), 1 + (f % 8 = 0), -1, '', ''
FROM (SELECT i, f, ?3 * 86400000 - 28800000 + hour * 3600000 + ms AS sent_at, took,
             prefix || printf('%04d', i % 10000) AS phone
      FROM drawn JOIN hours ON hours.n = h JOIN took ON took.n = s JOIN prefixes ON prefixes.n = p)
"""


#: One day of calls, the same way.
_CALLS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1),
drawn AS MATERIALIZED (SELECT i, ?3 * 86400 - 28800 + i * 86400 / (?1 + 1) AS at, abs(random()) % 40 AS ring,
                       iif(abs(random()) % 10 < 7, 1 + abs(random()) % 30 * (abs(random()) % 30), 0) AS talk,
                       abs(random()) % 3 AS side FROM n)
INSERT INTO statement (seq, kind, lead, parts, id1, id2, id3, id4, outcome, code, reported_at, detail, sent_at,
    received_at, day, phone, biz_id, out_id, call_id, road, times_seen, signed, current, conflict, test, native, digest,
    body, billed_parts, talk_seconds, numbers, unread)
SELECT ?2 + i, 2, 1, 2, 'call-' || (?2 + i), 'FC1', '', '', iif(talk, 'connected', 'unconnected'), 16 + side, at * 1000,
    '', at * 1000, at * 1000, ?3, '13900001111', '', 'ride', 'call-' || (?2 + i), 1, 1, 1, 1, 0, 0, 1, zeroblob(32),
    CAST(json_object('pool_key', 'FC1', 'call_id', 'call-' || (?2 + i), 'phone_no', '13900001111', 'secret_no',
        '17000001111', 'peer_no', '13800001111', 'call_time', datetime(at + 28800, 'unixepoch'), 'call_out_time',
        datetime(at + 28801, 'unixepoch'), 'ring_time', datetime(at + 28803, 'unixepoch'), 'start_time',
        datetime(at + 28803 + ring, 'unixepoch'), 'release_time', datetime(at + 28803 + ring + talk, 'unixepoch'),
        'release_cause', 16 + side, 'release_dir', side, 'call_type', 1, 'out_id', 'ride') AS BLOB),
    -1, iif(talk, talk, -1), '', '' FROM drawn
"""


class Places:
    """Carriers and provinces of as many kinds as there are."""

    version = "bench"

    def __call__(self, phone: str) -> tuple[str, str]:
        return f"carrier-{phone[2:3]}", f"province-{int(phone[3:7] or 0) % 31}"


def prepare(path: Path) -> apsw.Connection:
    """An empty store with what a fast load needs."""
    open_store(path).close()
    db = apsw.Connection(str(path))
    db.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY")
    db.execute(
        "INSERT INTO kind (name, first_received, last_received) VALUES ('SmsReport', 0, 0), ('SecretReport', 0, 0)"
    )
    db.execute("INSERT INTO road (source, origin) VALUES ('mns', 'queue')")
    for name in ("hours (n INTEGER PRIMARY KEY, hour)", "took (n INTEGER PRIMARY KEY, took)",
                 "prefixes (n INTEGER PRIMARY KEY, prefix)"):  # fmt: skip
        db.execute(f"CREATE TEMP TABLE {name}")
    every = [hour for hour, weight in enumerate(HOURS) for _ in range(weight)]
    db.executemany("INSERT INTO hours VALUES (?, ?)", enumerate(every))
    db.executemany("INSERT INTO took VALUES (?, ?)", enumerate(SECONDS))
    known = [f"1{3 + n * 7 // PREFIXES}{n * 7_919 % 100_000:05}" for n in range(PREFIXES)]
    db.executemany("INSERT INTO prefixes VALUES (?, ?)", enumerate(known, 1))
    return db


def load(db: apsw.Connection, first: int, last: int, a_day: int, seq: int, fill: str = _FILL) -> int:
    """Messages or calls of some days; return the last seq."""
    for day in range(first, last + 1):
        with db:
            db.execute(fill, (a_day, seq, day, PREFIXES)[: 4 if fill is _FILL else 3])
            seq += a_day
            db.execute("UPDATE counter SET last_seq = ?, phones_to = ?", (seq, seq))
            db.execute("UPDATE backfill SET read_to = ?", (seq,))
            db.execute(
                "UPDATE kind SET identities = identities + ?1, statements = statements + ?1 WHERE name = ?2",
                (a_day, "SmsReport" if fill is _FILL else "SecretReport"),
            )
    return seq


def list_sends(db: apsw.Connection) -> None:
    """A list of sends for the last two days: ten templates."""
    with db:
        db.execute(
            "INSERT INTO send (biz_id, phone, day, sent_at, out_id, template_code, sign_name, parts, settled)"
            " SELECT id1, id2, day, sent_at, '', 'SMS_' || seq % 10, 'Sign', 1, outcome <> 'unknown' FROM statement"
            " WHERE day >= ?",
            (LAST - 1,),
        )
        db.execute("UPDATE counter SET sends = (SELECT count(*) FROM send)")


def measure(path: Path, what: str) -> None:
    """Measure one thing; print it as JSON."""
    question = Question(first_day=LAST, last_day=LAST, by_send=False)
    if what.startswith("calls"):
        question = replace(question, groups=(Group.CALLS, Group.REPLIES))
    if what.endswith("month"):
        question = replace(question, first_day=LAST - 29)
    elif what == "folded day, page":
        question = replace(question, by_send=True)
    with closing(open_store(path, reread=reread)) as store:
        began, used = time.perf_counter(), time.process_time()
        if what == "peer":
            store._db.execute(
                "SELECT outcome, code, count(*) FROM statement WHERE day = ? AND current = 1 GROUP BY 1, 2", (LAST,)
            ).fetchall()
        else:
            folded = store.fold(readers_of(Places()))
            assert folded.complete
            if what != "fold":
                with store.snapshot():
                    stats(store, question, NOW, place=Places())
        took, cpu = time.perf_counter() - began, time.process_time() - used
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    print(json.dumps({"seconds": round(took, 3), "cpu": round(cpu, 3), "mib": round(peak)}))


def measured(path: Path, what: str) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench.insight", "--measure", what, "--keep", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    result: dict[str, float] = json.loads(run.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=32)
    parser.add_argument("--calls", type=int, default=200_000, help="of a day")
    parser.add_argument("--call-days", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--measure")
    options = parser.parse_args()
    if options.measure:
        measure(options.keep, options.measure)
        return
    with tempfile.TemporaryDirectory(dir=options.keep and options.keep.parent) as folder:
        path = options.keep or Path(folder) / "store.db"
        run(path, options.days, options.rows // options.days, options.calls, options.call_days)


def run(path: Path, days: int, a_day: int, calls: int, call_days: int) -> None:
    began = time.perf_counter()
    with closing(prepare(path)) as db:
        indexes = [sql for name, sql in db.execute("SELECT name, sql FROM sqlite_schema") if name in _RARE]
        for name in _RARE:
            db.execute(f"DROP INDEX {name}")
        seq = load(db, LAST - days + 1, LAST - 1, a_day, 0)
        for sql in indexes:
            db.execute(sql)
        print(f"{seq:,} messages loaded in {time.perf_counter() - began:.0f} s", flush=True)
        first = measured(path, "fold")
        print(f"{'all counted in advance, once':32}{first['seconds']:9.2f} s {first['mib']:6.0f} MiB"
              f"   {seq / first['seconds']:,.0f}/s")  # fmt: skip
        seq = load(db, LAST, LAST, a_day, seq)
        list_sends(db)
    peer = measured(path, "peer")
    print(f"{'peer: one GROUP BY of a day':32}{peer['seconds']:9.3f} s")
    figures(path, peer, ("unfolded day", "folded day", "folded day, page", "month"))
    with closing(apsw.Connection(str(path))) as db:
        seq = load(db, LAST - call_days + 1, LAST - 1, calls, seq, _CALLS)
    measured(path, "fold")
    with closing(apsw.Connection(str(path))) as db:
        load(db, LAST, LAST, calls, seq, _CALLS)
    print(f"{calls:,} calls a day")
    figures(path, peer, ("calls, unfolded day", "calls, folded day", "calls, month"))
    with closing(apsw.Connection(str(path))) as db:
        rows = len(db.execute("SELECT 1 FROM day_tally").fetchall())
        print(f"{rows:,} rows of tallies, {rows // days:,} a day")


def figures(path: Path, peer: dict[str, float], measurements: Sequence[str]) -> None:
    """Print a row for each measurement, the best of three; what is folded is unfolded only once."""
    for what in measurements:
        times = 1 if "unfolded" in what else 3
        best = min((measured(path, what) for _ in range(times)), key=lambda r: r["seconds"])
        print(f"{what:32}{best['seconds']:9.3f} s, CPU {best['cpu']:.3f} s {best['mib']:6.0f} MiB"
              f"   goal {GOALS[what]:.1f} s, 200 MiB"
              f", the peer takes {peer['seconds'] / best['seconds']:.2f} times as long")  # fmt: skip


if __name__ == "__main__":
    main()
