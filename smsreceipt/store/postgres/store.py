"""The store in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from smsreceipt.model import (
    WHOLE,
    Asked,
    Decoded,
    Instant,
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
from smsreceipt.store.new_receipts import NewReceipts
from smsreceipt.store.postgres import (
    arrivals,
    attribution,
    facts,
    keep,
    leases,
    notes,
    removal,
    repair,
    select,
    sends,
    totals,
    transfer,
)
from smsreceipt.store.postgres.attribution import Attribution
from smsreceipt.store.postgres.batch import Batch
from smsreceipt.store.postgres.counts import Counts
from smsreceipt.store.postgres.faults import reading
from smsreceipt.store.postgres.identities import RowTypes
from smsreceipt.store.postgres.ready import prepared
from smsreceipt.store.postgres.session import Connections, Db, Reader
from smsreceipt.store.postgres.tallies import Tallies
from smsreceipt.store.postgres.writer import Begun, Writer
from smsreceipt.store.promise import LOCK_WAIT, NOTHING, Reread
from smsreceipt.store.reject_rows import stored_rejects
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

T = TypeVar("T")


class PostgresStore(Figures, Verified):
    """A Store in a PostgreSQL database; the promises of its methods are those of Store."""

    def __init__(
        self, connections: Connections, reread: Reread, *, readonly: bool, lock_wait: float = LOCK_WAIT
    ) -> None:
        """Open the store, making it in a blank database unless *readonly*. Raises what opening a store raises."""
        self._connections, self._readonly = connections, readonly
        self._location = connections.location
        self._reread = reread
        try:
            blank = not prepared(connections, writable=not readonly)
        except BaseException:
            connections.close()
            raise
        self._reader = Reader(connections, blank=blank)
        self._writer = Writer(connections, lock_wait)
        self._sends = sends.Sends(self._reader)
        self._heart = leases.Heart(connections)
        self._numbers = keep.Numbers()
        self._forgotten = Forgotten(lambda: self.removals().key_file())
        self._types: RowTypes | None = None

    def keep(
        self, decoded: Sequence[Decoded], *, resolves: Collection[str] = (), asked: Collection[Asked] = ()
    ) -> Kept:
        """Store every receipt and reject in one transaction."""
        given = list(decoded)
        return notes.unturned(self._reader, self._forgotten, lambda: self._keep(given, resolves, asked))

    def _keep(self, given: Sequence[Decoded], resolves: Collection[str], asked: Collection[Asked]) -> Kept:
        decoded, forgotten = self._forgotten.without(given)
        brings = attribution.brings_details(decoded)
        phones = attribution.phones_of(decoded)
        batch: Batch
        rejects: keep.Rejects

        def before(db: Db) -> int:
            nonlocal batch, rejects
            self._numbers.prepare(db)
            batch = Batch(decoded, lambda kind: self._numbers.kind(db, kind), lambda road: self._numbers.road(db, road))
            rejects = keep.Rejects(decoded, self._numbers, db)
            return len(batch.rows) + len(rejects)

        def work(db: Db, begun: Begun) -> tuple[Batch, set[int], keep.Rejects]:
            notes.require_turn(begun.turn, self._forgotten.turn)
            new: set[int] = set()
            if batch.rows:
                batch.number(begun.seqs[: len(batch.rows)])
                settling = self._numbers.of_sends if begun.has_sends else []
                with self._attribution(db).around(begun, phones, brings=brings):
                    new = keep.receipts(db, batch, self._row_types(db), settling)
            rejects.write(db, begun.seqs[len(batch.rows) :])
            keep.drop_rejects(db, resolves)
            keep.note_asked(db, asked)
            keep.note_reached(db, decoded)
            return batch, new, rejects

        # The batch that was written: `batch` may be a later one, made to find out that it was.
        written, new, refused = self._write(work, before=before, alone=brings, given=given)
        counts = len(written.rows) + refused.total + forgotten, len(new), len(written.rows) - len(new), refused.total
        tally = Tally(*counts, refused.fresh.total(), forgotten)
        shown = NewReceipts(len(new), lambda: written.statements(new))
        return Kept(tally, shown, self._forgotten.unguarded, refused.fresh)

    def _write(
        self,
        work: Callable[[Db, Begun], T],
        *,
        before: Callable[[Db], int] | None = None,
        alone: bool = False,
        given: Sequence[object] = (),
    ) -> T:
        """One transaction: durable when this returns, undone when it raises. *given*: what it is made of."""

        def prepare(db: Db) -> int:
            self._numbers.prepare(db)
            return 0

        return self._writer.run(work, before=before or prepare, alone=alone, given=given)

    def _row_types(self, db: Db) -> RowTypes:
        if self._types is None:
            self._types = RowTypes.of(db)
        return self._types

    def _attribution(self, db: Db) -> Attribution:
        """Attributes inside a transaction."""
        return Attribution(db, self._row_types(db), self._numbers)

    def drop_rejects(self, ids: Collection[str]) -> int:
        """Delete rejects by their full ids; return how many were deleted."""
        return self._write(lambda db, _: keep.drop_rejects(db, ids))

    def add_sends(self, sends_: Sequence[Send]) -> Imported:
        """Add sends in one transaction. Known sends get the values they lack; no known value is overwritten."""
        return notes.unturned(self._reader, self._forgotten, lambda: self._add_sends(sends_))

    def _add_sends(self, sends_: Sequence[Send]) -> Imported:
        left, forgotten = self._forgotten.sends_without(sends_)
        phones = {send.phone for send in left}

        def work(db: Db, begun: Begun) -> Imported:
            notes.require_turn(begun.turn, self._forgotten.turn)
            with self._attribution(db).around(begun, phones, brings=False):
                return sends.add(db, left, self._kinds_of_sends)

        return self._forgotten.with_forgotten(self._write(work), forgotten)

    @property
    def _kinds_of_sends(self) -> str:
        return ", ".join(map(str, self._numbers.of_sends))

    def forget_sends(self, query: SendQuery) -> int:
        """Delete the sends that match *query* from the ledger; return how many. Receipts stay."""

        def work(db: Db, begun: Begun) -> int:
            gone, phones = sends.forget(db, query, self._kinds_of_sends)
            with self._attribution(db).around(begun, phones, brings=False):
                return gone

        return self._write(work)

    def begin_comparison(self, first_day: int, last_day: int, at: Instant) -> Instant:
        """When the comparison of these days that is now under way began."""
        return self._write(lambda db, _: sends.begin_comparison(db, first_day, last_day, at))

    def end_comparison(self, first_day: int, last_day: int) -> None:
        """Delete the stored time of the comparison of these days, which is complete; idempotent."""
        self._write(lambda db, _: sends.end_comparison(db, first_day, last_day))

    def note_topics(self) -> Sequence[str]:
        """The topics that have notes."""
        return notes.topics(self._reader)

    def notes(self, topic: str) -> Mapping[str, str]:
        """The notes of a topic, by name."""
        return notes.read(self._reader, topic)

    def write_notes(
        self, topic: str, changes: Mapping[str, str | None], *, expected: Mapping[str, str | None] = NOTHING
    ) -> bool:
        """Write notes of a topic in one transaction; None deletes one. False if one is not as expected."""
        return self._write(lambda db, _: notes.write(db, topic, changes, expected))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one moment, whatever other processes write meanwhile. Nothing can be written inside."""
        with reading(self._location), self._reader.snapshot():
            yield

    def list(self, query: Query) -> Iterator[StoredReceipt]:
        """Yield the receipts that match *query*, in ascending seq. No reader is shown a seq after a larger one."""
        with reading(self._location):
            yield from select.receipts(self._reader, query, self._reread)

    def count(self, query: Query, at_most: int) -> int:
        """How many receipts match *query*, whose limit is ignored; counting stops at *at_most*."""
        with reading(self._location):
            return select.count(self._reader, query, at_most)

    def days(self, query: Query) -> Sequence[int]:
        """The Beijing days between the bounds of *query* that have statements, whether or not these match the rest."""
        with reading(self._location):
            return select.days(self._reader, query)

    def rejects(self, ids: Collection[str] = ()) -> Iterator[StoredReject]:
        """Yield all rejects, oldest first, or those whose id starts with one of *ids*."""
        with reading(self._location):
            found = self._reader.stream(
                "SELECT reject.id, kind, source, origin, reason, received_at, length(body), times_seen"
                " FROM smsreceipt.reject JOIN smsreceipt.road ON road.id = reject.road ORDER BY n"
            )
            yield from stored_rejects(found, ids)

    def reject_body(self, reject_id: str) -> bytes:
        """The bytes of one reject as they were received. Raises KeyError."""
        for (body,) in self._reader.rows("SELECT body FROM smsreceipt.reject WHERE id = %s", (reject_id,)):
            return bytes(body)
        raise KeyError(reject_id)

    def sends(self, query: SendQuery) -> Iterator[StoredSend]:
        """Yield the sends that match *query*, by day, BizId and number."""
        with reading(self._location):
            yield from self._sends.find(query)

    def sends_of(self, phone: str, first_day: int, last_day: int) -> Sequence[Send]:
        """Every send to a number on these Beijing days, both included, with a receipt or without."""
        return self._sends.of(phone, first_day, last_day)

    def missing(self, first_day: int, last_day: int, share: Share = WHOLE) -> Iterator[StoredSend]:
        """Yield the sends of these Beijing days and of *share* without a final receipt; by number, day and BizId."""
        with reading(self._location):
            yield from self._sends.missing(first_day, last_day, share)

    def count_sends(self, first_day: int, last_day: int, share: Share = WHOLE) -> int:
        """How many sends to the numbers of *share* the ledger holds of these Beijing days, both included."""
        return self._sends.count(first_day, last_day, share)

    def oldest_open_day(self, first_day: int) -> int | None:
        """The first Beijing day, from this one on, with a send that is still to be asked about; None: there is none."""
        return self._sends.oldest_open_day(first_day)

    def sends_by_day(self, first_day: int, last_day: int) -> Sequence[DaySends]:
        """How many sends the ledger holds of each of these Beijing days, both included; days without any are absent."""
        return self._sends.by_day(first_day, last_day)

    def listed_parts(self, first_day: int, last_day: int) -> Sequence[ListedParts]:
        """The billed parts of the sends of these Beijing days: one value for the mainland, one for others."""
        return self._sends.parts(first_day, last_day)

    def day_parts(self, first_day: int, last_day: int) -> Sequence[DayParts]:
        """The SMS receipts of these Beijing days, both included, added up: a value for each day that has any."""
        with reading(self._location):
            return totals.day_parts(self._reader, first_day, last_day)

    def _counts(self) -> Counts:
        return Counts(self._reader, self._reread)

    def _tallies(self) -> Tallies:
        return Tallies(self._reader, self.snapshot, self._write, readonly=self._readonly)

    def _checking(self) -> Checking:
        return repair.checking(self._location, self._reader, self._numbers, self._row_types, self._write)

    def arrivals(self, since: Instant, until: Instant) -> Sequence[Arrived]:
        """The states that arrived at or after *since* and before *until*, added up."""
        with reading(self._location):
            return arrivals.arrivals(self._reader, since, until)

    def call_gaps(self, first_day: int, last_day: int) -> Iterator[CallGap]:
        """Yield the calls of these Beijing days that have earlier receipts, but none of their end."""
        with reading(self._location):
            yield from totals.call_gaps(self._reader, first_day, last_day)

    def facts(self) -> StoreFacts:
        """Counts and sizes, without scanning the receipts."""
        with reading(self._location):
            return facts.facts(self._reader, self._location, self._connections.server_version(), self._sends)

    def recent(self, since: Instant, newest: int) -> Recent:
        """What came since a time, and what came last by each way among so many newest statements."""
        with reading(self._location):
            return totals.recent(self._reader, since, newest)

    def export_statements(self) -> Iterator[CopiedStatement]:
        """Yield every statement with all that is stored about it, in ascending seq."""
        with reading(self._location):
            yield from transfer.exported(self._reader, self._reread)

    def import_statements(self, copied: Sequence[CopiedStatement], reached: Reached) -> None:
        """Write statements as they are in another store, and note how far its copy is."""
        batch: Batch

        def before(db: Db) -> int:
            nonlocal batch
            self._numbers.prepare(db)
            batch = transfer.batch_of(db, copied, self._numbers)
            return 0

        def work(db: Db, _: Begun) -> None:
            transfer.import_statements(db, self._row_types(db), batch, copied, reached, self._location)

        self._write(work, before=before, alone=True)

    def import_rejects(self, copied: Sequence[CopiedReject]) -> None:
        """Write rejects as they are in another store."""

        def before(db: Db) -> int:
            for each in copied:
                self._numbers.road_of(db, each.stored.source, each.stored.origin)
            return len(copied)

        self._write(
            lambda db, begun: transfer.import_rejects(db, self._numbers, copied, begun.seqs), before=before, alone=True
        )

    def import_sends(self, sends: Sequence[StoredSend]) -> None:
        """Write sends as they are in another store."""
        self._write(lambda db, _: transfer.import_sends(db, sends), alone=True)

    def import_counters(self, kinds: Sequence[KindFacts], last_seq: int, notes: Sequence[Reached]) -> None:
        """Set the counters of the kinds and the last seq, and note how far files are replayed."""

        def before(db: Db) -> int:
            for each in kinds:
                self._numbers.kind(db, each.kind)
            transfer.raise_seq(db, last_seq)
            return 0

        self._write(lambda db, _: transfer.import_counters(db, self._numbers, kinds, notes), before=before, alone=True)

    def unfinished(self) -> dict[str, Reached]:
        """The files whose replay was cut off, by the key that identifies each, and how far each was read."""
        return transfer.unfinished(self._reader)

    def acquire_lease(self, queue: str) -> ConsumerLease:
        """Note that this process receives from *queue*. Only release_lease() removes the note; a crash leaves it."""
        lease = self._write(lambda db, _: leases.acquire(db, queue))
        self._heart.watch(lease.number)
        return lease

    def release_lease(self, lease: ConsumerLease, *, settled: bool, hidden_until: Instant = NO_TIME) -> None:
        """Note that the consumer was shut down cleanly."""
        self._heart.leave(lease.number)
        self._write(lambda db, _: leases.release(db, lease, settled=settled, hidden_until=hidden_until))

    def backfill(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Do nothing: no receipt lacks a field."""

    def removals(self) -> removal.Removals:
        """What finds and deletes for good."""
        return removal.Removals(
            self._connections, self._reader, self._write, self._attribution, lambda: self._kinds_of_sends
        )

    def consolidate(self) -> None:
        """Do nothing: the server does it."""

    def check(self) -> bool:
        """Look for identities with a statement that is there twice, for two seconds at most. Raises StoreDamaged."""
        with reading(self._location):
            return repair.glance(self._reader)

    def close(self) -> None:
        """Release the store; idempotent."""
        self._heart.close()
        self._writer.close()
        self._connections.close()
