"""Reads a whole store for a copy of it, and writes one that is read from another store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import apsw

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import Reached, StoredReceipt
from smsreceipt.store.copies import CopiedReject, CopiedStatement, joined
from smsreceipt.store.ledger_rows import COLUMNS, row_of
from smsreceipt.store.promise import Reread
from smsreceipt.store.sqlite import replays, select
from smsreceipt.store.sqlite.batch import WIDTH, InsertBatch
from smsreceipt.store.sqlite.columns import INSERTED, SELECTED, UNREAD, WRITTEN
from smsreceipt.store.sqlite.keep import Keeper
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.values import KindFacts, StoredSend

_EXPORTED = (
    "SELECT statement.native, current, conflict, statement.seq, received_at, source, origin, times_seen, signed, '',"
    f" '', 1, {UNREAD}, {SELECTED} FROM statement CROSS JOIN kind ON kind.id = statement.kind"
    " CROSS JOIN road ON road.id = statement.road ORDER BY statement.seq"
)
_BODIES = "SELECT seq, native, body FROM body ORDER BY seq, digest"
_TIES = (
    "SELECT tie.detail, report, statement.biz_id, made, tie.signed FROM tie JOIN statement ON statement.seq = report"
    " ORDER BY tie.detail"
)
_INSERT = (
    f"INSERT INTO statement ({', '.join(INSERTED)}, times_seen, conflict, current)"
    f" SELECT {WRITTEN}, column{WIDTH + 1}, column{WIDTH + 2}, column{WIDTH + 3}"
    f" FROM (VALUES ({', '.join('?' * (WIDTH + 3))}))"
)
_SEND = f"INSERT INTO send ({COLUMNS}, settled, asked_at, answer) VALUES ({'?,' * 10}?) ON CONFLICT DO NOTHING"
_REJECT = (
    "INSERT INTO reject (id, kind, road, reason, received_at, times_seen, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_KIND = (
    "INSERT INTO kind (name, identities, statements, tests, first_received, last_received) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET identities = excluded.identities, statements = excluded.statements,"
    " tests = excluded.tests, first_received = excluded.first_received, last_received = excluded.last_received"
)


def exported(db: apsw.Connection, reread: Reread) -> Iterator[CopiedStatement]:
    """Yield every statement, in ascending seq."""

    def statements() -> Iterator[tuple[StoredReceipt, bool, bool, bool]]:
        for native, current, conflict, *row in rows(db, _EXPORTED):
            yield select.stored(reread, tuple(row)), native, current, conflict

    return joined(statements(), rows(db, _BODIES), rows(db, _TIES))


def import_statements(
    db: apsw.Connection, keeper: Keeper, copied: Sequence[CopiedStatement], reached: Reached, location: str
) -> None:
    """Write the statements that follow those that are there, and how far the copy is.

    Raises UsageError where another process has written meanwhile.
    """
    before = number(db, "SELECT last_seq FROM counter")
    noted = replays.unfinished(db).get(reached.file)
    if before > (noted.offset if noted else 0):
        raise UsageError(_("another process wrote into the store {store} during the copy", store=location))
    if copied:
        batch = InsertBatch([each.received for each in copied], 0, keeper.kind, keeper.road)
        for name, values in (
            ("seq", [each.seq for each in copied]),
            ("signed", [each.stored.signed for each in copied]),
            ("native", [each.native for each in copied]),
        ):
            batch.values[INSERTED.index(name) :: WIDTH] = values
        ends = ((each.stored.times_seen, each.conflict, each.current) for each in copied)
        starts = (batch.values[at : at + WIDTH] for at in range(0, len(batch.values), WIDTH))
        db.executemany(_INSERT, ((*start, *end) for start, end in zip(starts, ends, strict=True)))
        _write_bodies(db, copied)
        db.executemany(
            "INSERT INTO tie VALUES (?, ?, ?, ?, ?)",
            [
                (each.seq, each.tie.report, each.stored.receipt.phone, each.tie.made, each.tie.signed)
                for each in copied
                if each.tie
            ],
        )
        keeper.advance(before, copied[-1].seq, done=False)
    replays.write(db, [reached])


def _write_bodies(db: apsw.Connection, copied: Sequence[CopiedStatement]) -> None:
    db.executemany(
        "INSERT INTO body VALUES (?, ?, ?, ?)",
        [(each.seq, sha256(body).digest(), native, body) for each in copied for native, body in each.bodies],
    )


def import_rejects(db: apsw.Connection, keeper: Keeper, copied: Sequence[CopiedReject]) -> None:
    """Write rejects; those that are there already stay as they are."""
    db.executemany(
        _REJECT,
        [
            (each.id, each.kind or "", keeper.road_of(each.source, each.origin), each.reason, each.received_at,
             each.times_seen, reject.body)
            for reject in copied
            for each in (reject.stored,)
        ],
    )  # fmt: skip


def import_sends(db: apsw.Connection, sends: Sequence[StoredSend]) -> None:
    """Write sends; those that are there already stay as they are."""
    before = db.total_changes()
    db.executemany(
        _SEND,
        [
            (*row_of(each.send), each.settled, -1 if each.asked_at is None else each.asked_at, each.answer or "")
            for each in sends
        ],
    )
    db.execute("UPDATE counter SET sends = sends + ?", (db.total_changes() - before,))


def import_counters(
    db: apsw.Connection, keeper: Keeper, kinds: Sequence[KindFacts], last_seq: int, notes: Sequence[Reached]
) -> None:
    """Set the counters of the kinds and the last seq, and note how far files are replayed."""
    db.executemany(
        _KIND,
        [
            (each.kind, each.count, each.statements, each.tests, each.first_received_at, each.last_received_at)
            for each in kinds
        ],
    )
    before = number(db, "SELECT last_seq FROM counter")
    keeper.advance(before, max(before, last_seq), done=True)
    replays.write(db, notes)
