"""Counts and sizes of the store, without scanning the receipts."""

from __future__ import annotations

from smsreceipt.model import Kind
from smsreceipt.store.postgres import leases, schema
from smsreceipt.store.postgres.sends import Sends
from smsreceipt.store.postgres.session import Reader
from smsreceipt.store.values import KindFacts, StoreFacts, StoreWriter

_WRITERS = (
    "SELECT host, seen_at FROM smsreceipt.writer WHERE seen_at > smsreceipt.now_ms() - 90 * 86400000::bigint"
    " ORDER BY seen_at DESC, host"
)
_SIZES = (
    "SELECT smsreceipt.size(), (SELECT count(*) FROM smsreceipt.reject),"
    " (SELECT count(*) FROM smsreceipt.statement WHERE conflict),"
    " (SELECT coalesce(sum(sends), 0)::int8 FROM smsreceipt.ledger)"
)

#: Statements that are the state of their identity and, against what the indexes can prevent, are there a second time.
TWICE = (
    "SELECT 1 FROM smsreceipt.statement AS state JOIN smsreceipt.statement AS other ON other.place = state.place"
    " AND other.ident = state.ident AND other.kind = state.kind AND other.said = state.said AND NOT other.current"
    " WHERE state.current LIMIT 1"
)


def facts(reader: Reader, location: str, version: str, sends: Sends) -> StoreFacts:
    """The facts of the database at *location*, whose server has this *version*."""
    kinds = tuple(
        KindFacts(Kind(name), *counts)
        for name, *counts in reader.rows(
            "SELECT name, sum(identities)::int8, sum(statements)::int8, sum(tests)::int8, min(first_received),"
            " max(last_received) FROM smsreceipt.tally JOIN smsreceipt.kind ON kind.id = tally.kind"
            " GROUP BY name HAVING max(last_received) IS NOT NULL ORDER BY name"
        )
    )
    size, rejects, conflicts, listed = next(iter(reader.sums(_SIZES)), (0, 0, 0, 0))
    return StoreFacts(
        location=location,
        exists=not reader.blank,
        engine=f"PostgreSQL {version}",
        schema=schema.SCHEMA,
        size=size,
        last_seq=reader.horizon(),
        rejects=rejects,
        conflicts=conflicts,
        kinds=kinds,
        sends=listed,
        open_sends=sends.open(),
        consumed=leases.consumed(reader),
        writers=tuple(StoreWriter(*row) for row in reader.rows(_WRITERS)),
    )


def check(reader: Reader) -> bool:
    """Look for statements that are there twice; False if two seconds were not enough. Raises ValueError for one."""
    found = reader.within(2.0, TWICE)
    if found:
        raise ValueError("a statement is there twice")
    return found is not None
