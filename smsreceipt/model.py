"""The values that everything else is about. No I/O, no provider words, no rich, no SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import NewType

import msgspec

Kind = NewType("Kind", str)  #: a message type by the provider's name, an open set: SmsReport, SecretReport, …
Instant = NewType("Instant", int)  #: UTC milliseconds since 1970; the provider's own text stays in the body

BEIJING = timezone(
    timedelta(hours=8), "Asia/Shanghai"
)  #: no daylight saving since 1991; zone-less provider text is this
DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


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
    """A statement as the store holds it. Field order is the order of the JSON object that users see."""

    seq: int | None  #: None while it is only peeked at
    kind: Kind
    identity: tuple[str, ...]
    outcome: Outcome | None
    phone: str | None
    biz_id: str | None
    out_id: str | None
    call_id: str | None
    code: str | None
    sent_at: Instant | None
    reported_at: Instant | None
    received_at: Instant
    source: Source
    origin: str
    times_seen: int
    test: bool
    body: bytes
    signed: bool = False  #: a source that proved who it is said so, first or later; no part of the JSON object

    @classmethod
    def of(cls, receipt: Receipt, delivery: Delivery, seq: int | None) -> StoredReceipt:
        """The first time a statement is seen."""
        return cls(
            seq,
            receipt.kind,
            receipt.identity,
            receipt.outcome,
            receipt.phone or None,
            receipt.biz_id or None,
            receipt.out_id or None,
            receipt.call_id or None,
            receipt.code or None,
            receipt.sent_at,
            receipt.reported_at,
            delivery.received_at,
            delivery.source,
            delivery.origin,
            1,
            receipt.test,
            receipt.body,
            delivery.source.signed,
        )


class Send(msgspec.Struct, frozen=True):
    """One message that was sent to one number: a row of the ledger. The text itself is never kept."""

    phone: str  #: normalised
    biz_id: str
    day: int  #: Beijing day since 1970-01-01
    sent_at: Instant | None  #: None: only the day is known
    out_id: str
    template_code: str
    sign_name: str
    parts: int | None  #: billed parts; None: not known


class Answer(StrEnum):
    """What the provider said when it was last asked about a send."""

    ANSWERED = "answered"  #: its receipt, which is a statement now
    WAITING = "waiting"  #: it still waits for the carrier itself
    NO_RECORD = "no_record"  #: it knows of no such send


class Asked(msgspec.Struct, frozen=True):
    """A note that the provider was asked about one send; committed together with what it answered."""

    biz_id: str
    phone: str
    at: Instant
    answer: Answer


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
class Claim:
    """What one statement puts forward when the state of an identity is decided."""

    outcome: Outcome | None
    code: str
    signed: bool  #: at least one signed source said it
    reported_at: Instant | None
    detail: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing that follows should change it."""
        return self.outcome in SETTLED

    def rank(self) -> tuple[bool, bool, int, tuple[int, ...], tuple[int, ...]]:
        """The winner of a set of claims is its maximum by this: a total order, so arrival order cannot matter.

        Settled beats open; among settled, signed beats only-unsigned; then the newest report; then the smallest
        (outcome, code, detail).
        """
        settled = self.settled
        reported = -1 if self.reported_at is None else self.reported_at
        return (
            settled,
            settled and self.signed,
            reported,
            _descending(self.outcome or ""),
            _descending(f"{self.code}\0{self.detail}"),
        )


def _descending(text: str) -> tuple[int, ...]:
    """A key under which the smallest text is the greatest, a prefix included."""
    return (*(-ord(char) for char in text), 1)


def contradictory(outcomes: set[Outcome | None]) -> bool:
    """Whether settled outcomes about one identity differ: a conflict the user should see."""
    return len(outcomes & SETTLED) > 1


_SEPARATED = re.compile(r"\+?\d+(?:[ -]\d+)*", re.ASCII)
_MAINLAND = re.compile(r"(?:0086|86)(1\d{10})", re.ASCII)


def normalise_phone(text: str) -> str:
    """The one spelling of a phone number: digits, without +, and without 86 before a mainland mobile number.

    Text that is no phone number comes back as it is, without the space around it.
    """
    text = text.strip()
    if not _SEPARATED.fullmatch(text):
        return text
    digits = text.replace(" ", "").replace("-", "").removeprefix("+")
    mainland = _MAINLAND.fullmatch(digits)
    return mainland[1] if mainland else digits


def billed_parts(characters: int) -> int:
    """How many messages a text of so many characters is billed as, its signature with brackets included."""
    return 1 if characters <= 70 else -(-characters // 67)


def beijing_day(at: Instant) -> int:
    """The number of the Beijing calendar day that *at* falls on, counted from 1970-01-01."""
    return (at + 8 * 3_600_000) // DAY_MS


def date_of(day: int) -> date:
    """The Beijing calendar day of that number."""
    return _EPOCH + timedelta(days=day)


def number_of(day: date) -> int:
    """The number of a Beijing calendar day."""
    return (day - _EPOCH).days


def iso_beijing(at: Instant) -> str:
    """ISO 8601 in whole seconds with +08:00, as receipts show sent_at and reported_at."""
    return datetime.fromtimestamp(at // 1000, BEIJING).isoformat(timespec="seconds")


def iso_utc(at: Instant) -> str:
    """ISO 8601 in milliseconds with Z, as receipts show received_at."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Tally:
    """The books of a run: received = new + duplicate + rejected, always."""

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

    def books(self) -> dict[str, int]:
        """What every summary tells, in its order."""
        return {"received": self.received, "new": self.new, "duplicate": self.duplicate, "rejected": self.rejected}

    @property
    def balanced(self) -> bool:
        """False only through a bug of ours."""
        return self.received == self.new + self.duplicate + self.rejected
