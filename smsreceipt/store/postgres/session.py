"""Connections to one database, and reads that see one moment.

Nothing is left in a server's session between transactions, so that a pooler in front of it may change the session.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.store.postgres import arrays
from smsreceipt.store.postgres.address import Address
from smsreceipt.store.postgres.faults import is_lost, translated, unreachable

T = TypeVar("T")
Db = psycopg.Connection[Any]

#: Compiling a query takes longer than what is read here.
_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off"
_FETCHED = 2_000  # rows that are fetched together
#: What holds for a connection unless its URL says otherwise. A peer that is gone is noticed in half a minute.
_DEFAULTS = {
    "connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
    "tcp_user_timeout": "20000", "application_name": "smsreceipt",
}  # fmt: skip


class Connections:
    """Makes connections, and keeps those that are not in use."""

    def __init__(self, address: Address, *, insecure: bool) -> None:
        """Raises UsageError for an address that would send data unencrypted."""
        self.location = address.shown
        self._url = address.url
        sslmode = address.sslmode(os.environ, insecure=insecure)
        given = {name: value for name, value in _DEFAULTS.items() if name not in address.parameters}
        self._options: dict[str, Any] = given | ({"sslmode": sslmode} if sslmode else {})
        self._idle: list[Db] = []

    def connect(self) -> Db:
        """A new connection. Raises StoreUnavailable."""
        try:
            db = psycopg.connect(
                self._url, autocommit=True, prepare_threshold=None, client_encoding="UTF8", **self._options
            )
        except psycopg.OperationalError as exc:
            raise unreachable(self.location, exc) from None
        except (psycopg.Error, ValueError):
            raise UsageError(
                _("this PostgreSQL URL cannot be read"),
                hint=_("Look at its parameters; nothing of it is repeated here."),
            ) from None
        arrays.register(db)
        return db

    @contextlib.contextmanager
    def lend(self) -> Iterator[Db]:
        """A connection for a while. One that is lost, or in a transaction afterwards, is closed."""
        db = self._idle.pop() if self._idle else self.connect()
        try:
            yield db
        finally:
            if not db.closed and db.info.transaction_status is TransactionStatus.IDLE:
                self._idle.append(db)
            else:
                db.close()

    def server_version(self) -> str:
        """The version of the server, such as 16.4."""
        with self.lend() as db:
            major, minor = divmod(db.info.server_version, 10_000)
            return f"{major}.{minor}"

    def close(self) -> None:
        """Close those that are not in use."""
        while self._idle:
            self._idle.pop().close()


class Reader:
    """Reads. What is read while a snapshot is held, and the rows of one stream, are of one moment."""

    def __init__(self, connections: Connections, *, blank: bool) -> None:
        """*blank*: the database has no tables yet; every read finds nothing."""
        self.blank = blank
        self._connections = connections
        self._held: tuple[Db, int] | None = None
        self._streams = 0

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query that finds few."""
        if self.blank:
            return []
        return self._again(lambda: self._rows(query, values))

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._borrow() as db:
            return db.execute(query, values or None, binary=True).fetchall()

    def _again(self, read: Callable[[], T]) -> T:
        """Read once more if the connection was lost since it was last used."""
        with translated(self._connections.location):
            try:
                return read()
            except psycopg.Error as exc:
                if self._held or not is_lost(exc):
                    raise
            self._connections.close()
            return read()

    def sums(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query that reads many rows for few."""
        return list(self.stream(query, values))

    def number(self, query: str, *values: Any) -> int:
        """The number in the first column of the first row; 0 where there is none."""
        for (found,) in self.sums(query, values):
            return int(found or 0)
        return 0

    def within(self, seconds: float, query: str) -> list[tuple[Any, ...]] | None:
        """All rows of a query; None if that takes longer than *seconds*."""
        if self.blank:
            return []
        with translated(self._connections.location), self._borrow() as db, self._moment(db):
            db.execute("SELECT set_config('statement_timeout', %s, true)", (str(round(seconds * 1000)),))
            try:
                return db.execute(query).fetchall()
            except psycopg.errors.QueryCanceled:
                return None

    def refused(self, query: str, values: Sequence[Any]) -> str:
        """Why the server finds data or an index of its own damaged, as it says; "" where it does not."""
        with translated(self._connections.location), self._borrow() as db, self._moment(db):
            try:
                db.execute(query, values)
            except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as exc:
                return str(exc.diag.message_primary)
        return ""

    def within_transaction(self, db: Db) -> Reader:
        """A reader in a transaction that another has begun: it sees what that one has written."""
        reader = Reader(self._connections, blank=False)
        reader._held = db, 0
        return reader

    def horizon(self) -> int:
        """Up to which seq statements may be shown; to be asked before they are read."""
        if self._held:
            return self._held[1]
        return next((int(top) for (top,) in self.rows("SELECT smsreceipt.horizon()")), 0)

    def stream(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that may find many, all of them of one moment."""
        if self.blank:
            return
        with translated(self._connections.location), contextlib.ExitStack() as stack:
            cursor = self._again(lambda: self._cursor(stack, query, values))
            found = cursor.fetchmany(_FETCHED)
            while len(found) == _FETCHED:
                yield from found
                found = cursor.fetchmany(_FETCHED)
        yield from found

    def _cursor(self, stack: contextlib.ExitStack, query: str, values: Sequence[Any]) -> psycopg.ServerCursor[Any]:
        """A cursor on the server, closed with *stack*."""
        self._streams += 1
        with contextlib.ExitStack() as opening:
            db = opening.enter_context(self._borrow())
            opening.enter_context(self._moment(db))
            cursor = opening.enter_context(db.cursor(f"stream_{self._streams}"))
            cursor.execute(query, values or None, binary=True)
            stack.push(opening.pop_all())
        return cursor

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one moment."""
        if self.blank or self._held:
            yield
            return
        horizon = self.horizon()
        with translated(self._connections.location), self._borrow() as db, self._moment(db):
            db.execute("SELECT 1")  # from here on
            self._held = db, horizon
            try:
                yield
            finally:
                self._held = None

    @contextlib.contextmanager
    def _moment(self, db: Db) -> Iterator[None]:
        """A transaction that sees one moment, unless one is held already."""
        if self._held:
            yield
            return
        db.execute(_MOMENT)
        try:
            yield
        finally:
            with contextlib.suppress(psycopg.Error):
                db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _borrow(self) -> Iterator[Db]:
        if self._held:
            yield self._held[0]
            return
        with self._connections.lend() as db:
            yield db
