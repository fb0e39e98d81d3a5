"""Sums of a day's SMS receipts, and calls without the receipt of their end."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from smsreceipt.model import DAY_MS, Instant, Kind
from smsreceipt.store.promise import Reread
from smsreceipt.store.sqlite.columns import UNREAD
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sums import BEFORE_END, SLOT, days_of, first_since, gaps_of, origins_of
from smsreceipt.store.values import CallGap, DayParts, Recent

_SLOT_OF = f"iif(sent_at < 0, NULL, (sent_at + {8 * 3_600_000}) % {DAY_MS} / {SLOT})"
#: For a receipt that does not tell its parts.
_LEDGER_PARTS = "ifnull((SELECT max(parts, 1) FROM send WHERE biz_id = id1 AND phone = id2), 1)"
_DAYS = (
    "FROM statement INDEXED BY statement_day WHERE day BETWEEN ? AND ?"
    " AND kind = (SELECT id FROM kind WHERE name = 'SmsReport') AND current = 1 AND test = 0"
)


def day_parts(db: apsw.Connection, first_day: int, last_day: int, reread: Reread) -> list[DayParts]:
    """The SMS receipts of these Beijing days, added up. Parts that a receipt does not tell are the ledger's, else 1."""
    return days_of(_sums(db, first_day, last_day, reread))


def _sums(
    db: apsw.Connection, first_day: int, last_day: int, reread: Reread
) -> Iterator[tuple[int, str, int | None, int, int]]:
    """Day, outcome, slot, messages and their parts, in several rows each."""
    group = f"day, outcome, {_SLOT_OF} AS slot"
    known = f"iif(billed_parts > 0, billed_parts, {_LEDGER_PARTS})"
    yield from rows(
        db,
        f"SELECT {group}, count(*), sum({known}) {_DAYS} AND NOT ({UNREAD}) GROUP BY day, outcome, slot",
        (first_day, last_day),
    )
    for day, outcome, slot, ledger, body in rows(
        db, f"SELECT {group}, {_LEDGER_PARTS}, body {_DAYS} AND ({UNREAD})", (first_day, last_day)
    ):
        receipt = reread(Kind("SmsReport"), body)
        yield day, outcome, slot, 1, (receipt and receipt.parts) or ledger


def call_gaps(db: apsw.Connection, first_day: int, last_day: int) -> Iterator[CallGap]:
    """Yield the calls of these Beijing days that have earlier receipts, but none of their end."""
    found = rows(
        db,
        "SELECT id1, id2, lead, kind.name,"
        " CASE WHEN sent_at >= 0 THEN sent_at WHEN reported_at >= 0 THEN reported_at ELSE received_at END AS at"
        " FROM statement INDEXED BY statement_day JOIN kind ON kind.id = statement.kind"
        f" WHERE day BETWEEN ? AND ? AND kind.name IN ({', '.join('?' * len(BEFORE_END))}) AND test = 0"
        " AND NOT EXISTS (SELECT 1 FROM statement AS ended INDEXED BY statement_key"
        "  WHERE ended.id1 = statement.id1 AND ended.id2 = statement.id2 AND ended.id3 = '' AND ended.id4 = ''"
        "  AND ended.kind = (SELECT id FROM kind WHERE name = 'SecretReport'))"
        " ORDER BY id1, id2, at",
        (first_day, last_day, *BEFORE_END),
    )
    yield from gaps_of(((other, one) if lead else (one, other), name, at) for one, other, lead, name, at in found)


def recent(db: apsw.Connection, since: Instant, newest: int) -> Recent:
    """What came since a time, and what came last by each way among so many newest statements."""
    probe = "SELECT seq, received_at FROM statement WHERE seq >= ? ORDER BY seq LIMIT 1"
    last = number(db, "SELECT last_seq FROM counter")
    found = rows(
        db,
        "WITH newest AS MATERIALIZED (SELECT road, received_at FROM statement ORDER BY seq DESC LIMIT ?)"
        " SELECT source, origin, max(received_at) FROM road LEFT JOIN newest ON newest.road = road.id"
        " WHERE source IN ('mns', 'push') GROUP BY source, origin ORDER BY source, origin",
        (newest,),
    )
    return Recent(first_since(last, since, lambda seq: rows(db, probe, (seq,))), origins_of(found))
