"""Writing transactions whose outcome is always known, also when the connection is lost during COMMIT."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

import psycopg
from psycopg.pq import TransactionStatus

from smsreceipt.errors import StoreDamaged, StoreLocked, StoreUnavailable
from smsreceipt.language import _
from smsreceipt.store.postgres import schema
from smsreceipt.store.postgres.faults import COUNTED_ALREADY, LOCKED, error_of, is_lost, may_be_repeated
from smsreceipt.store.postgres.session import Connections, Db

T = TypeVar("T")

_REPEATS = 5  # of a transaction that met a deadlock
_IN_DOUBT = 30.0  # seconds to find out whether a transaction was committed whose connection was lost
_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)  # seconds before each further connection
_FORGOTTEN = 90 * 86_400_000  # milliseconds after which the row of a writer that never came back may be deleted
_REMEMBERED = 1_000  # rows of writers that are never deleted: the server's clock may have jumped
_RENEWED = 30 * 86_400  # seconds without a commit after which a writer takes a new row


class Begun(NamedTuple):
    """What a writing transaction begins with."""

    seqs: Sequence[int]
    has_details: bool  #: the store holds answers of a query that may be attributed
    has_sends: bool  #: the ledger holds sends
    alone: bool  #: no other writer is at work
    turn: str  #: the note that changes with the numbers that are forgotten; "" for none


class NeedsAloneError(Exception):
    """A transaction turned out to need that no other writer is at work: it is undone and run again that way."""


class _OtherCommittedError(Exception):
    """The transaction in doubt was committed, and is not the one that is being made: that one is run again."""


class Writer:
    """Writes: each transaction is counted in a row of this writer, so that a lost connection leaves no doubt."""

    def __init__(self, connections: Connections, lock_wait: float) -> None:
        self._connections = connections
        self._lock_wait = lock_wait
        self._db: Db | None = None
        self._id = ""  #: "" where the writer has no row
        self._number = 0
        self._doubt: _Attempt[Any] | None = None  #: its COMMIT was sent, and not answered
        self._wrote = 0.0, 0.0  # when it last committed, by both clocks: one may jump, the other may stand still

    def run(
        self,
        work: Callable[[Db, Begun], T],
        *,
        before: Callable[[Db], int] = lambda _: 0,
        alone: bool = False,
        given: Sequence[object] = (),
    ) -> T:
        """Return what *work* returns, once its transaction is committed.

        *before* is called before the transaction, for what is committed apart, and returns how many seqs *work* needs.
        Both are called again when the connection was lost, and when the server asks for it. *alone*: no other writer
        may be at work. Raises what Store's writing methods raise; nothing is written then, unless the connection was
        lost for longer than the outcome could be waited for. After that, a call with the very same objects *given*
        finds out whether the transaction was committed, and does not make it twice.
        """
        doubt: _Attempt[T] | None = self._doubt
        attempt = doubt if doubt and doubt.is_of(given) else _Attempt(work, before, alone, given)
        began, failures, deadlocks = time.monotonic(), 0, 0
        while True:
            try:
                return self._attempt(attempt)
            except NeedsAloneError:
                attempt.alone = True
            except _OtherCommittedError:
                pass
            except (psycopg.Error, StoreUnavailable) as exc:
                fault = exc if isinstance(exc, psycopg.Error) else None
                if fault is not None and may_be_repeated(fault) and deadlocks < _REPEATS:
                    time.sleep(_PAUSES[min(deadlocks, len(_PAUSES) - 1)])
                    deadlocks += 1
                    continue
                gone = fault is None or is_lost(fault)
                in_doubt = self._doubt is attempt
                patience = _IN_DOUBT if in_doubt else self._lock_wait
                # A lock that is met in doubt may be that of the same transaction, whose COMMIT is still under way.
                wait = gone or (in_doubt and fault is not None and fault.sqlstate == LOCKED)
                if wait and time.monotonic() - began < patience:
                    time.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                    failures += 1
                    continue
                raise self._given_up(exc, gone=gone) from exc

    def _attempt(self, attempt: _Attempt[T]) -> T:
        db = self._connected()
        try:
            seqs = attempt.before(db)
            db.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            row = db.execute(
                "SELECT first_seqs, has_details, has_sends, version, turn"
                " FROM smsreceipt.begin_write(%s, %s, %s, %s, %s)",
                (self._id, self._number + 1, seqs, attempt.alone, max(1, round(self._lock_wait * 1000))),
                binary=True,
            ).fetchone()
            assert row is not None  # noqa: S101 - a function of one row
            self._doubt = None  # an earlier one of this number was not committed
            schema.require_known(row[3], self._connections.location)
            result = attempt.work(db, Begun(row[0] or (), row[1], row[2], attempt.alone, row[4] or ""))
            self._doubt, attempt.result = attempt, [result]
            self._commit(db)
        except BaseException as exc:
            self._roll_back(db)
            if isinstance(exc, psycopg.Error) and exc.sqlstate == COUNTED_ALREADY:
                return self._outcome(attempt)
            raise
        self._count()
        return result

    def _count(self) -> None:
        """Note that a transaction was committed."""
        self._number += 1
        self._doubt = None
        self._wrote = time.time(), time.monotonic()

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
        if not self._id or (self._doubt is None and self._was_idle()):
            self._register(self._db)
        return self._db

    def _was_idle(self) -> bool:
        idle = max(time.time() - self._wrote[0], time.monotonic() - self._wrote[1])
        return idle > _RENEWED

    def _register(self, db: Db) -> None:
        """Make a row for this writer; delete the one it had, and old ones of writers that never came back."""
        chosen = str(uuid4())
        db.execute(
            "WITH old AS (DELETE FROM smsreceipt.writer WHERE id = %s::uuid OR seen_at < smsreceipt.now_ms() - %s"
            "  AND id NOT IN (SELECT id FROM smsreceipt.writer ORDER BY seen_at DESC LIMIT %s))"
            " INSERT INTO smsreceipt.writer VALUES (%s, %s, 0, smsreceipt.now_ms())",
            (self._id or None, _FORGOTTEN, _REMEMBERED, chosen, socket.gethostname()),
        )
        self._id, self._number, self._wrote = chosen, 0, (time.time(), time.monotonic())

    def _outcome(self, attempt: _Attempt[T]) -> T:
        """What a transaction returned that was committed although its connection was lost before the answer.

        Raises StoreDamaged where the row of this writer is not what it must be: then commits are missing that were
        confirmed, and nothing is acknowledged.
        """
        assert self._db is not None  # noqa: S101 - it has just been used
        found = self._db.execute("SELECT batch FROM smsreceipt.writer WHERE id = %s", (self._id,)).fetchall()
        doubt = self._doubt
        if doubt is not None and found == [(self._number + 1,)]:
            self._count()
            if doubt is attempt:
                return attempt.result[0]
            raise _OtherCommittedError
        self._id, self._doubt = "", None
        raise StoreDamaged(
            _("the store {store} does not hold what it confirmed a moment ago", store=self._connections.location),
            hint=_(
                "Was a backup restored, or an older replica promoted? Nothing of the last batch was acked."
                " Receipts may be missing: replay what was kept elsewhere, and run reconcile."
            ),
        )

    def _given_up(self, exc: Exception, *, gone: bool) -> Exception:
        """The error for a transaction that could not be made. Whether it was is not known if it is in doubt."""
        if gone:
            return StoreLocked(_("the store {store} cannot be reached any more", store=self._connections.location))
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

    def __init__(
        self, work: Callable[[Db, Begun], T], before: Callable[[Db], int], alone: bool, given: Sequence[object]
    ) -> None:
        self.work, self.before, self.alone = work, before, alone
        self.result: list[T] = []  #: of the work, once COMMIT was sent
        self._given = given

    def is_of(self, given: Sequence[object]) -> bool:
        """Whether it is about exactly these objects."""
        return bool(given) and len(given) == len(self._given) and all(map(is_, given, self._given))
