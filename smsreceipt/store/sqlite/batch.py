"""What one commit is given, as the values that keep.sql binds.

They stand in one flat list: a slice of it is what an INSERT of many rows takes, a row, or a column, and none of these
costs an object a receipt. With a tuple, a named one and an answer for each, making them took longer than SQLite takes
to store them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, overload

from smsreceipt.model import Decoded, Delivery, Instant, Kind, Source, StoredReceipt, beijing_day

Identity = tuple[str, str, str, str, int]  #: id1 to id4 and the kind's number


class Row(NamedTuple):
    """What keep.sql binds for one statement, in its order."""

    seq: int
    kind: int
    lead: int
    parts: int
    id1: str
    id2: str
    id3: str
    id4: str
    outcome: str
    code: str
    reported_at: int
    detail: str
    sent_at: int
    received_at: int
    day: int
    phone: str
    biz_id: str
    out_id: str
    call_id: str
    road: int
    signed: bool
    test: bool
    native: bool
    digest: bytes
    body: bytes

    @property
    def identity(self) -> Identity:
        """What the statement is about."""
        return (self.id1, self.id2, self.id3, self.id4, self.kind)


WIDTH = len(Row._fields)
_PLACES = {name: place for place, name in enumerate(Row._fields)}
_ABSENT = tuple((None,) * (4 - parts) for parts in range(5))  # what an identity of so many parts lacks
#: Texts that most receipts do not have are bound as NULL: binding a text, even "", costs SQLite more than ifnull().
_SPARSE = {"id2", "id3", "id4", "detail", "call_id"}
PLACEHOLDERS = ",".join("ifnull(?,'')" if name in _SPARSE else "?" for name in Row._fields)


class Offer:
    """The receipts of one commit as rows, with the seqs that they get where their statements are new."""

    def __init__(
        self,
        decoded: Sequence[Decoded],
        last_seq: int,
        kind: Callable[[Kind, Delivery], int],
        road: Callable[[Delivery], int],
    ) -> None:
        """*kind* and *road* give the numbers of what the tables of these names hold."""
        self.values: list[Any] = []
        self.last_seq = last_seq
        self._decoded = decoded
        for item in decoded:
            if item.receipts:
                self._add(item, kind, road(item.delivery))

    def __len__(self) -> int:
        return len(self.values) // WIDTH

    def __iter__(self) -> Iterator[Row]:
        return (self.row(seq) for seq in range(self.last_seq + 1, self.last_seq + len(self) + 1))

    def row(self, seq: int) -> Row:
        """The one that was offered with this seq."""
        begin = (seq - self.last_seq - 1) * WIDTH
        return Row._make("" if value is None else value for value in self.values[begin : begin + WIDTH])

    def column(self, name: str) -> list[Any]:
        """One value of each row."""
        return self.values[_PLACES[name] :: WIDTH]

    def _add(self, item: Decoded, kind: Callable[[Kind, Delivery], int], road: int) -> None:
        """The loop that every receipt goes through; what is the same for all of a delivery is asked for once."""
        delivery, values = item.delivery, self.values
        received, signed = delivery.received_at, delivery.source.signed
        native = delivery.source is not Source.QUERY and not delivery.biz_id  # a replayed answer of a query is one
        kinds = {name: kind(name, delivery) for name in {receipt.kind for receipt in item.receipts}}
        for seq, receipt in enumerate(item.receipts, self.last_seq + len(self) + 1):
            identity, call_id = receipt.identity, receipt.call_id
            parts = len(identity)
            id1, id2, id3, id4 = identity + _ABSENT[parts]
            lead = 1 if call_id and parts > 1 and id2 == call_id else 0
            if lead:
                id1, id2 = id2, id1
            sent = -1 if receipt.sent_at is None else receipt.sent_at
            reported = -1 if receipt.reported_at is None else receipt.reported_at
            when = sent if sent >= 0 else reported if reported >= 0 else received
            values += (
                seq, kinds[receipt.kind], lead, parts, id1, id2, id3, id4,
                receipt.outcome or "", receipt.code, reported, receipt.detail or None,
                sent, received, beijing_day(Instant(when)), receipt.phone, receipt.biz_id, receipt.out_id,
                call_id or None, road, signed, receipt.test, native, receipt.digest, receipt.body,
            )  # fmt: skip

    def statements(self, repeats: Collection[int]) -> Iterator[StoredReceipt]:
        """Those whose seq is none of *repeats*, as the store now holds them."""
        first = self.last_seq + 1
        for item in self._decoded:
            for seq, receipt in enumerate(item.receipts, first):
                if seq not in repeats:
                    yield StoredReceipt.of(receipt, item.delivery, seq)
            first += len(item.receipts)


class News(Sequence[StoredReceipt]):
    """The new statements of one commit, in seq order; made when somebody looks, since most runs print none of them."""

    def __init__(self, offer: Offer | None = None, repeats: Collection[int] = ()) -> None:
        self._offer, self._repeats = offer, repeats

    def __len__(self) -> int:
        return len(self._offer) - len(self._repeats) if self._offer else 0

    @overload
    def __getitem__(self, index: int) -> StoredReceipt: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredReceipt]: ...
    def __getitem__(self, index: int | slice) -> StoredReceipt | Sequence[StoredReceipt]:
        return self._made[index]

    def __iter__(self) -> Iterator[StoredReceipt]:
        return iter(self._made)

    @cached_property
    def _made(self) -> tuple[StoredReceipt, ...]:
        return tuple(self._offer.statements(self._repeats)) if self._offer else ()
