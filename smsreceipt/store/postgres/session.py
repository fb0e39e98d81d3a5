"""Connections to one database: reads that see one moment, and writing transactions whose outcome is always known.

Nothing is left in a server's session between transactions, so that a pooler in front of it may change the session.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

import psycopg
from psycopg.pq import TransactionStatus

from smsreceipt.errors import StoreDamaged, StoreLocked, StoreUnavailable, UsageError
from smsreceipt.store.postgres import arrays
from smsreceipt.store.postgres.address import Address
from smsreceipt.store.postgres.faults import (
    COUNTED_ALREADY,
    LOCKED,
    error_of,
    is_lost,
    may_be_repeated,
    translated,
    unreachable,
)

T = TypeVar("T")
Db = psycopg.Connection[Any]

#: Compiling a query takes longer than what is read here.
_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off"
_FETCHED = 2_000  # rows that are fetched together
_REPEATS = 5  # of a transaction that met a deadlock
_IN_DOUBT = 30.0  # seconds to find out whether a transaction was committed whose connection was lost
_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)  # seconds before each further connection
_FORGOTTEN = 90 * 86_400_000  # milliseconds after which the note of a writer that never came back is deleted
#: What holds for a connection unless its URL says otherwise. A peer that is gone is noticed in half a minute.
_DEFAULTS = {
    "connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
    "tcp_user_timeout": "20000", "application_name": "smsreceipt",
}  # fmt: skip


class Begun(NamedTuple):
    """What a writing transaction begins with."""

    seqs: Sequence[int]
    has_details: bool  #: the store holds answers of a query that may be attributed
    has_sends: bool  #: the ledger holds sends
    alone: bool  #: no other writer is at work


class NeedsAloneError(Exception):
    """A transaction turned out to need that no other writer is at work: it is undone and run again that way."""


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
                "this PostgreSQL URL cannot be read", hint="Look at its parameters; nothing of it is repeated here."
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


class Writer:
    """Writes: each transaction is counted in a row of this writer, so that a lost connection leaves no doubt."""

    def __init__(self, connections: Connections, lock_wait: float) -> None:
        self._connections = connections
        self._lock_wait = lock_wait
        self._db: Db | None = None
        self._id = ""  #: "" where the writer has no row, or one whose number is not known
        self._number = 0

    def run(
        self, work: Callable[[Db, Begun], T], *, before: Callable[[Db], int] = lambda _: 0, alone: bool = False
    ) -> T:
        """Return what *work* returns, once its transaction is committed.

        *before* is called before the transaction, for what is committed apart, and returns how many seqs *work* needs.
        Both are called again when the connection was lost, and when the server asks for it. *alone*: no other writer
        may be at work. Raises what Store's writing methods raise; nothing is written then, unless the connection was
        lost for longer than the outcome could be waited for.
        """
        attempt = _Attempt(work, before, alone)
        began, failures, deadlocks = time.monotonic(), 0, 0
        while True:
            try:
                return self._attempt(attempt)
            except NeedsAloneError:
                attempt.alone = True
            except (psycopg.Error, StoreUnavailable) as exc:
                fault = exc if isinstance(exc, psycopg.Error) else None
                if fault is not None and may_be_repeated(fault) and deadlocks < _REPEATS:
                    deadlocks += 1
                    continue
                gone = fault is None or is_lost(fault)
                patience = _IN_DOUBT if attempt.in_doubt else self._lock_wait
                # A lock that is met in doubt may be that of the same transaction, whose COMMIT is still under way.
                wait = gone or (attempt.in_doubt and fault is not None and fault.sqlstate == LOCKED)
                if wait and time.monotonic() - began < patience:
                    time.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                    failures += 1
                    continue
                raise self._given_up(attempt, exc, gone=gone) from exc

    def _attempt(self, attempt: _Attempt[T]) -> T:
        db = self._connected()
        try:
            seqs = attempt.before(db)
            db.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            row = db.execute(
                "SELECT first_seqs, has_details, has_sends FROM smsreceipt.begin_write(%s, %s, %s, %s, %s)",
                (self._id, self._number + 1, seqs, attempt.alone, max(1, round(self._lock_wait * 1000))),
                binary=True,
            ).fetchone()
            assert row is not None  # noqa: S101 - a function of one row
            attempt.in_doubt = False  # an earlier one of this number was not committed
            result = attempt.work(db, Begun(row[0] or (), row[1], row[2], attempt.alone))
            attempt.in_doubt, attempt.result = True, [result]
            self._commit(db)
        except BaseException as exc:
            self._roll_back(db)
            if isinstance(exc, psycopg.Error) and exc.sqlstate == COUNTED_ALREADY:
                return self._outcome(attempt)
            raise
        attempt.in_doubt = False
        self._number += 1
        return result

    @staticmethod
    def _commit(db: Db) -> None:
        if db.execute("COMMIT").statusmessage != "COMMIT":
            raise psycopg.errors.TransactionRollback("the transaction was undone")

    @staticmethod
    def _roll_back(db: Db) -> None:
        """Undo the transaction; a connection on which that is not possible is closed."""
        try:
            if db.info.transaction_status is TransactionStatus.IDLE:
                return
            db.cancel_safe(timeout=1.0) if db.info.transaction_status is TransactionStatus.ACTIVE else None
            db.execute("ROLLBACK")
        except psycopg.Error:
            db.close()

    def _connected(self) -> Db:
        """The connection, and a row for this writer."""
        if self._db is None or self._db.closed:
            self._db = self._connections.connect()
        if not self._id:
            self._number, chosen = 0, str(uuid4())
            self._db.execute(
                "WITH old AS (DELETE FROM smsreceipt.writer WHERE seen_at < smsreceipt.now_ms() - %s)"
                " INSERT INTO smsreceipt.writer VALUES (%s, %s, 0, smsreceipt.now_ms())",
                (_FORGOTTEN, chosen, socket.gethostname()),
            )
            self._id = chosen
        return self._db

    def _outcome(self, attempt: _Attempt[T]) -> T:
        """What a transaction returned that was committed although its connection was lost before the answer.

        Raises StoreDamaged where the row of this writer is not what it must be: then commits are missing that were
        confirmed, and nothing is acknowledged.
        """
        assert self._db is not None  # noqa: S101 - it has just been used
        found = self._db.execute("SELECT batch FROM smsreceipt.writer WHERE id = %s", (self._id,)).fetchall()
        if attempt.result and found == [(self._number + 1,)]:
            self._number += 1
            return attempt.result[0]
        self._id = ""
        raise StoreDamaged(
            f"the store {self._connections.location} does not hold what it confirmed a moment ago",
            hint="Was a backup restored, or an older replica promoted? Nothing of the last batch was acked. Receipts"
            " may be missing: replay what was kept elsewhere, and run reconcile.",
        )

    def _given_up(self, attempt: _Attempt[T], exc: Exception, *, gone: bool) -> Exception:
        """The error for a transaction that could not be made. Whether it was is not known if it is in doubt."""
        if attempt.in_doubt:
            self._id = ""
        if gone:
            return StoreLocked(f"the store {self._connections.location} cannot be reached any more")
        return error_of(self._connections.location, exc) if isinstance(exc, psycopg.Error) else exc

    def close(self) -> None:
        """Delete the row of this writer, and close the connection."""
        if self._db is None or self._db.closed:
            return
        with contextlib.suppress(psycopg.Error):
            if self._id:
                self._db.execute("DELETE FROM smsreceipt.writer WHERE id = %s", (self._id,))
        self._db.close()


class _Attempt(Generic[T]):
    """One transaction and what is known of its outcome."""

    def __init__(self, work: Callable[[Db, Begun], T], before: Callable[[Db], int], alone: bool) -> None:
        self.work, self.before, self.alone = work, before, alone
        self.in_doubt = False  #: COMMIT was sent, and not answered
        self.result: list[T] = []
