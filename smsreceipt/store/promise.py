"""What every store promises, by subject. :class:`Store` is all of it; everything above the stores uses only this."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Protocol

from smsreceipt.model import (
    WHOLE,
    Asked,
    Decoded,
    Instant,
    Kind,
    Reached,
    Receipt,
    Send,
    Share,
    StoredReceipt,
    StoredReject,
)
from smsreceipt.store.arrivals import Arrived, Came
from smsreceipt.store.checking.faults import Fault, ReadAgain
from smsreceipt.store.copies import CopiedReject, CopiedStatement
from smsreceipt.store.counts import Count, CountQuery, Folded, Readers
from smsreceipt.store.removal import Removals
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

Reread = Callable[[Kind, bytes], Receipt | None]  #: reads the body of a stored receipt again; None where it is refused
NOTHING: Mapping[str, None] = MappingProxyType({})  #: no note is expected
LOCK_WAIT = 5.0  #: seconds that one write waits for another process; must stay below the visibility of a queue


class Receipts(Protocol):
    """The log of statements, each stored once, and the state of each identity."""

    def keep(
        self, decoded: Sequence[Decoded], *, resolves: Collection[str] = (), asked: Collection[Asked] = ()
    ) -> Kept:
        """Store every receipt and reject in one transaction.

        The same transaction deletes the rejects whose ids are in *resolves*, notes in the ledger which sends the
        provider was *asked* about (one that the ledger does not hold is ignored), and notes how far the files are read
        that these deliveries come from.
        """

    def list(self, query: Query) -> Iterator[StoredReceipt]:
        """Yield the receipts that match *query*, in ascending seq. No reader is shown a seq after a larger one."""

    def count(self, query: Query, at_most: int) -> int:
        """How many receipts match *query*, whose limit is ignored; counting stops at *at_most*."""

    def days(self, query: Query) -> Sequence[int]:
        """The Beijing days between the bounds of *query* that have statements, whether or not these match the rest."""

    def unfinished(self) -> dict[str, Reached]:
        """The files whose replay was cut off, by the key that identifies each, and how far each was read."""

    def day_parts(self, first_day: int, last_day: int) -> Sequence[DayParts]:
        """The SMS receipts of these Beijing days, both included, added up: a value for each day that has any."""

    def counts(self, query: CountQuery, readers: Readers) -> Sequence[Count]:
        """How many receipts, sends, calls or replies of some days have what in common.

        The figures are the same however far fold() has come.
        """

    def fold(
        self,
        readers: Readers,
        *,
        anew: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Folded:
        """Count messages, calls and replies in advance, so that counts() need not read them; how far messages are now.

        Works in short transactions: other processes may write meanwhile, and a run that is cut off is resumed where it
        stopped. Does what it can where the store cannot be written, or the place of *readers* has no version. Call it
        outside snapshot(). *anew* counts everything again, and raises where it cannot. *on_progress* gets up to which
        seq it has come, and up to which it goes.
        """

    def folded(self) -> Folded:
        """How far fold() has come; writes nothing."""

    def arrivals(self, since: Instant, until: Instant) -> Sequence[Arrived]:
        """The states that arrived at or after *since* and before *until*, added up; reads about as many statements."""

    def came(self, since: Instant, until: Instant) -> Sequence[Came]:
        """Which kinds came by which ways in which minutes, at or after *since* and before *until*.

        Reads about as many statements as came then. A statement counts when and how it came first.
        """

    def call_gaps(self, first_day: int, last_day: int) -> Iterator[CallGap]:
        """Yield the calls of these Beijing days that have earlier receipts, but none of their end."""


class Rejects(Protocol):
    """What could not be decoded, as it was received, in the order of arrival."""

    def rejects(self, ids: Collection[str] = ()) -> Iterator[StoredReject]:
        """Yield all rejects, oldest first, or those whose id starts with one of *ids*."""

    def reject_body(self, reject_id: str) -> bytes:
        """The bytes of one reject as they were received. Raises KeyError."""

    def drop_rejects(self, ids: Collection[str]) -> int:
        """Delete rejects by their full ids; return how many were deleted."""


class Sends(Protocol):
    """The ledger: what was sent, and which of it has no final receipt."""

    def add_sends(self, sends: Sequence[Send]) -> Imported:
        """Add sends in one transaction. Known sends get the values they lack; no known value is overwritten."""

    def sends(self, query: SendQuery) -> Iterator[StoredSend]:
        """Yield the sends that match *query*, by day, BizId and number."""

    def sends_of(self, phone: str, first_day: int, last_day: int) -> Sequence[Send]:
        """Every send to a number on these Beijing days, both included, with a receipt or without."""

    def missing(self, first_day: int, last_day: int, share: Share = WHOLE) -> Iterator[StoredSend]:
        """Yield the sends of these Beijing days, both included, without a final receipt; by number, day and BizId.

        Only those to the numbers of *share*.
        """

    def count_sends(self, first_day: int, last_day: int, share: Share = WHOLE) -> int:
        """How many sends to the numbers of *share* the ledger holds of these Beijing days, both included."""

    def oldest_open_day(self, first_day: int) -> int | None:
        """The first Beijing day, from *first_day* on, with a send that has no final receipt and can be asked about.

        None where there is none. One that the provider has no record of is asked about no more.
        """

    def sends_by_day(self, first_day: int, last_day: int) -> Sequence[DaySends]:
        """How many sends the ledger holds of each of these Beijing days, both included; days without any are absent."""

    def listed_parts(self, first_day: int, last_day: int) -> Sequence[ListedParts]:
        """The billed parts of the sends of these Beijing days, one value for the mainland, one for others.

        Takes some microseconds for each send.
        """

    def forget_sends(self, query: SendQuery) -> int:
        """Delete the sends that match *query* from the ledger; return how many. Receipts stay."""

    def begin_comparison(self, first_day: int, last_day: int, at: Instant) -> Instant:
        """When the comparison of these days that is now under way began.

        That is *at*, which is stored; or the stored time of an unfinished comparison that began less than six hours
        before *at*.
        """

    def end_comparison(self, first_day: int, last_day: int) -> None:
        """Delete the stored time of the comparison of these days, which is complete; idempotent."""


class Consumers(Protocol):
    """Who receives from which queue, so that the next consumer knows of messages that a crash left invisible."""

    def acquire_lease(self, queue: str) -> ConsumerLease:
        """Note that this process receives from *queue*. Only release_lease() removes the note; a crash leaves it."""

    def release_lease(self, lease: ConsumerLease, *, settled: bool, hidden_until: Instant = NO_TIME) -> None:
        """Note that the consumer was shut down cleanly.

        *settled*: it also waited until the messages of earlier consumers of this queue were visible again.
        *hidden_until*: messages that it asked for and never saw may be invisible until then.
        """


class Notes(Protocol):
    """Small state of commands: short texts by topic and name, such as which alarms are firing."""

    def note_topics(self) -> Sequence[str]:
        """The topics that have notes."""

    def notes(self, topic: str) -> Mapping[str, str]:
        """The notes of a topic, by name."""

    def write_notes(
        self, topic: str, changes: Mapping[str, str | None], *, expected: Mapping[str, str | None] = NOTHING
    ) -> bool:
        """Write notes of a topic in one transaction; None deletes one.

        False, and nothing written, if a note is not as *expected*, where None stands for no note.
        """


class Copies(Protocol):
    """The whole content for a copy of the store, and writing such a copy into an empty one."""

    def export_statements(self) -> Iterator[CopiedStatement]:
        """Yield every statement with all that is stored about it, in ascending seq. Call it inside snapshot()."""

    def import_statements(self, copied: Sequence[CopiedStatement], reached: Reached) -> None:
        """Write statements as they are in another store, and in the same transaction note how far its copy is.

        They follow those that are there, and keep their seqs. The offset of *reached* is the seq of the last one.
        Raises UsageError if the store has statements after the one that was noted last: another process writes to it.
        """

    def import_rejects(self, copied: Sequence[CopiedReject]) -> None:
        """Write rejects as they are in another store, in the order of arrival; known ones stay as they are."""

    def import_sends(self, sends: Sequence[StoredSend]) -> None:
        """Write sends with the answers about them as they are in another store; known ones stay as they are."""

    def import_counters(self, kinds: Sequence[KindFacts], last_seq: int, notes: Sequence[Reached]) -> None:
        """Set what importing statements does not count; idempotent.

        That is the counters of the kinds, the last seq, and how far files are replayed.
        """


class Checks(Protocol):
    """Comparing what is derived with the log of statements, and deriving it again."""

    def verify(
        self,
        read_again: ReadAgain,
        readers: Readers,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Iterator[Fault]:
        """Yield everything that is not as it should be.

        Reads in slices: no other process waits, and no moment is held for longer than a slice takes, but for the
        engine's own check. What changes meanwhile is no fault. Ends after the faults of the engine, if there are any.
        *read_again* reads bodies as decoding does now, *readers* are those of fold(); without the place that fold()
        had, figures by carrier and province are left out, and without its version those of calls and replies.
        """

    def repair(self, faults: Sequence[Fault]) -> int:
        """Derive again, in one transaction, what verify() of this store has yielded; how many faults are gone.

        The log of statements stays as it is, but for statements that were made for an attribution.
        """


class Store(Receipts, Rejects, Sends, Consumers, Notes, Copies, Checks, Protocol):
    """Everything that is kept. When a writing method returns, its rows survive a power cut; when it raises, none exist.

    Use one instance from one thread at a time. Any number of processes may open the same store.
    Raises StoreUnavailable (locked, full, read-only) and StoreDamaged (corrupt, foreign, newer, replaced).
    """

    def facts(self) -> StoreFacts:
        """Counts and sizes, without scanning the receipts."""

    def recent(self, since: Instant, newest: int) -> Recent:
        """What came since a time, and what came last by each way among so many newest statements.

        Reads these and a few more, however large the store is. Ways without a statement among them are there too.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one moment, whatever other processes write meanwhile. Nothing can be written inside."""

    def backfill(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Fill the fields that receipts stored by an older version lack, by reading their bodies again.

        Works in short transactions: other processes may write meanwhile, and a run that is cut off is resumed where it
        stopped. *on_progress* gets how many receipts are done and how many there are. Readers needs no backfill: it
        only makes reading faster.
        """

    def removals(self) -> Removals:
        """What finds and deletes for good."""

    def consolidate(self) -> None:
        """Bring the store into the form in which a copy of it is whole, as far as other processes allow.

        Nothing depends on it; call it when there is nothing else to do.
        """

    def check(self) -> bool:
        """Look for damage for a moment; False if that was not enough for all of the store. Raises StoreDamaged."""

    def close(self) -> None:
        """Release the store; idempotent."""
