"""A connection to a database that is proved to be ours, sound and current, with settings that survive a power cut."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from smsreceipt.errors import SmsReceiptError, StoreDamaged, StoreUnavailable
from smsreceipt.store.sqlite import files, leases
from smsreceipt.store.sqlite.faults import damaged, translated
from smsreceipt.store.sqlite.migrations import APPLICATION_ID, SCHEMA, is_blank, migrate, pragma

OPENING_MS = 5_000  #: how long opening waits for another process
_CHECK_SECONDS = 2.0  # the longest that a start may take after an unclean end; a larger store is checked in part

_SETTINGS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cache_size = -65536;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
"""


def connect(path: Path, *, writable: bool, vfs: str | None = None) -> apsw.Connection:
    """Open an existing file with our settings and prove that it is a sound store of a schema we know.

    A damaged or foreign file is not written to: nothing is checkpointed into it, not even at close.
    """
    flags = apsw.SQLITE_OPEN_READWRITE if writable else apsw.SQLITE_OPEN_READONLY
    with translated(path):
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
        try:
            _secure(connection, path, writable=writable)
        except (apsw.Error, SmsReceiptError):
            connection.close(True)
            raise
    return connection


def _secure(connection: apsw.Connection, path: Path, *, writable: bool) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(OPENING_MS)
    _refuse_foreign(connection, path)
    connection.execute(_SETTINGS).fetchall()  # some of them answer, and what follows would not be executed
    if writable:
        files.restrict(path)
        if connection.pragma("journal_mode", "wal") != "wal":  # a backup by VACUUM INTO has another one
            raise StoreUnavailable(f"the store {path} is on a disk that cannot hold SQLite's write-ahead log")
        migrate(connection)
        if leases.unclean(connection):
            _quick_check(connection, path)
    elif not is_blank(connection) and pragma(connection, "user_version") != SCHEMA:
        raise StoreUnavailable(
            f"the store {path} has an older schema", hint="Any command that writes, such as pull, upgrades it."
        )


def _refuse_foreign(connection: apsw.Connection, path: Path) -> None:
    if is_blank(connection):  # asked first: another process may be making the store, all of it in one transaction
        return
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreDamaged(
            f"{path} is a database, but no smsreceipt store",
            hint="It was not touched. Name another file with --store.",
        )
    version = pragma(connection, "user_version")
    if version > SCHEMA:
        raise StoreDamaged(
            f"the store {path} has schema {version}, this program knows {SCHEMA}",
            hint="It was not touched. Use the newer smsreceipt that wrote it.",
        )
    if version < 1:
        raise damaged(path, "it has tables, but no schema version")


def _quick_check(connection: apsw.Connection, path: Path) -> None:
    """Look for damage, for two seconds at most. Raises StoreDamaged."""
    deadline = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchall()
    except apsw.InterruptError:
        return
    finally:
        connection.set_progress_handler(None)
    if found != [("ok",)]:
        raise damaged(path, "quick_check fails")
