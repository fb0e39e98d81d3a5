"""Opening the file: who may read it, whether it is ours, sound and current, and how SQLite is told to keep it safe."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import apsw

from smsreceipt.errors import SmsReceiptError, StoreDamaged, StoreFull, StoreLocked, StoreUnavailable

APPLICATION_ID = 0x534D5352  # "SMSR": a file that says otherwise is somebody else's
SCHEMA = 4  #: the newest migration in sql/
BUSY_MS = 5_000  #: how long a writer waits for another before it gives up; must stay below a queue's visibility

#: SQLite's file locks are not to be trusted on these.
_NETWORK = ("nfs", "cifs", "smb", "afs", "ncpfs", "9p", "fuse.sshfs", "fuse.s3fs", "ceph", "glusterfs")
_CHECK_SECONDS = 2.0  # what an unclean end may cost the next start; a larger store is checked as far as that goes

_SETTINGS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cache_size = -65536;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
"""


def sql(name: str) -> str:
    """The text of one file in store/sql."""
    return resources.files("smsreceipt.store.sqlite").joinpath("sql", name).read_text("utf-8")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours: each has its exit code and its next step."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as exc:
        raise StoreLocked(f"the store {path} is locked by another process") from exc
    except apsw.FullError as exc:
        raise StoreFull(f"no space left for the store {path}") from exc
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError) as exc:
        raise StoreUnavailable(f"the store {path} cannot be opened for this: {_plain(exc)}") from exc
    except apsw.IOError as exc:
        raise StoreUnavailable(
            f"the disk failed under the store {path}: {_plain(exc)}",
            hint="Nothing was acked that is not stored. Check the disk, then run the same command again.",
        ) from exc
    except apsw.NotADBError as exc:
        raise StoreDamaged(
            f"{path} is no smsreceipt store: it does not begin as an SQLite database does",
            hint="It was not touched. Name another file with --store; if this was a store, restore a backup.",
        ) from exc
    except (apsw.CorruptError, apsw.FormatError, apsw.SQLError) as exc:
        # A statement of ours is refused (SQLError) only where the schema is not what the migrations made.
        raise StoreDamaged(f"the store {path} is damaged: {_plain(exc)}") from exc


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """As translated; and a value that we never write (no UTF-8, no outcome of ours) is damage too."""
    with translated(path):
        try:
            yield
        except ValueError as exc:
            raise StoreDamaged(f"the store {path} is damaged: it holds a value that was never written") from exc


def _plain(exc: apsw.Error) -> str:
    return str(exc).split(":", 1)[-1].strip() or type(exc).__name__


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside the store: next to the store itself, wherever a symlink to it is."""
    return Path(os.path.realpath(path) + suffix)


def prepare_file(path: Path) -> None:
    """Make the directory 0700 and the file 0600 before SQLite writes a byte; refuse places that cannot be trusted.

    SQLite gives -wal and -shm the mode of the file itself.
    """
    for place in {path, beside(path, "")}:
        _refuse_unsafe(place)
    try:
        for folder in (*reversed(path.parent.parents), path.parent):  # mkdir's own parents get what the umask leaves
            folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise StoreUnavailable(f"the store {path} cannot be written: {exc.strerror}") from exc


def _refuse_unsafe(path: Path) -> None:
    folder = path.parent
    if folder.is_dir():
        mode = folder.stat().st_mode
        open_to_all = bool(mode & stat.S_IWOTH)
        if open_to_all and (path.is_symlink() or not mode & stat.S_ISVTX):
            raise StoreUnavailable(
                f"refusing the store {path}: anybody may write to its directory",
                hint="Put the store into a directory of your own.",
            )
    kind = _filesystem(folder)
    if kind.startswith(_NETWORK):
        raise StoreUnavailable(
            f"refusing the store {path}: it is on a network file system ({kind})",
            hint="SQLite cannot lock files there safely. Put the store on a local disk.",
        )


def _filesystem(folder: Path) -> str:
    """The type of the file system *folder* is on; "" where the system does not tell."""
    here = str(folder.resolve())
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
            _, mount, fstype, *_ = line.split(" ")
            inside = here == mount or here.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best):
                best, kind = mount, fstype
    return kind


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
    connection.set_busy_timeout(BUSY_MS)
    _refuse_foreign(connection, path)
    connection.execute(_SETTINGS).fetchall()  # some of them answer, and what follows would not be executed
    if writable:
        for suffix in ("", "-wal", "-shm"):  # SQLite has just made these with the mode that the file had
            with contextlib.suppress(FileNotFoundError):
                beside(path, suffix).chmod(0o600)
        if connection.pragma("journal_mode", "wal") != "wal":  # a backup by VACUUM INTO has another one
            raise StoreUnavailable(f"the store {path} is on a disk that cannot hold SQLite's write-ahead log")
        migrate(connection)
    elif not is_blank(connection) and _pragma(connection, "user_version") != SCHEMA:
        raise StoreUnavailable(
            f"the store {path} has an older schema", hint="Any command that writes, such as pull, upgrades it."
        )


def _pragma(connection: apsw.Connection, name: str) -> int:
    value = connection.pragma(name)
    return value if isinstance(value, int) else 0


def is_blank(connection: apsw.Connection) -> bool:
    """Whether nothing was ever written: a new file, or one whose first migration was cut off."""
    return _pragma(connection, "user_version") == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchall()


def _refuse_foreign(connection: apsw.Connection, path: Path) -> None:
    if is_blank(connection):  # asked first: another process may be making the store, all of it in one transaction
        return
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreDamaged(
            f"{path} is a database, but no smsreceipt store",
            hint="It was not touched. Name another file with --store.",
        )
    version = _pragma(connection, "user_version")
    if version > SCHEMA:
        raise StoreDamaged(
            f"the store {path} has schema {version}, this program knows {SCHEMA}",
            hint="It was not touched. Use the newer smsreceipt that wrote it.",
        )
    if version < 1:
        raise StoreDamaged(f"the store {path} is damaged: it has tables, but no schema version")


def quick_check(connection: apsw.Connection, path: Path) -> None:
    """Look for damage after an unclean end, for as long as a start may take. Raises StoreDamaged."""
    deadline = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchall()
    except apsw.InterruptError:
        return
    finally:
        connection.set_progress_handler(None)
    if found != [("ok",)]:
        raise StoreDamaged(f"the store {path} is damaged: quick_check fails")


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema up to date, each step and its number in one transaction: all of it or none."""
    if _pragma(connection, "user_version") == SCHEMA:
        return
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            step = _pragma(connection, "user_version") + 1
            if step <= SCHEMA:
                connection.execute(sql(f"{step:04}.sql"))
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", step)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has undone it already
                connection.execute("ROLLBACK")
            raise
        if step >= SCHEMA:
            return
