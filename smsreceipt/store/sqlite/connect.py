"""A connection to a database that is proved to be ours, sound and current, with settings that survive a power cut."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import apsw

from smsreceipt.errors import SmsReceiptError, StoreDamaged, StoreUnavailable
from smsreceipt.language import N_, _
from smsreceipt.store.sqlite import files, leases
from smsreceipt.store.sqlite.faults import damaged, translated
from smsreceipt.store.sqlite.migrations import APPLICATION_ID, SCHEMA, TABLES, is_blank, migrate, pragma, triggers

OPENING_MS = 5_000  #: how long opening waits for another process
START_SECONDS = 2.0  #: the longest that a start looks for damage after an unclean end
LOOK_SECONDS = 0.25  #: the longest that a command does for which people wait
_PROGRESS = 1_000  # steps of SQLite between two looks at the clock: about a millisecond

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
    if not writable and files.on_read_only_media(path):
        return _connect_to_read_only_media(path)
    cut_off = files.size(files.beside(path, "-journal"))  # SQLite undoes what was cut off, for which it must write
    flags = apsw.SQLITE_OPEN_READWRITE if writable or cut_off else apsw.SQLITE_OPEN_READONLY
    return _connect(path, str(path), flags, writable=writable, vfs=vfs)


def reconnect(path: Path) -> apsw.Connection:
    """One more connection to a store that this process has open.

    What cuts the file needs one of its own each time: a connection that has written before notes the same number of
    changes in the head again, and the file would look cut by somebody else; see Files.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(OPENING_MS)
    connection.execute(_SETTINGS).fetchall()
    return connection


def _connect_to_read_only_media(path: Path) -> apsw.Connection:
    """Open a file beside which SQLite can write nothing. It must have been closed soundly: its journal is not read."""
    if files.size(files.beside(path, "-wal")):
        raise StoreUnavailable(
            _("the store {store} was not closed soundly, and lies where nothing can be written", store=path),
            hint=_("Copy the file and its -wal file to a disk that can be written, and name the copy with --store."),
        )
    uri = f"{path.resolve().as_uri()}?immutable=1"
    return _connect(path, uri, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, writable=False, vfs=None)


def _connect(path: Path, name: str, flags: int, *, writable: bool, vfs: str | None) -> apsw.Connection:
    with translated(path):
        connection = apsw.Connection(name, flags=flags, vfs=vfs)
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
    _refuse_foreign_code(connection, path)
    connection.execute(_SETTINGS).fetchall()  # some of them answer, and what follows would not be executed
    if writable:
        files.restrict(path)
        if is_blank(connection):
            migrate(connection)  # before there is a write-ahead log: the file itself is empty or a store
        _keep_journal(connection, path)
        migrate(connection)
        if leases.unclean(connection):
            quick_check(connection, path, START_SECONDS)
    elif not is_blank(connection) and pragma(connection, "user_version") != SCHEMA:
        raise StoreUnavailable(
            _("the store {store} has an older schema", store=path),
            hint=_("Any command that writes, such as pull, upgrades it."),
        )


def _keep_journal(connection: apsw.Connection, path: Path) -> None:
    """Switch to the write-ahead log: a new file, and a backup by VACUUM INTO, have a rollback journal."""
    deadline = time.monotonic() + OPENING_MS / 1000
    while True:
        try:
            mode = connection.pragma("journal_mode", "wal")
            break
        except (apsw.BusyError, apsw.LockedError):  # SQLite does not wait here for another process
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise StoreUnavailable(
            _("the store {store} is on a disk that cannot hold SQLite's write-ahead log", store=path)
        )


def _refuse_foreign(connection: apsw.Connection, path: Path) -> None:
    if is_blank(connection):
        # Looked at twice: another process may make the store meanwhile.
        if not files.size(path) or not is_blank(connection):
            return
        raise StoreDamaged(
            _(
                "{path} has no tables: it is no store, or one whose journal ({name}-wal) is gone",
                path=path,
                name=path.name,
            ),
            hint=_(
                "It was not touched. Put the -wal file back beside it, restore a backup, or name another file"
                " with --store."
            ),
        )
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreDamaged(
            _("{path} is a database, but no smsreceipt store", path=path),
            hint=_("It was not touched. Name another file with --store."),
        )
    version = pragma(connection, "user_version")
    if version > SCHEMA:
        raise StoreDamaged(
            _(
                "the store {store} has schema {version}, this program knows {known}",
                store=path,
                version=version,
                known=SCHEMA,
            ),
            hint=_("It was not touched. Use the newer smsreceipt that wrote it."),
        )
    if version < 1:
        raise damaged(path, _("it has tables, but no schema version"))


def _refuse_foreign_code(connection: apsw.Connection, path: Path) -> None:
    """Raise StoreDamaged for triggers, views and rules that are not ours: they change or refuse what is written.

    Tables and plain indexes of the user's own are no harm, nor are unique indexes on such tables. A foreign key from
    one to a table of ours is: it would refuse our deletes, or follow them.
    """
    ours = dict(triggers())
    for what, name, table, text in connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view')"
        " OR type = 'index' AND sql LIKE 'CREATE UNIQUE%' AND name <> 'statement_key'"
    ):
        if ours.get(name) != text and (what != "index" or table in TABLES):
            raise StoreDamaged(
                _(_FOREIGN[what], store=path, name=name),
                hint=_(
                    'It was not touched. Remove it: sqlite3 FILE "DROP {what} {name}", then run this again.',
                    what=what.upper(),
                    name=name,
                ),
            )
    for name, table in connection.execute(
        'SELECT DISTINCT name, lower("table") FROM sqlite_schema JOIN pragma_foreign_key_list(name)'
        " WHERE type = 'table' AND sql LIKE '%REFERENCES%'"
    ):
        if name not in TABLES and table in TABLES:
            raise StoreDamaged(
                _(
                    "the store {store} has a table whose foreign key names one of smsreceipt's: {name}, of {table}",
                    store=path,
                    name=name,
                    table=table,
                ),
                hint=_("It was not touched. Make the table again without REFERENCES, or DROP it, then run this again."),
            )


_FOREIGN = {
    "trigger": N_("the store {store} has a trigger that is not smsreceipt's: {name}"),
    "view": N_("the store {store} has a view that is not smsreceipt's: {name}"),
    "index": N_("the store {store} has a unique index that is not smsreceipt's: {name}"),
}


def quick_check(connection: apsw.Connection, path: Path, seconds: float) -> bool:
    """Look for damage, for *seconds* at most; False if that was not enough for all of it. Raises StoreDamaged."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _PROGRESS)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchall()
    except apsw.InterruptError:
        return False
    finally:
        connection.set_progress_handler(None)
    if found != [("ok",)]:
        raise damaged(path, _("quick_check fails"))
    return True


def schema_of(path: Path) -> int:
    """The schema of the file at *path*; 0 where nothing is stored yet. Opening proves the file to be a store."""
    if not files.size(path):
        return 0
    with translated(path), closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        return pragma(connection, "user_version")
