"""What a store is asked and what it answers, as plain values that no database shows through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import Answer, Instant, Kind, Outcome, Reason, Send, Source, StoredReceipt, Tally, is_utf8

NO_TIME = Instant(0)  #: stands for the absence of a time
_LARGEST = 2**63 - 1  # of an integer in a database


def _refuse_unstorable(*filters: Collection[str]) -> None:
    """Raise UsageError for a word that no store can hold, so that it is not taken for a fault of the store."""
    for words in filters:
        for word in words:
            if "\0" in word or not is_utf8(word):
                raise UsageError(
                    _("a word to look for is not UTF-8, or holds a NUL"),
                    hint=_("Check the encoding of the terminal, the file or the program that it comes from."),
                )


def _bounded(limit: int | None) -> int | None:
    """A limit as databases take it. Raises UsageError for a negative one."""
    if limit is not None and limit < 0:
        raise UsageError(_("a limit is 0 or more"))
    return None if limit is None else min(limit, _LARGEST)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one commit did."""

    tally: Tally
    new: Sequence[StoredReceipt]  #: the statements that the store did not hold before, in seq order
    unguarded: bool = False  #: numbers were forgotten, and what came about them could not be told apart
    reasons: Mapping[Reason, int] = field(default_factory=dict)  #: of the rejects that were not stored before


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which receipts to read. An empty collection filters nothing; the values of one collection are alternatives."""

    kinds: Collection[str] = ()
    #: The phone, or another number of a call; normalised: digits without +, 86 dropped before 11 digits that start
    #: with 1.
    phones: Collection[str] = ()
    seqs: Collection[int] = ()
    ids: Collection[str] = ()  #: the first part of the identity as it is stored, of a BizId also the part before its ^
    biz_ids: Collection[str] = ()
    out_ids: Collection[str] = ()
    call_ids: Collection[str] = ()
    outcomes: Collection[Outcome] = ()
    codes: Collection[str] = ()
    sources: Collection[Source] = ()
    since: Instant | None = None  #: inclusive; compared with sent_at, else reported_at, else received_at
    until: Instant | None = None  #: exclusive
    after: int = 0  #: only seq > after
    history: bool = False  #: every statement, not only the state of each identity
    bodies: bool = False  #: of each statement also the bodies that it does not show, before the one that it shows
    conflicts: bool = False  #: only the statements that contradict another one about the same identity
    limit: int | None = None
    newest: bool = False  #: with a limit: the last ones instead of the first (still in ascending seq)

    def __post_init__(self) -> None:
        """Raise UsageError for what no store can be asked for."""
        _refuse_unstorable(self.kinds, self.phones, self.ids, self.biz_ids, self.out_ids, self.call_ids, self.codes)
        object.__setattr__(self, "after", max(0, min(self.after, _LARGEST)))
        object.__setattr__(self, "limit", _bounded(self.limit))


class SendState(StrEnum):
    """How far a send is from its final receipt."""

    OPEN = "open"  #: no final receipt, and no answer of the provider
    WITH_RECEIPT = "with_receipt"  #: delivered, failed or expired
    WAITING = "waiting"  #: the provider answered that it waits for the carrier itself
    NO_RECORD = "no_record"  #: the provider answered that it knows of no such send


class StoredSend(msgspec.Struct, frozen=True):
    """A send as the store holds it, with the outcome of its receipt and the last answer of the provider."""

    send: Send
    outcome: Outcome | None  #: that of its receipt's state; None without a receipt
    settled: bool  #: that outcome is final: delivered, failed or expired
    asked_at: Instant | None  #: when the provider was last asked about it
    answer: Answer | None  #: what the provider answered then
    code: str = ""  #: that of the state of its receipt

    @property
    def state(self) -> SendState:
        """The state that users are shown."""
        if self.settled:
            return SendState.WITH_RECEIPT
        if self.answer is Answer.WAITING:
            return SendState.WAITING
        return SendState.NO_RECORD if self.answer is Answer.NO_RECORD else SendState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SendQuery:
    """Which sends to read. An empty collection filters nothing; the values of one collection are alternatives."""

    phones: Collection[str] = ()  #: normalised
    biz_ids: Collection[str] = ()
    out_ids: Collection[str] = ()
    states: Collection[SendState] = ()
    since: Instant | None = None  #: inclusive; a send of which only the day is known counts if its day touches this
    until: Instant | None = None  #: exclusive
    limit: int | None = None
    newest: bool = False  #: with a limit: the last ones instead of the first (still ascending)

    def __post_init__(self) -> None:
        """Raise UsageError for what no store can be asked for."""
        _refuse_unstorable(self.phones, self.biz_ids, self.out_ids)
        object.__setattr__(self, "limit", _bounded(self.limit))


@dataclass(frozen=True, slots=True)
class Imported:
    """What one batch of sends changed in the ledger.

    Invariant: new + known + completed + forgotten == sends in the batch.
    """

    new: int = 0
    known: int = 0  #: in the ledger before, and the batch added nothing
    completed: int = 0  #: in the ledger before, and the batch added a time, an out_id or another value
    contradicting: int = 0  #: of the known and completed, those with another value; the ledger kept its own
    forgotten: int = 0  #: about numbers that were forgotten since they were sent: not added
    unguarded: bool = False  #: numbers were forgotten, and sends to them could not be told apart

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            self.new + other.new,
            self.known + other.known,
            self.completed + other.completed,
            self.contradicting + other.contradicting,
            self.forgotten + other.forgotten,
            self.unguarded or other.unguarded,
        )


@dataclass(frozen=True, slots=True)
class DaySends:
    """How many sends of one Beijing day the ledger holds."""

    day: int
    mainland: int  #: to numbers of the mainland
    elsewhere: int  #: to all others


@dataclass(frozen=True, slots=True)
class ListedParts:
    """The billed parts of some sends in the ledger: those to numbers of the mainland, or those to all others."""

    mainland: bool
    known: int  #: parts of the sends of which a receipt, or else the ledger, tells them
    unknown: int  #: sends of which neither does
    no_record: int  #: of the unknown ones, those of which the provider has no record


@dataclass(frozen=True, slots=True)
class DayParts:
    """The SMS receipts of one Beijing day, added up. Each message counts once, by its state."""

    day: int
    messages: dict[Outcome, int]
    parts: dict[Outcome, int]  #: billed parts
    slots: tuple[int, ...]  #: messages by the ten minutes in which they were sent: 144 from midnight on


@dataclass(frozen=True, slots=True)
class CallGap:
    """A call with earlier receipts, but without the one of its end."""

    pool_key: str
    call_id: str
    kinds: tuple[Kind, ...]  #: the kinds of the earlier receipts
    first_at: Instant


@dataclass(frozen=True, slots=True)
class KindFacts:
    """How much of one kind the store holds. Test pushes are counted apart."""

    kind: Kind
    count: int  #: identities
    statements: int
    tests: int  #: identities that come from the console's test push; not in count
    first_received_at: Instant
    last_received_at: Instant  #: of the last delivery of this kind, repeats included


@dataclass(frozen=True, slots=True)
class OriginFacts:
    """One way by which the provider delivers: a queue, or the path of a callback URL."""

    source: Source
    origin: str
    last_received_at: Instant | None  #: of its last new statement; None: it has none among those that were looked at


@dataclass(frozen=True, slots=True)
class Recent:
    """What came last, read from the newest statements."""

    first_seq: int  #: of the statements received since the given time; larger than the last seq where there is none
    origins: tuple[OriginFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How fast a store grows, by what came in the last days. None: not known, or nothing grows."""

    receipts_per_day: int | None
    bytes_per_receipt: int | None  #: everything in the store, divided by its statements; None where there are too few
    free: int | None  #: bytes; None where the engine does not tell

    @property
    def bytes_per_day(self) -> int | None:
        """By how much the store grows."""
        if self.receipts_per_day is None or self.bytes_per_receipt is None:
            return None
        return self.receipts_per_day * self.bytes_per_receipt

    @property
    def days_left(self) -> int | None:
        """Days until the disk is full."""
        return self.free // self.bytes_per_day if self.free is not None and self.bytes_per_day else None


