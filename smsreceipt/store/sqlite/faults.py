"""SQLite's errors as those of every store, each with its exit code and a hint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from smsreceipt.errors import StoreDamaged, StoreFull, StoreLocked, StoreUnavailable
from smsreceipt.language import _
from smsreceipt.store.sqlite.files import unavailable


def damaged(path: Path, what: str) -> StoreDamaged:
    """The error for a file that is a store, but not a sound one."""
    return StoreDamaged(
        _("the store {store} is damaged: {reason}", store=path, reason=what),
        hint=_(
            "The file was left as it is. Copy it, then try `sqlite3 FILE .recover`, or restore a backup"
            " and pull or replay again."
        ),
    )


def replaced(path: Path) -> StoreDamaged:
    """The error for a store whose files were changed by somebody else while they were in use."""
    return StoreDamaged(
        _("the store {store} or its -wal file was replaced or deleted while in use, or overwritten", store=path),
        hint=_("Nothing of the last batch was acked. Put the file back, or start again on the new one."),
    )


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as StoreLocked, StoreFull, StoreUnavailable or StoreDamaged."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as exc:
        raise StoreLocked(_("the store {store} is locked by another process", store=path)) from exc
    except apsw.FullError as exc:
        raise StoreFull(_("no space left for the store {store}", store=path)) from exc
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError) as exc:
        raise unavailable(
            path,
            _("the store {store} cannot be opened for this: {reason}", store=path, reason=_plain(exc)),
            write=True,
        ) from exc
    except apsw.IOError as exc:
        raise StoreUnavailable(
            _("the disk failed under the store {store}: {reason}", store=path, reason=_plain(exc)),
            hint=_("Nothing was acked that is not stored. Check the disk, then run the same command again."),
        ) from exc
    except apsw.NotADBError as exc:
        raise StoreDamaged(
            _("{path} is no smsreceipt store: it does not begin as an SQLite database does", path=path),
            hint=_("It was not touched. Name another file with --store; if this was a store, restore a backup."),
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
            raise damaged(path, _("it holds a value that was never written")) from exc


def _plain(exc: apsw.Error) -> str:
    return str(exc).split(":", 1)[-1].strip() or type(exc).__name__
