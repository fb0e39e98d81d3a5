"""What a day's receipts add up to, and the calls whose end was never heard: for what no ledger tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

import apsw

from smsreceipt.model import DAY_MS, Instant, Kind, Outcome
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.values import CallGap, DayParts

_SLOT = 600_000  # milliseconds
#: In the order in which a call goes through them.
_HEARD = ("SecretStartReport", "SecretRingReport", "SecretPickUpReport", "SecretRecording")


def day_parts(db: apsw.Connection, first_day: int, last_day: int, parts_of: Callable[[bytes], int]) -> list[DayParts]:
    """The SMS receipts of these Beijing days, added up; where a body does not tell its parts, the ledger may."""
    found = rows(
        db,
        "SELECT day, outcome, sent_at, body, id1, id2 FROM statement INDEXED BY statement_day"
        " WHERE day BETWEEN ? AND ? AND kind = (SELECT id FROM kind WHERE name = 'SmsReport')"
        " AND current = 1 AND test = 0 ORDER BY day",
        (first_day, last_day),
    )
    return [_added_up(db, day, said, parts_of) for day, said in groupby(found, key=lambda row: int(row[0]))]


def _added_up(
    db: apsw.Connection,
    day: int,
    said: Iterator[tuple[int, str, int, bytes, str, str]],
    parts_of: Callable[[bytes], int],
) -> DayParts:
    messages: Counter[Outcome] = Counter()
    parts: Counter[Outcome] = Counter()
    slots = [0] * (DAY_MS // _SLOT)
    for _, word, sent, body, biz_id, phone in said:
        outcome = Outcome(word)
        messages[outcome] += 1
        known = parts_of(body) or number(
            db, "SELECT max(parts, 1) FROM send WHERE biz_id = ? AND phone = ?", biz_id, phone
        )
        parts[outcome] += known or 1
        if sent >= 0:
            slots[(sent + 8 * 3_600_000) % DAY_MS // _SLOT] += 1
    return DayParts(day, dict(messages), dict(parts), tuple(slots))


def call_gaps(db: apsw.Connection, first_day: int, last_day: int) -> Iterator[CallGap]:
    """Yield the calls of these Beijing days of which something was heard, but never their end."""
    found = rows(
        db,
        "SELECT id1, id2, lead, kind.name,"
        " CASE WHEN sent_at >= 0 THEN sent_at WHEN reported_at >= 0 THEN reported_at ELSE received_at END AS at"
        " FROM statement INDEXED BY statement_day JOIN kind ON kind.id = statement.kind"
        f" WHERE day BETWEEN ? AND ? AND kind.name IN ({', '.join('?' * len(_HEARD))}) AND test = 0"
        " AND NOT EXISTS (SELECT 1 FROM statement AS ended INDEXED BY statement_key"
        "  WHERE ended.id1 = statement.id1 AND ended.id2 = statement.id2 AND ended.id3 = '' AND ended.id4 = ''"
        "  AND ended.kind = (SELECT id FROM kind WHERE name = 'SecretReport'))"
        " ORDER BY id1, id2, at",
        (first_day, last_day, *_HEARD),
    )
    for (one, other, lead), heard in groupby(found, key=lambda row: row[:3]):
        events = list(heard)
        pool_key, call_id = (other, one) if lead else (one, other)
        names = {name for *_, name, _ in events}
        yield CallGap(pool_key, call_id, tuple(Kind(kind) for kind in _HEARD if kind in names), Instant(events[0][-1]))
