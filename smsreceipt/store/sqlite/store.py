"""The store in one SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from smsreceipt.model import (
    WHOLE,
    Asked,
    Decoded,
    Instant,
    Kind,
    Reached,
    Send,
    Share,
    StoredReceipt,
    StoredReject,
    Tally,
)
from smsreceipt.store.arrivals import Arrived
from smsreceipt.store.copies import CopiedReject, CopiedStatement
from smsreceipt.store.figures import Figures
from smsreceipt.store.forgotten import Forgotten
from smsreceipt.store.promise import LOCK_WAIT, NOTHING, Reread
from smsreceipt.store.reject_rows import stored_rejects
from smsreceipt.store.sqlite import (
    arrivals,
    backfill,
    facts,
    files,
    leases,
    notes,
    removal,
    repair,
    replays,
    select,
    totals,
    transfer,
)
from smsreceipt.store.sqlite.attribution import Attribution
from smsreceipt.store.sqlite.connect import LOOK_SECONDS, connect, quick_check
from smsreceipt.store.sqlite.counts import Counts
from smsreceipt.store.sqlite.faults import reading, replaced, translated
from smsreceipt.store.sqlite.keep import Keeper
from smsreceipt.store.sqlite.migrations import APPLICATION_ID, is_blank, migrate
from smsreceipt.store.sqlite.rows import rows
from smsreceipt.store.sqlite.sends import Sends
from smsreceipt.store.sqlite.tallies import Tallies
from smsreceipt.store.values import (
    NO_TIME,
    CallGap,
    ConsumerLease,
    DayParts,
    DaySends,
    Imported,
    Kept,
    KindFacts,
    ListedParts,
    Query,
    Recent,
    SendQuery,
    StoredSend,
    StoreFacts,
)
from smsreceipt.store.verified import Checking, Verified


def _refused(_kind: Kind, _body: bytes) -> None:
    """The Reread of a caller that gives none: fields of later schemas stay empty."""


def open_store(
    path: Path, *, reread: Reread = _refused, lock_wait: float = LOCK_WAIT, vfs: str | None = None
) -> SqliteStore:
    """Open the store at *path* for writing, making it (0600, its directory 0700) if there is none.

    Each write waits *lock_wait* seconds for another process; opening waits up to five.
    """
    files.prepare_file(path)
    connection = connect(path, writable=True, vfs=vfs)
    connection.set_busy_timeout(round(lock_wait * 1000))
    return SqliteStore(path, connection, reread)


def open_reader(path: Path, *, reread: Reread = _refused) -> SqliteStore:
    """Open the store at *path* for reading only. One that does not exist yet is an empty store."""
    files.refuse_lost(path)
    if files.size_to_read(path):
        connection = connect(path, writable=False)
        if not is_blank(connection):
            return SqliteStore(path, connection, reread)
        connection.close()
    connection = apsw.Connection(":memory:")
    migrate(connection)
    return SqliteStore(path, connection)


class SqliteStore(Figures, Verified):
    """A Store in one SQLite file; the promises of its methods are those of Store."""

    def __init__(self, path: Path, connection: apsw.Connection, reread: Reread = _refused) -> None:
        self._path = path
        self._reread = reread
        self._db = connection
        self._keeper = Keeper(connection)
        self._sends = Sends(connection)
        self._attribution = Attribution(connection, self._keeper.decide)
        self._files = files.Files(path, APPLICATION_ID)
        self._forgotten = Forgotten(lambda: path.with_suffix(files.FORGET_KEY))
        self._sound = True
        self._closed = False

    def keep(
        self, decoded: Sequence[Decoded], *, resolves: Collection[str] = (), asked: Collection[Asked] = ()
    ) -> Kept:
        """Store every receipt and reject in one transaction."""
        with self._transaction():
            decoded, forgotten = notes.renew(self._db, self._forgotten).without(decoded)
            with self._attribution.around_receipts(decoded):
                new, received = self._keeper.receipts(decoded)
            fresh, rejected = self._keeper.rejects(decoded)
            self._db.executemany("DELETE FROM reject WHERE id = ?", [(reject_id,) for reject_id in resolves])
            self._sends.note(asked)
            replays.note(self._db, decoded)
        total = received + rejected + forgotten
        tally = Tally(total, len(new), received - len(new), rejected, fresh.total(), forgotten)
        return Kept(tally, new, self._forgotten.unguarded, fresh)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One transaction: on disk when it ends without an exception, else undone."""
        with translated(self._path):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._refuse_harmed_files(self._files.hold_earlier_commits)
                before = self._pages_written()
                yield
                self._db.execute("COMMIT")
            except BaseException as exc:
                # After a failed flush the content of the disk is unknown: closing must not write the journal back.
                self._sound = self._sound and not isinstance(exc, apsw.IOError)
                self._keeper.forget_numbers()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        if self._pages_written() != before:
            self._refuse_harmed_files(self._files.hold_the_commit)

    def _pages_written(self) -> int:
        """How many pages this connection has written. A transaction that changes nothing writes none."""
        return self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]

    def _refuse_harmed_files(self, hold: Callable[[], bool]) -> None:
        """Raise StoreDamaged if a commit goes, or went, into files that somebody changed: it must not be acked."""
        if not self._files.in_memory and not hold():
            self._sound = False
            raise replaced(self._path)

    def drop_rejects(self, ids: Collection[str]) -> int:
        """Delete rejects by their full ids; return how many were deleted."""
        with self._transaction():
            before = self._db.total_changes()
            self._db.executemany("DELETE FROM reject WHERE id = ?", [(reject_id,) for reject_id in ids])
            return self._db.total_changes() - before

    def add_sends(self, sends: Sequence[Send]) -> Imported:
        """Add sends in one transaction. Known sends get the values they lack; no known value is overwritten."""
        with self._transaction():
            left, forgotten = notes.renew(self._db, self._forgotten).sends_without(sends)
            with self._attribution.around_phones({send.phone for send in left}):
                return self._forgotten.with_forgotten(self._sends.add(left), forgotten)

    def forget_sends(self, query: SendQuery) -> int:
        """Delete the sends that match *query* from the ledger; return how many. Receipts stay."""
        with self._transaction(), self._attribution.around_everything():
            return self._sends.forget(query)

    def begin_comparison(self, first_day: int, last_day: int, at: Instant) -> Instant:
        """When the comparison of these days that is now under way began."""
        with self._transaction():
            return self._sends.begin_comparison(first_day, last_day, at)

    def end_comparison(self, first_day: int, last_day: int) -> None:
        """Delete the stored time of the comparison of these days, which is complete; idempotent."""
        with self._transaction():
            self._sends.end_comparison(first_day, last_day)

    def note_topics(self) -> Sequence[str]:
        """The topics that have notes."""
        return notes.topics(self._db)

    def notes(self, topic: str) -> Mapping[str, str]:
        """The notes of a topic, by name."""
        return notes.read(self._db, topic)

    def write_notes(
        self, topic: str, changes: Mapping[str, str | None], *, expected: Mapping[str, str | None] = NOTHING
    ) -> bool:
        """Write notes of a topic in one transaction; None deletes one. False if one is not as expected."""
        with self._transaction():
            return notes.write(self._db, topic, changes, expected)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one moment, whatever other processes write meanwhile. Nothing can be written inside."""
        if self._db.in_transaction:
            yield
            return
        with reading(self._path):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def list(self, query: Query) -> Iterator[StoredReceipt]:
        """Yield the receipts that match *query*, in ascending seq. No reader is shown a seq after a larger one."""
        with reading(self._path):
            yield from select.receipts(self._db, query, self._reread)

    def count(self, query: Query, at_most: int) -> int:
        """How many receipts match *query*, whose limit is ignored; counting stops at *at_most*."""
        with reading(self._path):
            return select.count(self._db, query, at_most)

    def days(self, query: Query) -> Sequence[int]:
        """The Beijing days between the bounds of *query* that have statements, whether or not these match the rest."""
        with reading(self._path):
            return [*select.days(self._db, query)]

    def rejects(self, ids: Collection[str] = ()) -> Iterator[StoredReject]:
        """Yield all rejects, oldest first, or those whose id starts with one of *ids*."""
        with reading(self._path):
            found = rows(
                self._db,
                "SELECT reject.id, kind, source, origin, reason, received_at, length(body), times_seen"
                " FROM reject JOIN road ON road.id = reject.road ORDER BY n",
            )
            yield from stored_rejects(found, ids)

    def reject_body(self, reject_id: str) -> bytes:
        """The bytes of one reject as they were received. Raises KeyError."""
        with reading(self._path):
            for (body,) in rows(self._db, "SELECT body FROM reject WHERE id = ?", (reject_id,)):
                return bytes(body)
        raise KeyError(reject_id)

    def sends(self, query: SendQuery) -> Iterator[StoredSend]:
        """Yield the sends that match *query*, by day, BizId and number."""
        with reading(self._path):
            yield from self._sends.find(query)

    def sends_of(self, phone: str, first_day: int, last_day: int) -> Sequence[Send]:
        """Every send to a number on these Beijing days, both included, with a receipt or without."""
        with reading(self._path):
            return self._sends.of(phone, first_day, last_day)

    def missing(self, first_day: int, last_day: int, share: Share = WHOLE) -> Iterator[StoredSend]:
        """Yield the sends of these Beijing days and of *share* without a final receipt; by number, day and BizId."""
        with reading(self._path):
            yield from self._sends.missing(first_day, last_day, share)

    def count_sends(self, first_day: int, last_day: int, share: Share = WHOLE) -> int:
        """How many sends to the numbers of *share* the ledger holds of these Beijing days, both included."""
        with reading(self._path):
            return self._sends.count(first_day, last_day, share)

    def oldest_open_day(self, first_day: int) -> int | None:
        """The first Beijing day, from this one on, with a send that is still to be asked about; None: there is none."""
        with reading(self._path):
            return self._sends.oldest_open_day(first_day)

    def sends_by_day(self, first_day: int, last_day: int) -> Sequence[DaySends]:
        """How many sends the ledger holds of each of these Beijing days, both included; days without any are absent."""
        with reading(self._path):
            return self._sends.by_day(first_day, last_day)

    def listed_parts(self, first_day: int, last_day: int) -> Sequence[ListedParts]:
        """The billed parts of the sends of these Beijing days: one value for the mainland, one for others."""
        with reading(self._path):
            return self._sends.parts(first_day, last_day)

    def day_parts(self, first_day: int, last_day: int) -> Sequence[DayParts]:
        """The SMS receipts of these Beijing days, both included, added up: a value for each day that has any."""
        with reading(self._path):
            return totals.day_parts(self._db, first_day, last_day, self._reread)

    def _counts(self) -> Counts:
        return Counts(self._db, self._reread)

    def _tallies(self) -> Tallies:
        return Tallies(self._db, self.snapshot, self._transaction)

    def _checking(self) -> Checking:
        return repair.checking(self._path, self._db, self.snapshot, self._transaction, self._attribution)

    def arrivals(self, since: Instant, until: Instant) -> Sequence[Arrived]:
        """The states that arrived at or after *since* and before *until*, added up."""
        with reading(self._path):
            return arrivals.arrivals(self._db, since, until)

    def call_gaps(self, first_day: int, last_day: int) -> Iterator[CallGap]:
        """Yield the calls of these Beijing days that have earlier receipts, but none of their end."""
        with reading(self._path):
            yield from totals.call_gaps(self._db, first_day, last_day)

    def facts(self) -> StoreFacts:
        """Counts and sizes, without scanning the receipts."""
        with reading(self._path):
            return facts.facts(self._db, self._path, self._sends, exists=not self._files.in_memory)

    def recent(self, since: Instant, newest: int) -> Recent:
        """What came since a time, and what came last by each way among so many newest statements."""
        with reading(self._path):
            return totals.recent(self._db, since, newest)

    def export_statements(self) -> Iterator[CopiedStatement]:
        """Yield every statement with all that is stored about it, in ascending seq."""
        with reading(self._path):
            yield from transfer.exported(self._db, self._reread)

    def import_statements(self, copied: Sequence[CopiedStatement], reached: Reached) -> None:
        """Write statements as they are in another store, and note how far its copy is."""
        with self._transaction():
            transfer.import_statements(self._db, self._keeper, copied, reached, str(self._path))

    def import_rejects(self, copied: Sequence[CopiedReject]) -> None:
        """Write rejects as they are in another store."""
        with self._transaction():
            transfer.import_rejects(self._db, self._keeper, copied)

    def import_sends(self, sends: Sequence[StoredSend]) -> None:
        """Write sends as they are in another store."""
        with self._transaction():
            transfer.import_sends(self._db, sends)

    def import_counters(self, kinds: Sequence[KindFacts], last_seq: int, notes: Sequence[Reached]) -> None:
        """Set the counters of the kinds and the last seq, and note how far files are replayed."""
        with self._transaction():
            transfer.import_counters(self._db, self._keeper, kinds, last_seq, notes)

    def unfinished(self) -> dict[str, Reached]:
        """The files whose replay was cut off, by the key that identifies each, and how far each was read."""
        with reading(self._path):
            return replays.unfinished(self._db)

    def acquire_lease(self, queue: str) -> ConsumerLease:
        """Note that this process receives from *queue*. Only release_lease() removes the note; a crash leaves it."""
        with self._transaction():
            return leases.acquire(self._db, queue)

    def release_lease(self, lease: ConsumerLease, *, settled: bool, hidden_until: Instant = NO_TIME) -> None:
        """Note that the consumer was shut down cleanly."""
        with self._transaction():
            leases.release(self._db, lease, settled=settled, hidden_until=hidden_until)

    def backfill(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Fill the fields that receipts stored by an older version lack, by reading their bodies again."""
        while True:
            with reading(self._path):
                batch = backfill.read(self._db, self._reread)
            if batch is None:
                return
            with self._transaction():
                backfill.write(self._db, batch)
            on_progress(batch.read_to, batch.last_seq)

    def removals(self) -> removal.Removals:
        """What finds and deletes for good."""
        return removal.Removals(self._db, self._transaction, self._attribution, self._files, self._path)

    def close(self) -> None:
        """Release the store; idempotent. A sound store is left as one file, its journal written back."""
        if self._closed:
            return
        self._closed = True
        if self._may_write_back:
            self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        self._db.close(True)
        self._files.close()

    @property
    def _may_write_back(self) -> bool:
        """Whether the journal may be written into the file: both are what they were, and sound."""
        return self._sound and not self._files.in_memory and self._files.have_their_names

    def consolidate(self) -> None:
        """Write what is committed into the file itself, as far as other processes that read it allow."""
        if self._may_write_back:
            with translated(self._path), suppress(apsw.BusyError, apsw.LockedError):
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def check(self) -> bool:
        """Look for damage for a moment; False if that was not enough for all of the store. Raises StoreDamaged."""
        return self._files.in_memory or quick_check(self._db, self._path, LOOK_SECONDS)
