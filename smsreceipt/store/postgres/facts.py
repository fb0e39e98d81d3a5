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
