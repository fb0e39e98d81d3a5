"""What a store promises, whatever engine is beneath. Everything above talks to this and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from smsreceipt.model import (
    Answer,
    Asked,
    Decoded,
    Instant,
    Kind,
    Outcome,
    Reached,
    Send,
    Source,
    StoredReceipt,
    StoredReject,
    Tally,
)

NEVER = Instant(0)  #: no time at all


@dataclass(frozen=True, slots=True)
class Kept:
    """What one commit did."""

    tally: Tally
    new: Sequence[StoredReceipt]  #: the statements nobody had made before, in seq order


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which receipts to read. Empty collections mean no filter; values within one are alternatives."""

    kinds: Collection[str] = ()
    phones: Collection[str] = ()  #: normalised: digits, without +, 86 dropped before 11 digits that start with 1
    biz_ids: Collection[str] = ()
    out_ids: Collection[str] = ()
    call_ids: Collection[str] = ()
    outcomes: Collection[Outcome] = ()
    codes: Collection[str] = ()
    sources: Collection[Source] = ()
    since: Instant | None = None  #: inclusive; on sent_at, else reported_at, else received_at
    until: Instant | None = None  #: exclusive
    after: int = 0  #: only seq > after
    history: bool = False  #: every statement, not only each identity's state
    conflicts: bool = False  #: only the statements of identities whose settled outcomes differ
    limit: int | None = None
    newest: bool = False  #: with a limit: the last ones instead of the first (still ascending seq)


class SendState(StrEnum):
    """How far a send is from being accounted for."""

    OPEN = "open"  #: no final receipt, and nothing said of it
    WITH_RECEIPT = "with_receipt"  #: delivered, failed or expired
    WAITING = "waiting"  #: asked: the provider waits for the carrier itself
    NO_RECORD = "no_record"  #: asked: the provider knows of no such send


class StoredSend(msgspec.Struct, frozen=True):
    """A send as the store holds it, and what its receipts and the provider's answers say of it."""

    send: Send
    outcome: Outcome | None  #: that of its receipt's state; None without a receipt
    settled: bool  #: that outcome is final: delivered, failed or expired
    asked_at: Instant | None  #: when the provider was last asked about it
    answer: Answer | None  #: and what it said

    @property
    def state(self) -> SendState:
        """The state that users are told."""
        if self.settled:
            return SendState.WITH_RECEIPT
        if self.answer is Answer.WAITING:
            return SendState.WAITING
        return SendState.NO_RECORD if self.answer is Answer.NO_RECORD else SendState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SendQuery:
    """Which sends to read. Empty collections mean no filter; values within one are alternatives."""

    phones: Collection[str] = ()  #: normalised
    biz_ids: Collection[str] = ()
    out_ids: Collection[str] = ()
    states: Collection[SendState] = ()
    since: Instant | None = None  #: inclusive; a send of which only the day is known counts if its day touches this
    until: Instant | None = None  #: exclusive
    limit: int | None = None
    newest: bool = False  #: with a limit: the last ones instead of the first (still ascending)


@dataclass(frozen=True, slots=True)
class Imported:
    """What one batch of sends did to the ledger: new + known + completed = offered."""

    new: int = 0
    known: int = 0  #: nothing was learnt
    completed: int = 0  #: known, and the ledger learnt more of it: a time, an out_id, …
    contradicting: int = 0  #: of the known and completed, those that say otherwise than the ledger, which kept its own

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            self.new + other.new,
            self.known + other.known,
            self.completed + other.completed,
            self.contradicting + other.contradicting,
        )


@dataclass(frozen=True, slots=True)
class DayParts:
    """What one Beijing day's SMS receipts add up to; each message counts once, by its state."""

    day: int
    messages: dict[Outcome, int]
    parts: dict[Outcome, int]  #: billed parts
    slots: tuple[int, ...]  #: messages by the ten minutes in which they were sent: 144 from midnight on


@dataclass(frozen=True, slots=True)
class CallGap:
    """A call of which something was heard, but never its end."""

    pool_key: str
    call_id: str
    kinds: tuple[Kind, ...]  #: what was heard
    first_at: Instant


