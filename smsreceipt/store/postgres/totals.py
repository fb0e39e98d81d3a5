"""Sums of a day's SMS receipts, and calls without the receipt of their end."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from smsreceipt.model import DAY_MS, Instant
from smsreceipt.store.postgres.session import Reader
from smsreceipt.store.sums import BEFORE_END, SLOT, days_of, first_since, gaps_of, origins_of
from smsreceipt.store.values import CallGap, DayParts, Recent

#: For a receipt that does not tell its parts.
_LEDGER_PARTS = (
    "coalesce((SELECT greatest(parts, 1) FROM smsreceipt.send"
    " WHERE send.place = statement.place AND send.ident = statement.ident), 1)"
)


def day_parts(reader: Reader, first_day: int, last_day: int) -> list[DayParts]:
    """The SMS receipts of these Beijing days, added up. Parts that a receipt does not tell are the ledger's, else 1."""
    slot = f"CASE WHEN sent_at >= 0 THEN ((sent_at + {8 * 3_600_000}) %% {DAY_MS} / {SLOT})::int4 END"
    return days_of(
        reader.sums(
            f"SELECT day, outcome, {slot} AS slot, count(*),"
            f" sum(CASE WHEN billed_parts > 0 THEN billed_parts ELSE {_LEDGER_PARTS} END)::int8"
            " FROM smsreceipt.statement WHERE day BETWEEN %s AND %s"
            " AND kind = (SELECT id FROM smsreceipt.kind WHERE name = 'SmsReport') AND current AND NOT test"
            " GROUP BY 1, 2, 3",
            (first_day, last_day),
        )
    )


def call_gaps(reader: Reader, first_day: int, last_day: int) -> Iterator[CallGap]:
    """Yield the calls of these Beijing days that have earlier receipts, but none of their end."""
    found = reader.stream(
        "SELECT identity, kind.name,"
        " CASE WHEN sent_at >= 0 THEN sent_at WHEN reported_at >= 0 THEN reported_at ELSE received_at END AS at"
        " FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind"
        " WHERE day BETWEEN %s AND %s AND kind.name = ANY(%s) AND NOT test"
        " AND NOT EXISTS (SELECT FROM smsreceipt.statement AS ended"
        "  WHERE ended.place = statement.place AND ended.ident = statement.ident AND ended.current"
        "  AND ended.kind = (SELECT id FROM smsreceipt.kind WHERE name = 'SecretReport'))"
        " ORDER BY id1, identity, at",
        (first_day, last_day, [*BEFORE_END]),
    )
    decode = msgspec.json.decode
    yield from gaps_of((decode(identity, type=list[str]), name, at) for identity, name, at in found)


def recent(reader: Reader, since: Instant, newest: int) -> Recent:
    """What came since a time, and what came last by each way among so many newest statements."""
    probe = "SELECT seq, received_at FROM smsreceipt.statement WHERE seq >= %s ORDER BY seq LIMIT 1"
    last = reader.horizon()
    found = reader.rows(
        "WITH newest AS MATERIALIZED"
        " (SELECT road, received_at FROM smsreceipt.statement WHERE seq <= %s ORDER BY seq DESC LIMIT %s)"
        " SELECT source, origin, max(received_at) FROM smsreceipt.road LEFT JOIN newest ON newest.road = road.id"
        " WHERE source IN ('mns', 'push') GROUP BY source, origin ORDER BY source, origin COLLATE \"C\"",
        (last, newest),
    )
    return Recent(first_since(last, since, lambda seq: reader.rows(probe, (seq,))), origins_of(found))
