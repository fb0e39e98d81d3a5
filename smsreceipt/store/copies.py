"""What a copy of a store moves from one engine to another, and the digest that proves that two stores hold the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

import msgspec
from msgspec import structs

from smsreceipt.model import Decoded, Delivery, StoredReceipt, StoredReject
from smsreceipt.store.ledger_rows import row_of
from smsreceipt.store.values import StoredSend

_encode = msgspec.msgpack.Encoder().encode


class Tie(msgspec.Struct, frozen=True):
    """The statement about a send to which an answer of a query is attributed."""

    report: int  #: seq of that statement
    biz_id: str  #: of the send
    made: bool  #: nobody else says so: that statement was made for it
    signed: bool  #: it brought the signature


class CopiedStatement(msgspec.Struct, frozen=True):
    """One statement with all that is stored about it."""

    stored: StoredReceipt
    native: bool  #: False: the body shown is a query's answer
    current: bool  #: the state of its identity
    conflict: bool
    bodies: tuple[tuple[bool, bytes], ...] = ()  #: whether native, and the body: those that it does not show
    tie: Tie | None = None

    @property
    def seq(self) -> int:
        """Its seq, which a copy keeps."""
        return self.stored.seq or 0

    @property
    def received(self) -> Decoded:
        """The statement as if it was received now for the first time."""
        stored = self.stored
        delivery = Delivery((), None, stored.source, stored.origin, stored.received_at)
        return Decoded(delivery, (stored.receipt,), ())


class CopiedReject(msgspec.Struct, frozen=True):
    """One reject with its bytes."""

    stored: StoredReject
    body: bytes


Copied = CopiedStatement | CopiedReject | StoredSend


def joined(
    statements: Iterable[tuple[StoredReceipt, bool, bool, bool]],
    bodies: Iterable[tuple[int, bool, bytes]],
    ties: Iterable[tuple[int, int, str, bool, bool]],
) -> Iterator[CopiedStatement]:
    """Join what is stored about statements; all three are in ascending seq.

    Of a statement come its native, current and conflict; of a further body its native; of a tie the values of Tie.
    """
    further = groupby(bodies, key=itemgetter(0))
    attributed = iter(ties)
    body, tie = next(further, None), next(attributed, None)
    for stored, native, current, conflict in statements:
        own: tuple[tuple[bool, bytes], ...] = ()
        if body is not None and body[0] == stored.seq:
            own = tuple((bool(is_native), bytes(text)) for _, is_native, text in body[1])
            body = next(further, None)
        found = None
        if tie is not None and tie[0] == stored.seq:
            _, report, biz_id, made, signed = tie
            found, tie = Tie(report, biz_id, bool(made), bool(signed)), next(attributed, None)
        yield CopiedStatement(stored, bool(native), bool(current), bool(conflict), own, found)
    if body is not None or tie is not None:
        raise ValueError("a body or an attribution belongs to no statement")


class Fingerprint:
    """A digest of a set of objects: the sum of their digests, so that neither engine, order nor seq matter."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and (self.count, self._sum) == (other.count, other._sum)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __str__(self) -> str:
        return f"{self._sum:064x}"

    def add(self, item: Copied) -> None:
        """Add one object."""
        self.count += 1
        self._sum = (self._sum + int.from_bytes(sha256(_encode(_values(item))).digest())) % (1 << 256)


def _values(item: Copied) -> tuple[object, ...]:
    """What two stores must agree on."""
    if isinstance(item, CopiedStatement):
        stored, tie = item.stored, item.tie
        return (
            structs.astuple(stored.receipt), stored.received_at, stored.source, stored.origin, stored.times_seen,
            stored.signed, item.native, item.current, item.conflict, item.bodies,
            tie and (tie.biz_id, tie.made, tie.signed),
        )  # fmt: skip
    if isinstance(item, CopiedReject):
        return (*structs.astuple(item.stored), item.body)
    return (*row_of(item.send), item.asked_at, item.answer)
