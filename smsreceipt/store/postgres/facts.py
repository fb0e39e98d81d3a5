"""What a store in PostgreSQL holds, in numbers."""

from __future__ import annotations

from smsreceipt.model import Kind
from smsreceipt.store.postgres import schema
from smsreceipt.store.postgres.sends import Sends
from smsreceipt.store.postgres.session import Connections, Reader
from smsreceipt.store.values import KindFacts, StoreFacts, StoreWriter

_KINDS = (
    "SELECT name, sum(identities)::int8, sum(statements)::int8, sum(tests)::int8, min(first_received),"
    " max(last_received) FROM smsreceipt.tally JOIN smsreceipt.kind ON kind.id = tally.kind"
    " GROUP BY name HAVING max(last_received) IS NOT NULL ORDER BY name"
)
_WRITERS = (
    "SELECT host, seen_at FROM smsreceipt.writer WHERE seen_at > smsreceipt.now_ms() - 90 * 86400000::bigint"
    " ORDER BY seen_at DESC, host"
)
_SIZES = (
    "SELECT smsreceipt.size(), (SELECT count(*) FROM smsreceipt.reject),"
    " (SELECT count(*) FROM smsreceipt.statement WHERE conflict),"
    " (SELECT coalesce(sum(sends), 0)::int8 FROM smsreceipt.ledger)"
)


def of(connections: Connections, reader: Reader, sends: Sends) -> StoreFacts:
    """Counts and sizes, without scanning the receipts or the sends."""
    size, rejects, conflicts, sends_ = next(iter(reader.sums(_SIZES)), (0, 0, 0, 0))
    return StoreFacts(
        location=connections.location,
        exists=not reader.blank,
        engine=f"PostgreSQL {connections.server_version()}",
        schema=schema.SCHEMA,
        size=size,
        last_seq=reader.horizon(),
        rejects=rejects,
        conflicts=conflicts,
        kinds=tuple(KindFacts(Kind(name), *counts) for name, *counts in reader.rows(_KINDS)),
        sends=sends_,
        open_sends=sends.open(),
        writers=tuple(StoreWriter(*row) for row in reader.rows(_WRITERS)),
    )
