"""Deliveries, receipts and rejects, from their arrival to the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

import msgspec

from smsreceipt.model.times import Instant

Kind = NewType("Kind", str)  #: a message type by the provider's name, an open set: SmsReport, SecretReport, …


class Outcome(StrEnum):
    """Where a message, a call or a review ended up."""

    DELIVERED = "delivered"  #: the handset received it
    FAILED = "failed"  #: it will not be delivered
    EXPIRED = "expired"  #: the carrier gave up (international)
    PENDING = "pending"  #: the carrier has not reported yet
    UNKNOWN = "unknown"  #: the provider itself does not know
    CONNECTED = "connected"  #: the call was answered: release_time > start_time
    UNCONNECTED = "unconnected"  #: the call ended unanswered
    APPROVING = "approving"  #: a signature or template under review
    APPROVED = "approved"
    REJECTED = "rejected"


#: Final outcomes: no later statement should change them, and two different ones about one identity are a conflict.
SETTLED = frozenset(
    {
        Outcome.DELIVERED,
        Outcome.FAILED,
        Outcome.EXPIRED,
        Outcome.CONNECTED,
        Outcome.UNCONNECTED,
        Outcome.APPROVED,
        Outcome.REJECTED,
    }
)


class Source(StrEnum):
    """The way a delivery was received."""

    MNS = "mns"
    PUSH = "push"
    REPLAY = "replay"
    QUERY = "query"

    @property
    def signed(self) -> bool:
        """Whether the source is authenticated: we asked the provider over an authenticated connection."""
        return self is Source.MNS or self is Source.QUERY


class Reason(StrEnum):
    """Why bytes could not be decoded. A closed list; no reason quotes the content."""

    BASE64 = "base64"  #: neither JSON nor strict base64
    MD5 = "md5"  #: the queue's MessageBodyMD5 does not fit the body
    UTF8 = "utf8"  #: not UTF-8 (UTF-16 included)
    JSON = "json"  #: not JSON: truncated, trailing garbage, NaN, Infinity
    NUMBER = "number"  #: a number that no finite double or 4,300-digit integer can hold
    DEPTH = "depth"  #: nested deeper than 32
    DUP_KEY = "dup-key"  #: one name twice in one object
    SURROGATE = "surrogate"  #: half a character (a lone UTF-16 surrogate)
    NOT_OBJECT = "not-object"  #: JSON, but no object where a receipt should be
    EMPTY = "empty"  #: a queue message without a receipt in it
    SIZE = "size"  #: larger than 1 MiB
    MISSING = "missing-field"  #: a field that identity or outcome need is missing
    TYPE = "wrong-type"  #: the value of a field has a form that no dialect accepts
    TIME = "bad-time"  #: a time has a form that no dialect accepts
    KIND_UNKNOWN = "kind-unknown"  #: neither the origin nor the fields determine the message type


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """One provider statement about one message, call or review, decoded.

    A msgspec Struct, because one is made for every message: a frozen dataclass with as many fields takes longer to
    make than the whole body takes to parse.
    """

    kind: Kind
    identity: tuple[str, ...]  #: 1 to 4 parts, in the order of the data contract; an absent part is ""
    outcome: Outcome | None
    code: str  #: canonical; "" where there is none
    sent_at: Instant | None
    reported_at: Instant | None
    phone: str  #: digits; "" where there is none
    biz_id: str
    out_id: str
    call_id: str
    detail: str  #: the rest of the statement's key (a control type, the digest of a reply's text); else ""
    test: bool  #: a "test push" of the provider's console
    body: bytes  #: the JSON object as received, without transport encoding
    digest: bytes  #: SHA-256 of body
    parts: int | None = None  #: billed parts of an SMS; None: the body does not have them
    talk_seconds: int | None = None  #: of a connected call
    numbers: str = ""  #: of a call beside phone, with spaces between them; first the peer's, "-" where there is none
    unread: tuple[str, ...] = ()  #: names of side fields whose values could not be read

    @property
    def leg(self) -> str:
        """The number that a call was put through to; "" where it is not known."""
        return leg_of(self.numbers)


def leg_of(numbers: str) -> str:
    """The first of the numbers of a call, the peer's; "" where there is none, or where they were not read yet."""
    first = numbers.partition(" ")[0]
    return first if first.isdigit() else ""


