"""The receipts of one commit as the values that an INSERT binds.

They are one flat list: an INSERT of many rows takes a slice of it, and so do a row and a column, so that no receipt
costs an object of its own. With a tuple for each, making the tuples took longer than SQLite takes to store them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from smsreceipt.model import Decoded, Delivery, Kind, Source, StoredReceipt, beijing_day
from smsreceipt.store.sqlite.columns import INSERTED, values_of

Identity = tuple[str, str, str, str, int]  #: id1 to id4 and the number of the kind
Row = dict[str, Any]  #: the values of INSERTED by their names

WIDTH = len(INSERTED)
_PLACES = {name: place for place, name in enumerate(INSERTED)}
_ABSENT = tuple((None,) * (4 - parts) for parts in range(5))  # what an identity of so many parts lacks


class InsertBatch:
    """The receipts of one commit as rows. Their seqs are those that they get if their statements are new."""

    def __init__(
        self,
        decoded: Sequence[Decoded],
        last_seq: int,
        kind: Callable[[Kind, Delivery], int],
        road: Callable[[Delivery], int],
    ) -> None:
        """*kind* and *road* return the numbers of rows in the tables of these names."""
        self.values: list[Any] = []
        self.last_seq = last_seq
        self.arrivals: set[tuple[int, int]] = set()  #: which kinds came when
        self._decoded = decoded
        for item in decoded:
            if item.receipts:
                self._add(item, kind, road(item.delivery))

    def __len__(self) -> int:
        return len(self.values) // WIDTH

    def row(self, seq: int) -> Row:
        """The row with this seq."""
        begin = (seq - self.last_seq - 1) * WIDTH
        values = self.values[begin : begin + WIDTH]
        return {name: "" if value is None else value for name, value in zip(INSERTED, values, strict=True)}

    def column(self, name: str) -> list[Any]:
        """One value of each row."""
        return self.values[_PLACES[name] :: WIDTH]

    def _add(self, item: Decoded, kind: Callable[[Kind, Delivery], int], road: int) -> None:
        """Add the receipts of one delivery. What is the same for all of them is looked up once."""
        delivery, values = item.delivery, self.values
        received, signed = delivery.received_at, delivery.source.signed
        native = delivery.source is not Source.QUERY and not delivery.biz_id  # the answer of a query may be replayed
        kinds = {name: kind(name, delivery) for name in {receipt.kind for receipt in item.receipts}}
        self.arrivals.update((number, received) for number in kinds.values())
        for seq, receipt in enumerate(item.receipts, self.last_seq + len(self) + 1):
            identity, call_id = receipt.identity, receipt.call_id
            parts = len(identity)
            id1, id2, id3, id4 = identity + _ABSENT[parts]
            lead = 1 if call_id and parts > 1 and id2 == call_id else 0
            if lead:
                id1, id2 = id2, id1
            when = receipt.sent_at
            if when is None:
                when = receipt.reported_at
                if when is None:
                    when = received
            values += (
                seq, kinds[receipt.kind], lead, parts, id1, id2, id3, id4, received, beijing_day(when), road, signed,
                native, *values_of(receipt),
            )  # fmt: skip

    def statements(self, repeats: Collection[int]) -> Iterator[StoredReceipt]:
        """The rows whose seq is not among *repeats*, as the store now holds them."""
        first = self.last_seq + 1
        for item in self._decoded:
            for seq, receipt in enumerate(item.receipts, first):
                if seq not in repeats:
                    yield StoredReceipt.of(receipt, item.delivery, seq)
            first += len(item.receipts)
