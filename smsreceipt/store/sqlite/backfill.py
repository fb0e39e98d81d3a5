"""Reads the bodies of older statements for the columns that a later schema added.

A statement that an older program wrote has a marker in such a column. Readers read its body when they meet it, so this
only saves them the work. The table `backfill` says up to which seq no marker is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from smsreceipt.model import Kind
from smsreceipt.store.promise import Reread
from smsreceipt.store.sqlite.columns import ADDED, NUMBERED, UNREAD, added_values_of
from smsreceipt.store.sqlite.migrations import BACKFILLED
from smsreceipt.store.sqlite.rows import number, rows

BATCH = 5_000  #: statements a transaction: other writers wait less than a tenth of a second


class Batch(NamedTuple):
    """What was read of some statements in ascending seq, not yet written."""

    values: Sequence[tuple[Any, ...]]  #: of the added columns, then seq and digest
    read_to: int
    last_seq: int


def read(db: apsw.Connection, reread: Reread) -> Batch | None:
    """Read the bodies of the next statements with a marker; None where none are left. Takes no write lock."""
    last_seq = number(db, "SELECT last_seq FROM counter")
    read_to = number(db, "SELECT read_to FROM backfill WHERE schema = ?", BACKFILLED)
    if not ADDED or read_to >= last_seq:
        return None
    found = rows(
        db,
        "SELECT seq, name, digest, body FROM statement CROSS JOIN kind ON kind.id = statement.kind"
        f" WHERE seq BETWEEN ? AND ? AND ({UNREAD}) ORDER BY seq LIMIT ?",
        (read_to + 1, last_seq, BATCH),
    )
    values, reached = [], last_seq
    for count, (seq, kind, digest, body) in enumerate(found, 1):
        if count == BATCH:
            reached = seq
        if receipt := reread(Kind(kind), body):  # a body that is refused today keeps its marker
            values.append((*added_values_of(receipt), seq, digest))
    return Batch(values, reached, last_seq)


def write(db: apsw.Connection, batch: Batch) -> None:
    """Write what was read, inside the caller's transaction. A statement that shows another body now is left alone.

    The numbers of calls that are found so are added to the index of phones.
    """
    columns = ", ".join(f"{column.name} = {column.form.placeholder}" for column in ADDED)
    db.executemany(f"UPDATE statement SET {columns} WHERE seq = ? AND digest = ?", batch.values)
    indexed = "seq BETWEEN ?1 AND ?2 AND seq <= (SELECT phones_to FROM counter)"
    if batch.values:
        db.execute(f"INSERT OR IGNORE INTO phone {NUMBERED.format(indexed)}", (batch.values[0][-2], batch.read_to))
    db.execute("UPDATE backfill SET read_to = max(read_to, ?) WHERE schema = ?", (batch.read_to, BACKFILLED))


def advance(db: apsw.Connection, last_seq: int, to: int) -> None:
    """Note that statements were added after *last_seq*, without a marker. Does nothing while older ones have one."""
    db.execute("UPDATE backfill SET read_to = ? WHERE schema = ? AND read_to = ?", (to, BACKFILLED, last_seq))
