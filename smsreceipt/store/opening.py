"""From the location that a user names, a path or a URL, to a store. The engine is chosen here and nowhere else."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Protocol

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import narrow
from smsreceipt.store.promise import LOCK_WAIT, Reread, Store

#: A URL, also one of those that need no slashes. Any other colon may be part of a file's name.
_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://|(file|sqlite3?|jdbc|postgres(?:ql)?|mysql|https?|data):", re.IGNORECASE
)


class Engine(Protocol):
    """A store at one location, before it is opened."""

    @property
    def location(self) -> str:
        """As messages show it."""

    @property
    def has_password(self) -> bool:
        """Whether the location as it was given contains a password."""

    @property
    def is_server(self) -> bool:
        """Whether opening it makes a connection, which is better kept than made again."""

    def exists(self) -> bool:
        """Whether there is a store already; nothing is made."""

    def open(self, *, readonly: bool, reread: Reread, lock_wait: float) -> Store:
        """Open it; see open_store()."""

    def upgrade(self, *, reread: Reread) -> tuple[int, int]:
        """Bring the schema up to date, as the function of this name does."""

    def free_bytes(self) -> int | None:
        """How many more bytes the disk takes; None where the engine cannot tell."""

    def secret_file(self) -> Path:
        """Where the secrets of `listen` are by default."""

    def refuse_unwritable(self) -> None:
        """Raise StoreUnavailable where it is plain, without writing, that nothing can be written."""

    def refuse_folder(self) -> None:
        """Raise UsageError where the location is a folder."""

    def exposed(self) -> str:
        """A file of the store that other users of the machine can read; empty where there is none."""

    def occupies(self, path: Path) -> bool:
        """Whether the file at *path* is the store."""


def checked(location: str) -> str:
    """The location as messages show it: without a password. Raises UsageError where no engine can open it."""
    return _engine(location).location


def has_password(location: str) -> bool:
    """Whether the location contains a password."""
    return _engine(location).has_password


def is_server(location: str) -> bool:
    """Whether opening the store makes a connection, which is better kept than made again."""
    return _engine(location).is_server


def exists(location: str, *, insecure: bool = False) -> bool:
    """Whether there is a store already; nothing is made. Raises as open_store() does."""
    return _engine(location, insecure=insecure).exists()


def open_store(
    location: str, *, readonly: bool, reread: Reread, lock_wait: float = LOCK_WAIT, insecure: bool = False
) -> Store:
    """Open the store for reading only, or for writing, which makes it where there is none.

    A store that does not exist yet is empty for readers. *reread* gives the fields that receipts stored by an older
    version lack, and the template in the answer of a query. A write raises StoreLocked after *lock_wait* seconds during
    which another process held the write lock; opening itself waits up to LOCK_WAIT seconds. *insecure*: a database on
    another machine may be reached without TLS.
    Raises UsageError for a place that cannot hold a store, StoreUnavailable and StoreDamaged as every store does.
    """
    return _engine(location, insecure=insecure).open(readonly=readonly, reread=reread, lock_wait=lock_wait)


def upgrade(location: str, *, reread: Reread, insecure: bool = False) -> tuple[int, int]:
    """Bring the schema up to date; return its version before, which is 0 where there was no store, and after.

    A store that does not exist is made. Raises what opening a store for writing raises.
    """
    return _engine(location, insecure=insecure).upgrade(reread=reread)


def citus_sql() -> str:
    """The script that distributes the tables of a store over a Citus cluster."""
    from smsreceipt.store.postgres.engine import citus_sql

    return citus_sql()


def free_bytes(location: str) -> int | None:
    """How many more bytes the disk under the store takes; None where its engine cannot tell."""
    return _engine(location).free_bytes()


def secret_file(location: str) -> Path:
    """Where the secrets of `listen` are by default."""
    return _engine(location).secret_file()


def refuse_unwritable(location: str) -> None:
    """Raise StoreUnavailable where it is plain, without writing, that the store cannot be written to."""
    _engine(location).refuse_unwritable()


def refuse_folder(location: str) -> None:
    """Raise UsageError where the location is a folder, which never becomes a store."""
    _engine(location).refuse_folder()


def exposed(location: str) -> str:
    """A file of the store that other users of the machine can read; empty where there is none."""
    return _engine(location).exposed()


def occupies(location: str, path: Path) -> bool:
    """Whether the file at *path* is the store, under whatever name."""
    return _engine(location).occupies(path)


def _engine(location: str, *, insecure: bool = False) -> Engine:
    if url := _URL.match(location):
        if (url[1] or "").lower() in {"postgresql", "postgres"}:
            from smsreceipt.store.postgres.engine import PostgresDatabase

            return PostgresDatabase(location, insecure=insecure)
        raise UsageError(
            _("this store URL is not supported: {scheme}…", scheme=url[0]),
            hint=_("Give the path of a file, or postgresql://USER@HOST/DATABASE."),
        )
    url = _URL.match(narrow(location))
    if url and (url[1] or url[2].lower().startswith("postgres")):  # a file may be called data：x.db
        raise UsageError(
            _("this store URL has full-width characters"), hint=_("Write {url} with those of ASCII.", url=url[0])
        )
    from smsreceipt.store.sqlite.engine import SqliteFile

    _refuse_no_path(location)
    return SqliteFile(Path(location))


def _refuse_no_path(location: str) -> None:
    """Raise UsageError for what can be the path of no file."""
    try:
        os.lstat(location)
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:
            raise UsageError(
                _("this path of a store is too long: {start}…", start=location[:60]),
                hint=_("Name a file with --store."),
            ) from None
    except ValueError:
        raise UsageError(_("a path of a store holds no NUL"), hint=_("Name a file with --store.")) from None