def said_in(body: bytes) -> int:
    """How many fields of a receipt's body have a value: the record of a call may come again, with its recording."""
    return sum(value not in (None, "") for value in msgspec.json.decode(body).values())


class Reject(msgspec.Struct, frozen=True):
    """Bytes that could not be decoded to a receipt, and the reason."""

    body: bytes
    reason: Reason
    frame: int = 0  #: index, in its delivery, of the frame that holds these bytes
    origin: str = ""  #: where exactly they were, if more is known than the origin of the delivery


def _no_ack() -> None:
    """Do nothing: files are not acknowledged."""


class Reached(msgspec.Struct, frozen=True):
    """The checkpoint of a file that is being replayed; an interrupted run resumes there."""

    file: str  #: the file's identity: device, inode, digest of its first bytes, message type
    offset: int  #: bytes, after decompression
    mark: str  #: digest of the bytes before the offset; if they have changed, the file is read from the start
    done: bool  #: the file was read to its end; the checkpoint is deleted


@dataclass(frozen=True, slots=True)
class Delivery:
    """Frames that arrived together, and the callback that acknowledges them."""

    frames: tuple[bytes, ...]
    kind: Kind | None  #: None: it is determined from the fields
    source: Source
    origin: str  #: queue name, URL path without the secret, file name, or API action
    received_at: Instant
    ack: Callable[[], None] = _no_ack  #: called once, only after the receipts are durably committed
    damaged: frozenset[int] = frozenset()  #: indices of frames whose checksum does not match
    biz_id: str = ""  #: of the send that was asked about; answers of a query do not contain it
    reached: Reached | None = None  #: the checkpoint of its file, committed in the same transaction


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded delivery: its receipts, and a reject for every element that could not be decoded."""

    delivery: Delivery
    receipts: tuple[Receipt, ...]
    rejects: tuple[tuple[Kind | None, Reject], ...]  #: each with the kind of its delivery


class StoredReceipt(msgspec.Struct, frozen=True, gc=False):
    """A statement as it is stored: its receipt, and how it was received."""

    seq: int | None  #: None: not stored, only peeked at
    receipt: Receipt
    received_at: Instant  #: of the first delivery, like source and origin
    source: Source
    origin: str
    times_seen: int  #: committed deliveries, from all sources
    signed: bool  #: at least one of them came from an authenticated source
    template_code: str = ""  #: of the send in the ledger, else of the answer that it shows; "" where it is not known
    sign_name: str = ""  #: of the send in the ledger; "" where it is not known

    @classmethod
    def of(cls, receipt: Receipt, delivery: Delivery, seq: int | None) -> StoredReceipt:
        """The statement as it is stored when it is received for the first time, in this delivery."""
        source = delivery.source
        return cls(seq, receipt, delivery.received_at, source, delivery.origin, 1, source.signed)

    @property
    def happened_at(self) -> Instant:
        """When the message was sent; else when it was reported; else when the report was received."""
        times = (self.receipt.sent_at, self.receipt.reported_at, self.received_at)
        return next(at for at in times if at is not None)


class StoredReject(msgspec.Struct, frozen=True):
    """A reject as it is stored."""

    id: str  #: hex SHA-256 of the kind and the bytes
    kind: Kind | None
    source: Source
    origin: str
    reason: Reason
    received_at: Instant
    size: int
    times_seen: int


class Tally(msgspec.Struct, frozen=True):
    """Counters of one run; invariant: received == new + duplicate + rejected + forgotten."""

    received: int = 0
    new: int = 0
    duplicate: int = 0
    rejected: int = 0
    fresh_rejects: int = 0  #: of the rejected, those that were not stored before
    forgotten: int = 0  #: acknowledged and not stored: they are about a number that was forgotten

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.received + other.received,
            self.new + other.new,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
            self.fresh_rejects + other.fresh_rejects,
            self.forgotten + other.forgotten,
        )

    def counters(self) -> dict[str, int]:
        """The counters of every summary, in its order; forgotten ones only where there are any."""
        counters = {"received": self.received, "new": self.new, "duplicate": self.duplicate, "rejected": self.rejected}
        return {**counters, "forgotten": self.forgotten} if self.forgotten else counters

    @property
    def balanced(self) -> bool:
        """Whether the invariant holds; False is a bug of ours."""
        return self.received == self.new + self.duplicate + self.rejected + self.forgotten