@dataclass(frozen=True, slots=True)
class StoreWriter:
    """A process that has the store open for writing, or ended without closing it."""

    host: str
    last_wrote_at: Instant  #: by the server's clock


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Counts and sizes of a store."""

    location: str  #: as users may be shown it: without a password
    exists: bool
    engine: str  #: "SQLite 3.54.1"
    schema: int
    size: int  #: bytes on disk, journal included
    last_seq: int
    rejects: int
    conflicts: int  #: statements in conflict
    kinds: tuple[KindFacts, ...] = field(default=())
    sends: int = 0  #: in the ledger
    open_sends: int = 0  #: of them, those without a final receipt; of thousands, a few too many may be counted
    consumed: tuple[str, ...] = ()  #: queues that a process receives from now, of those that the engine can tell
    writers: tuple[StoreWriter, ...] | None = None  #: the last to write first; None: the engine does not tell
    checked: bool = False  #: all of it was looked through for damage

    @property
    def receipts(self) -> int:
        """Identities: messages, calls, reviews; test pushes are not among them."""
        return sum(kind.count for kind in self.kinds)

    @property
    def statements(self) -> int:
        """Statements about them all, and about test pushes."""
        return sum(kind.statements for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class ConsumerLease:
    """A consumer's claim on a queue. Messages that it received and did not delete are invisible to other consumers."""

    number: int
    after_unclean: bool  #: an earlier consumer was not shut down cleanly: its messages may be invisible for a while
    hidden_until: Instant  #: an earlier consumer was stopped during a request: its messages may be invisible until then
