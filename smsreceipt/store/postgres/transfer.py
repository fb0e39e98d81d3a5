"""Reads a whole store for a copy of it, and writes one that is read from another store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import Reached, StoredReceipt
from smsreceipt.store.copies import CopiedReject, CopiedStatement, joined
from smsreceipt.store.ledger_rows import COLUMNS, row_of
from smsreceipt.store.postgres import keep, select, sends
from smsreceipt.store.postgres.arrays import Pack, booleans, byteas, int4s, int8s, texts, uuids
from smsreceipt.store.postgres.batch import Batch, columns, packed_rows
from smsreceipt.store.postgres.columns import SELECTED, digest, ident_of, phone_place
from smsreceipt.store.postgres.identities import INSERT, RowTypes
from smsreceipt.store.postgres.session import Db, Reader
from smsreceipt.store.promise import Reread
from smsreceipt.store.values import KindFacts, StoredSend

_EXPORTED = (
    "SELECT statement.native, current, conflict, seq, received_at, source, origin, times_seen, signed, '', '', true,"
    f" NULL, {SELECTED} FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind"
    " JOIN smsreceipt.road ON road.id = statement.road ORDER BY seq"
)
_BODIES = "SELECT seq, native, body FROM smsreceipt.body ORDER BY seq, digest"
_TIES = (
    "SELECT tie.detail, report, statement.biz_id, made, tie.signed FROM smsreceipt.tie"
    " JOIN smsreceipt.statement ON statement.place = tie.place AND statement.seq = tie.report ORDER BY tie.detail"
)
_RAISE = "SELECT setval('smsreceipt.seq', %s) FROM smsreceipt.seq WHERE NOT is_called OR last_value < %s"
_BODY = (
    "INSERT INTO smsreceipt.body (place, seq, digest, native, body)"
    " SELECT * FROM unnest(%s::int8[], %s::int8[], %s::bytea[], %s::bool[], %s::bytea[])"
)
_TIE = (
    "INSERT INTO smsreceipt.tie (place, detail, report, made, signed)"
    " SELECT * FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::bool[], %s::bool[])"
)
_SEND = (
    f"INSERT INTO smsreceipt.send (place, ident, {COLUMNS}, settled, asked_at, answer) SELECT * FROM unnest("
    "%s::int8[], %s::uuid[], %s::text[], %s::text[], %s::int4[], %s::int8[], %s::text[], %s::text[], %s::text[],"
    " %s::int4[], %s::bool[], %s::int8[], %s::text[]) ON CONFLICT (place, ident) DO NOTHING"
)
_SEND_TYPES: tuple[Pack, ...] = (
    int8s, uuids, texts, texts, int4s, int8s, texts, texts, texts, int4s, booleans, int8s, texts,
)  # fmt: skip
_REJECT = (
    "INSERT INTO smsreceipt.reject (place, n, id, kind, road, reason, received_at, times_seen, body)"
    " SELECT * FROM unnest(%s::int8[], %s::int8[], %s::text[], %s::text[], %s::int4[], %s::text[], %s::int8[],"
    " %s::int4[], %s::bytea[]) ON CONFLICT (place, id) DO NOTHING"
)
_REJECT_TYPES: tuple[Pack, ...] = (int8s, int8s, texts, texts, int4s, texts, int8s, int4s, byteas)


def exported(reader: Reader, reread: Reread) -> Iterator[CopiedStatement]:
    """Yield every statement, in ascending seq."""

    def statements() -> Iterator[tuple[StoredReceipt, bool, bool, bool]]:
        for native, current, conflict, *row in reader.stream(_EXPORTED):
            yield select.stored(reread, tuple(row)), native, current, conflict

    return joined(statements(), reader.stream(_BODIES), reader.stream(_TIES))


def batch_of(db: Db, copied: Sequence[CopiedStatement], numbers: keep.Numbers) -> Batch:
    """The statements as rows; to be called before the transaction. It raises the sequence to their seqs."""
    batch = Batch(
        [each.received for each in copied], lambda kind: numbers.kind(db, kind), lambda road: numbers.road(db, road)
    )
    batch.number([each.seq for each in copied])
    for row, each in zip(batch.rows, copied, strict=True):
        row.times_seen, row.signed, row.native = each.stored.times_seen, each.stored.signed, each.native
        row.current, row.conflict = each.current, each.conflict
    if copied:
        raise_seq(db, copied[-1].seq)
    return batch


def raise_seq(db: Db, last_seq: int) -> None:
    """Let the next statement have a larger seq."""
    if last_seq:
        db.execute(_RAISE, (last_seq, last_seq))


def import_statements(
    db: Db, types: RowTypes, batch: Batch, copied: Sequence[CopiedStatement], reached: Reached, location: str
) -> None:
    """Write the statements that follow those that are there, and how far the copy is.

    Raises UsageError where another process has written meanwhile.
    """
    newest = db.execute("SELECT max(seq) FROM smsreceipt.statement").fetchone()
    noted = db.execute(
        "SELECT reached FROM smsreceipt.replay WHERE key = %s::uuid", (digest(reached.file).hex(),)
    ).fetchone()
    if ((newest and newest[0]) or 0) > (noted[0] if noted else 0):
        raise UsageError(_("another process wrote into the store {store} during the copy", store=location))
    rows = sorted(batch.rows, key=lambda row: row.key)
    if rows:
        db.execute(INSERT, (packed_rows(rows, types.array, types.row),))
    bodies, ties = [], []
    for row, each in zip(batch.rows, copied, strict=True):
        place, seq = row.key.place, row.seq
        bodies += [(place, seq, sha256(body).digest(), native, body) for native, body in each.bodies]
        if each.tie:
            ties.append((place, seq, each.tie.report, each.tie.made, each.tie.signed))
    if bodies:
        _insert(db, _BODY, (int8s, int8s, byteas, booleans, byteas), bodies)
    if ties:
        _insert(db, _TIE, (int8s, int8s, int8s, booleans, booleans), ties)
    keep.write_reached(db, [reached])


def import_rejects(db: Db, numbers: keep.Numbers, copied: Sequence[CopiedReject], seqs: Sequence[int]) -> None:
    """Write rejects; those that are there already stay as they are. Their ways were looked up before."""
    rows = [
        (keep.reject_place(each.id), seq, each.id, each.kind or "", numbers.road_of(db, each.source, each.origin),
         str(each.reason), each.received_at, each.times_seen, reject.body)
        for seq, reject in zip(seqs, copied, strict=True)
        for each in (reject.stored,)
    ]  # fmt: skip
    _insert(db, _REJECT, _REJECT_TYPES, rows)


def import_sends(db: Db, copied: Sequence[StoredSend]) -> None:
    """Write sends; those that are there already stay as they are."""
    rows = [
        (phone_place(each.send.phone), ident_of(each.send.biz_id, each.send.phone), *row_of(each.send), each.settled,
         -1 if each.asked_at is None else each.asked_at, str(each.answer or ""))
        for each in copied
    ]  # fmt: skip
    sends.count(db, _insert(db, _SEND, _SEND_TYPES, sorted(rows)))


def import_counters(db: Db, numbers: keep.Numbers, kinds: Sequence[KindFacts], notes: Sequence[Reached]) -> None:
    """Set the counters of the kinds, and note how far files are replayed. The kinds were looked up before."""
    db.execute("DELETE FROM smsreceipt.tally")
    rows = [
        (numbers.kind(db, each.kind), each.count, each.tests, each.statements, each.first_received_at,
         each.last_received_at)
        for each in kinds
    ]  # fmt: skip
    _insert(
        db,
        "INSERT INTO smsreceipt.tally SELECT kind, 0, identities, tests, statements, first, last"
        " FROM unnest(%s::int4[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])"
        " AS given (kind, identities, tests, statements, first, last)",
        (int4s, int8s, int8s, int8s, int8s, int8s),
        rows,
    )
    keep.write_reached(db, notes)


def _insert(db: Db, statement: str, packers: Sequence[Pack], rows: Sequence[Sequence[object]]) -> int:
    """Insert the rows; return how many were not there."""
    values = columns(rows, len(packers))
    return db.execute(statement, [pack(column) for pack, column in zip(packers, values, strict=True)]).rowcount


def unfinished(reader: Reader) -> dict[str, Reached]:
    """How far files are replayed that were not read to their end."""
    found = reader.rows("SELECT file, reached, mark FROM smsreceipt.replay")
    return {file: Reached(file, offset, mark, done=False) for file, offset, mark in found}
