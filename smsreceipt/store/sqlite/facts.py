"""Counts and sizes of the store, without scanning the receipts."""

from __future__ import annotations

from pathlib import Path

import apsw

from smsreceipt.model import Kind
from smsreceipt.store.sqlite import files, leases
from smsreceipt.store.sqlite.migrations import SCHEMA
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.sends import Sends
from smsreceipt.store.values import KindFacts, StoreFacts


def facts(db: apsw.Connection, path: Path, sends: Sends, *, exists: bool) -> StoreFacts:
    """The facts of the file at *path*."""
    kinds = tuple(
        KindFacts(Kind(name), identities, statements, tests, first, last)
        for name, identities, statements, tests, first, last in rows(
            db, "SELECT name, identities, statements, tests, first_received, last_received FROM kind ORDER BY name"
        )
    )
    return StoreFacts(
        location=str(path),
        exists=exists,
        engine=f"SQLite {apsw.sqlite_lib_version()}",
        schema=SCHEMA,
        size=files.size(path) + files.size(files.beside(path, "-wal")),
        last_seq=number(db, "SELECT last_seq FROM counter"),
        rejects=number(db, "SELECT count(*) FROM reject"),
        conflicts=number(db, "SELECT count(*) FROM statement WHERE conflict = 1"),
        kinds=kinds,
        sends=number(db, "SELECT sends FROM counter"),
        open_sends=sends.open(),
        consumed=leases.consumed(db),
    )
