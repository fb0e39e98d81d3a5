"""What a store promises, whatever engine is beneath. Everything above talks to this and to nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smsreceipt.model import Decoded, Instant, Kind, Outcome, Source, StoredReceipt, StoredReject, Tally

NEVER = Instant(0)  #: no time at all


@dataclass(frozen=True, slots=True)
class Kept:
    """What one commit did."""

    tally: Tally
    new: tuple[StoredReceipt, ...]  #: the statements nobody had made before, in seq order


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

    def keep(self, decoded: Sequence[Decoded], *, resolves: Collection[str] = ()) -> Kept:
        """Store every receipt and reject in one transaction, deleting the rejects that these resolve."""

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

    def begin_run(self, queue: str) -> Run:
        """Note that this process receives from *queue*. Only end_run removes the note: a crash leaves it behind."""

    def end_run(self, run: Run, *, settled: bool, hidden_until: Instant = NEVER) -> None:
        """The run ended clean. *settled*: what earlier runs on its queue had in hand was waited out too.

        *hidden_until*: what this run asked for and never saw may be invisible until then; NEVER: there is none.
        """

    def close(self) -> None:
        """Release the store; idempotent."""
