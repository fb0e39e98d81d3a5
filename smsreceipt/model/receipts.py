"""Receipts on their way: delivered, decoded, kept, or rejected."""

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

    DELIVERED = "delivered"  #: the handset took it
    FAILED = "failed"  #: it never will
    EXPIRED = "expired"  #: the carrier gave up (international)
    PENDING = "pending"  #: with the carrier, nothing heard yet
    UNKNOWN = "unknown"  #: the provider itself does not know
    CONNECTED = "connected"  #: the call was answered: release_time > start_time
    UNCONNECTED = "unconnected"  #: the call ended unanswered
    APPROVING = "approving"  #: a signature or template under review
    APPROVED = "approved"
    REJECTED = "rejected"


#: Nothing that follows should change these; two different ones about one identity contradict each other.
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
    """Which way a delivery came."""

    MNS = "mns"
    PUSH = "push"
    REPLAY = "replay"
    QUERY = "query"

    @property
    def signed(self) -> bool:
        """Whether the provider proved who it is: we asked it, over an authenticated connection."""
        return self is Source.MNS or self is Source.QUERY


class Reason(StrEnum):
    """Why bytes could not be decoded. A closed list; none of them ever quotes the content."""

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
    SIZE = "size"  #: larger than 128 KiB
    MISSING = "missing-field"  #: a field without which the receipt has no identity or outcome
    TYPE = "wrong-type"  #: a field is spelled as no table accepts it
    TIME = "bad-time"  #: a time that no dialect spells so
    KIND_UNKNOWN = "kind-unknown"  #: neither the origin nor the fields tell the message type


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """One provider statement about one message, call or review, decoded.

    A msgspec Struct because it is made once per message on the hot road: a frozen dataclass of this width costs more
    than all of the parsing.
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
    detail: str  #: what else belongs to the statement (a control type, the digest of a reply's text); else ""
    test: bool  #: the console's "test push"
    body: bytes  #: the JSON object as received, without transport encoding
    digest: bytes  #: SHA-256 of body
    parts: int | None = None  #: billed parts of an SMS; None where the body does not tell
    talk_seconds: int | None = None  #: of a connected call


class Reject(msgspec.Struct, frozen=True):
    """Bytes that hold no receipt we can read, and why. Nothing is thrown away."""

    body: bytes
    reason: Reason


def _nothing() -> None:
    """A file needs no ack."""


class Reached(msgspec.Struct, frozen=True):
    """How far a file has been read; a run that is cut off is taken up there."""

    file: str  #: which file, by what its system and its first bytes say
    offset: int  #: in bytes, unpacked
    mark: str  #: digest of the bytes before that place: the file must not have changed there
    done: bool  #: there is no more; the note of it can go


@dataclass(frozen=True, slots=True)
class Delivery:
    """Frames that arrived together, and how to let the sender forget them."""

    frames: tuple[bytes, ...]
    kind: Kind | None  #: None: the fields must tell
    source: Source
    origin: str  #: queue name, URL path without the secret, file name, or API action
    received_at: Instant
    ack: Callable[[], None] = _nothing  #: called once, only after the receipts are durably committed
    damaged: frozenset[int] = frozenset()  #: indices of frames whose checksum does not fit
    biz_id: str = ""  #: of the send that was asked about, where the frames (answers of a query) do not tell it
    reached: Reached | None = None  #: how far its file is read once this is kept; noted in the same commit


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a delivery holds: receipts, and rejects for every element that holds none."""

    delivery: Delivery
    receipts: tuple[Receipt, ...]
    rejects: tuple[tuple[Kind | None, Reject], ...]  #: with the kind the delivery named, if it named one


class StoredReceipt(msgspec.Struct, frozen=True, gc=False):
    """A statement as the store holds it: the receipt that is shown of it, and what is known of its arrival."""

    seq: int | None  #: None while it is only peeked at
    receipt: Receipt
    received_at: Instant  #: of the first time, like source and origin
    source: Source
    origin: str
    times_seen: int  #: committed deliveries, from whatever source
    signed: bool  #: at least one of them came from a source that proved who it is

    @classmethod
    def of(cls, receipt: Receipt, delivery: Delivery, seq: int | None) -> StoredReceipt:
        """The first time a statement is seen."""
        source = delivery.source
        return cls(seq, receipt, delivery.received_at, source, delivery.origin, 1, source.signed)


class StoredReject(msgspec.Struct, frozen=True):
    """A reject as the store holds it."""

    id: str  #: hex SHA-256 of the kind and the bytes
    kind: Kind | None
    source: Source
    origin: str
    reason: Reason
    received_at: Instant
    size: int
    times_seen: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counters of one run; invariant: received == new + duplicate + rejected."""

    received: int = 0
    new: int = 0
    duplicate: int = 0
    rejected: int = 0
    fresh_rejects: int = 0  #: of the rejected, those not seen before: a person should look

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.received + other.received,
            self.new + other.new,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
            self.fresh_rejects + other.fresh_rejects,
        )

    def counters(self) -> dict[str, int]:
        """The counters of every summary, in its order."""
        return {"received": self.received, "new": self.new, "duplicate": self.duplicate, "rejected": self.rejected}

    @property
    def balanced(self) -> bool:
        """False only through a bug of ours."""
        return self.received == self.new + self.duplicate + self.rejected
