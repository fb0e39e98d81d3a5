"""The receipts of one commit as rows of the table `statement`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from smsreceipt.model import Decoded, Delivery, Kind, Receipt, Source, StoredReceipt, beijing_day
from smsreceipt.store.postgres.arrays import Packed, array_of
from smsreceipt.store.postgres.columns import (
    PHONE_AT,
    ident_of,
    identity_columns,
    identity_place,
    packed_row,
    phone_place,
    said_of,
)


class Key(NamedTuple):
    """An identity in the store. Rows are written in the order of their keys, lest writers wait for each other."""

    place: int
    ident: bytes
    kind: int


class Row(msgspec.Struct, gc=False):
    """One statement as it is to be written."""

    key: Key
    said: bytes
    receipt: Receipt
    road: int
    received_at: int
    signed: bool
    native: bool
    seq: int = 0
    times_seen: int = 1
    current: bool = True
    conflict: bool = False

    def packed(self) -> bytes:
        """The row in PostgreSQL's binary form."""
        receipt, key = self.receipt, self.key
        return packed_row(
            receipt, key.place, self.seq, self.received_at, self.day, key.kind, self.road, self.times_seen, self.signed,
            self.current, self.conflict, self.native, key.ident, self.said, *identity_columns(receipt),
        )  # fmt: skip

    @property
    def day(self) -> int:
        """The Beijing day of sent_at, else reported_at, else received_at."""
        return day_of(self.receipt, self.received_at)

    def adds_nothing_to(self, other: Row) -> bool:
        """Whether it only repeats *other*, which is about the same identity."""
        return (
            self.said == other.said
            and self.receipt.digest == other.receipt.digest
            and self.signed <= other.signed
            and self.native <= other.native
        )


def day_of(receipt: Receipt, received_at: int) -> int:
    """The Beijing day of sent_at, else reported_at, else *received_at*."""
    when = receipt.sent_at
    if when is None:
        when = receipt.reported_at
    return beijing_day(received_at if when is None else when)  # type: ignore[arg-type]


def packed_rows(rows: Sequence[Row], array_oid: int, row_oid: int) -> Packed:
    """The rows as an array of the table's row type."""
    return array_of(row_oid, array_oid, [row.packed() for row in rows])


class Batch:
    """The receipts of one commit."""

    def __init__(
        self, decoded: Sequence[Decoded], kind: Callable[[Kind], int], road: Callable[[Delivery], int]
    ) -> None:
        """*kind* and *road* return the numbers of rows in the tables of these names."""
        self.rows: list[Row] = []
        self.arrivals: dict[int, tuple[int, int]] = {}  #: of each kind, when the first and the last came
        self.decoded = decoded
        for item in decoded:
            if item.receipts:
                self._add(item, kind, road(item.delivery))

    def _add(self, item: Decoded, kind: Callable[[Kind], int], road: int) -> None:
        delivery, rows = item.delivery, self.rows
        received, signed = delivery.received_at, delivery.source.signed
        native = delivery.source is not Source.QUERY and not delivery.biz_id  # the answer of a query may be replayed
        kinds = {name: kind(name) for name in {receipt.kind for receipt in item.receipts}}
        for number in kinds.values():
            first, last = self.arrivals.get(number, (received, received))
            self.arrivals[number] = min(first, received), max(last, received)
        for receipt in item.receipts:
            name, identity = receipt.kind, receipt.identity
            at = PHONE_AT.get(name)
            place = identity_place(name, identity) if at is None else phone_place(identity[at])
            key = Key(place, ident_of(*identity), kinds[name])
            rows.append(Row(key, said_of(receipt), receipt, road, received, signed, native))

    def number(self, seqs: Sequence[int]) -> None:
        """Give each row a seq, in the order of arrival."""
        for row, seq in zip(self.rows, seqs, strict=True):
            row.seq, row.times_seen, row.current, row.conflict = seq, 1, True, False

    def folded(self) -> tuple[dict[Key, Row], list[Row]]:
        """The first row of each identity, with its plain repeats counted in it; and the other rows."""
        first: dict[Key, Row] = {}
        later: list[Row] = []
        for row in self.rows:
            known = first.setdefault(row.key, row)
            if known is row:
                continue
            if row.adds_nothing_to(known):
                known.times_seen += 1
            else:
                later.append(row)
        return first, later

    def statements(self, seqs: Collection[int]) -> Iterator[StoredReceipt]:
        """The rows with these seqs, as the store now holds them."""
        rows = iter(self.rows)
        for item in self.decoded:
            for receipt, row in zip(item.receipts, rows, strict=False):
                if row.seq in seqs:
                    yield StoredReceipt.of(receipt, item.delivery, row.seq)


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """The columns of some rows, also of none."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