@dataclass(frozen=True, slots=True)
class KindFacts:
    """How much of one kind the store holds. Test pushes are counted apart."""

    kind: Kind
    count: int  #: identities
    statements: int
    tests: int  #: identities that come from the console's test push; not in count
    first_received_at: Instant
    last_received_at: Instant  #: repeats included: the last time the road carried this kind


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What `smsreceipt status` tells."""

    path: str
    exists: bool
    engine: str  #: "SQLite 3.54.1"
    schema: int
    size: int  #: bytes on disk, journal included
    last_seq: int
    rejects: int
    conflicts: int  #: statements in conflict
    kinds: tuple[KindFacts, ...] = field(default=())
    sends: int = 0  #: in the ledger
    open_sends: int = 0  #: of them, those without a final receipt


@dataclass(frozen=True, slots=True)
class Run:
    """A note that a process receives from a queue; what it has in hand is invisible to others until it ends."""

    number: int
    after_unclean: bool  #: an earlier run on this queue crashed: what it had may be invisible for a whole visibility
    hidden_until: Instant  #: an earlier run was stopped while it asked: what it was given may be invisible until then


class Store(Protocol):
    """When a method that writes returns, its rows survive a power cut; when it raises, nothing of it happened.

    Raises StoreUnavailable (locked, full, read-only) and StoreDamaged (corrupt, foreign, newer, replaced).
    """

    def keep(
        self, decoded: Sequence[Decoded], *, resolves: Collection[str] = (), asked: Collection[Asked] = ()
    ) -> Kept:
        """Store every receipt and reject in one transaction, deleting the rejects that these resolve.

        With them, note of which sends the provider was *asked*; one that the ledger does not hold is left aside. And
        how far the files are read from which these came.
        """

    def unfinished(self) -> dict[str, Reached]:
        """The files whose replay was cut off, by what identifies them, and how far each was read."""

    def list(self, query: Query) -> Iterator[StoredReceipt]:
        """Yield the receipts that *query* asks for, in ascending seq."""

    def count(self, query: Query, at_most: int) -> int:
        """How many receipts *query* asks for, its limit left aside; counting stops at *at_most*."""

    def rejects(self, ids: Collection[str] = ()) -> Iterator[StoredReject]:
        """Yield all rejects, oldest first, or those whose id starts with one of *ids*."""

    def reject_body(self, reject_id: str) -> bytes:
        """The bytes of one reject as they were received. Raises KeyError."""

    def drop_rejects(self, ids: Collection[str]) -> int:
        """Forget rejects by their full ids; return how many there were."""

    def facts(self) -> StoreFacts:
        """Counts and sizes, without scanning the receipts."""

    def add_sends(self, sends: Sequence[Send]) -> Imported:
        """Enter what was sent, in one transaction. Sends that are known are completed, never contradicted."""

    def sends(self, query: SendQuery) -> Iterator[StoredSend]:
        """Yield the sends that *query* asks for, by day, BizId and number."""

    def sends_of(self, phone: str, first_day: int, last_day: int) -> Sequence[Send]:
        """Every send to a number on these Beijing days, both included, with a receipt or without."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside is of one moment, whatever others write meanwhile. Nothing can be written inside."""

    def missing(self, first_day: int, last_day: int) -> Iterator[StoredSend]:
        """Yield the sends of these Beijing days, both included, without a final receipt; by number, day and BizId."""

    def count_sends(self, first_day: int, last_day: int) -> int:
        """How many sends the ledger holds of these Beijing days, both included."""

    def forget_sends(self, query: SendQuery) -> int:
        """Drop the sends that *query* asks for from the ledger; return how many there were. Receipts stay."""

    def begin_comparison(self, first_day: int, last_day: int, at: Instant) -> Instant:
        """When the comparison of these days that is now under way began.

        That is *at*, noted durably; or, where one that began less than six hours earlier has not come to its end, the
        time that one began.
        """

    def end_comparison(self, first_day: int, last_day: int) -> None:
        """The comparison of these days is complete; idempotent."""

    def day_parts(self, first_day: int, last_day: int, parts_of: Callable[[bytes], int]) -> Sequence[DayParts]:
        """What the SMS receipts of these Beijing days add up to, a row for each day that has any.

        *parts_of* tells the billed parts from a receipt's body.
        """

    def call_gaps(self, first_day: int, last_day: int) -> Iterator[CallGap]:
        """Yield the calls of these Beijing days of which something was heard, but never their end."""

    def begin_run(self, queue: str) -> Run:
        """Note that this process receives from *queue*. Only end_run removes the note: a crash leaves it behind."""

    def end_run(self, run: Run, *, settled: bool, hidden_until: Instant = NEVER) -> None:
        """The run ended clean. *settled*: what earlier runs on its queue had in hand was waited out too.

        *hidden_until*: what this run asked for and never saw may be invisible until then; NEVER: there is none.
        """

    def wait_for_locks(self, milliseconds: int) -> None:
        """How long a write waits for another process before it raises StoreLocked; five seconds unless told."""

    def close(self) -> None:
        """Release the store; idempotent."""
