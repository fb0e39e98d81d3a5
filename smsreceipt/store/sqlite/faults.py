"""SQLite's errors as those of every store, each with its exit code and a hint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from smsreceipt.errors import StoreDamaged, StoreFull, StoreLocked, StoreUnavailable
from smsreceipt.store.sqlite.files import unavailable


def damaged(path: Path, what: str) -> StoreDamaged:
    """The error for a file that is a store, but not a sound one."""
    return StoreDamaged(
        f"the store {path} is damaged: {what}",
        hint="The file was left as it is. Copy it, then try `sqlite3 FILE .recover`, or restore a backup"
        " and pull or replay again.",
    )


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as StoreLocked, StoreFull, StoreUnavailable or StoreDamaged."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as exc:
        raise StoreLocked(f"the store {path} is locked by another process") from exc
    except apsw.FullError as exc:
        raise StoreFull(f"no space left for the store {path}") from exc
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError) as exc:
        raise unavailable(path, f"cannot be opened for this: {_plain(exc)}", write=True) from exc
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
        # SQLite refuses one of our statements (SQLError) only where the schema is not the one of the migrations.
        raise damaged(path, _plain(exc)) from exc


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """As translated(); a value that this program never writes (no UTF-8, an unknown outcome) is StoreDamaged too."""
    with translated(path):
        try:
            yield
        except ValueError as exc:
            raise damaged(path, "it holds a value that was never written") from exc


def _plain(exc: apsw.Error) -> str:
    return str(exc).split(":", 1)[-1].strip() or type(exc).__name__
