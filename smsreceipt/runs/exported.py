"""What can be exported: receipts, sends, figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Protocol, TypeVar

from smsreceipt.language import N_
from smsreceipt.model import Instant, StoredReceipt, beijing_day, start_of_day
from smsreceipt.output.columns import View
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.objects.sends import SENDS
from smsreceipt.store import Query, SendQuery, Store, StoredSend

T = TypeVar("T")
_Q = TypeVar("_Q", Query, SendQuery)

_SEND_BYTES = 200  # of one send or group in memory, about


class Rows(Protocol[T]):
    """The rows of an export."""

    @property
    def subject(self) -> str:
        """What they are, in the plural; part of the names of files."""

    @property
    def nothing(self) -> str:
        """The sentence where there are none, to be translated."""

    @property
    def kinds(self) -> Collection[str]:
        """The message types that they were asked for by."""

    @property
    def view(self) -> View[T]:
        """Their columns."""

    def all(self, store: Store) -> Iterator[T]:
        """Yield them all."""

    def days(self, store: Store) -> Sequence[int]:
        """The Beijing days on which there may be some."""

    def of_day(self, store: Store, day: int) -> Iterator[T]:
        """Yield those of one Beijing day."""

    def size(self, row: T) -> int:
        """The bytes of a row, about."""

    def position(self, row: T) -> int | None:
        """The seq of a row; None where it has none."""


@dataclass(frozen=True, slots=True)
class ReceiptRows:
    """Receipts, by the day of sending, else of the report, else of arrival."""

    query: Query
    view: View[StoredReceipt] = RECEIPTS
    subject: ClassVar[str] = "receipts"
    nothing: ClassVar[str] = N_("no receipts")

    @property
    def kinds(self) -> Collection[str]:
        """The message types in the query."""
        return self.query.kinds

    def all(self, store: Store) -> Iterator[StoredReceipt]:
        """Yield them in ascending seq."""
        return store.list(self.query)

    def days(self, store: Store) -> Sequence[int]:
        """The Beijing days on which there may be some."""
        return store.days(self.query)

    def of_day(self, store: Store, day: int) -> Iterator[StoredReceipt]:
        """Yield those of one Beijing day in ascending seq."""
        return store.list(_of_day(self.query, day))

    def size(self, row: StoredReceipt) -> int:
        """The bytes of a row, about."""
        return len(row.receipt.body)

    def position(self, row: StoredReceipt) -> int | None:
        """The seq of a row."""
        return row.seq


@dataclass(frozen=True, slots=True)
class SendRows:
    """Sends of the ledger, by the day of sending."""

    query: SendQuery
    view: View[StoredSend] = SENDS
    kinds: ClassVar[Collection[str]] = ()
    subject: ClassVar[str] = "sends"
    nothing: ClassVar[str] = N_("no sends")

    def all(self, store: Store) -> Iterator[StoredSend]:
        """Yield them by day, BizId and number."""
        return store.sends(self.query)

    def days(self, store: Store) -> Sequence[int]:
        """The Beijing days on which there may be some."""
        since, until = self.query.since, self.query.until
        first = 0 if since is None else beijing_day(since)
        last = (1 << 31) - 2 if until is None else beijing_day(Instant(until - 1))
        return [each.day for each in store.sends_by_day(first, last)]

    def of_day(self, store: Store, day: int) -> Iterator[StoredSend]:
        """Yield those of one Beijing day by BizId and number."""
        return (row for row in store.sends(_of_day(self.query, day)) if row.send.day == day)

    def size(self, row: StoredSend) -> int:  # noqa: ARG002 - all are alike
        """The bytes of a row, about."""
        return _SEND_BYTES

    def position(self, row: StoredSend) -> int | None:
        """Sends have no seq."""


class StatsRows(Generic[T]):
    """The rows of `stats --by`. They have no days of their own."""

    kinds: Collection[str] = ()
    subject = "stats"
    nothing = N_("no figures")

    def __init__(self, view: View[T], rows: Callable[[Store], Iterable[T]]) -> None:
        """*rows* counts them."""
        self.view, self._rows = view, rows

    def all(self, store: Store) -> Iterator[T]:
        """Yield them in the order of the question."""
        return iter(self._rows(store))

    def days(self, store: Store) -> Sequence[int]:  # noqa: ARG002 - none are asked for
        """There are none."""
        return []

    def of_day(self, store: Store, day: int) -> Iterator[T]:  # noqa: ARG002 - the same
        """There are none."""
        return iter(())

    def size(self, row: T) -> int:  # noqa: ARG002 - all are alike
        """The bytes of a row, about."""
        return _SEND_BYTES

    def position(self, row: T) -> int | None:
        """Figures have no seq."""


def _of_day(query: _Q, day: int) -> _Q:
    """The query, for one Beijing day of those that it is about."""
    begin, end = start_of_day(day), start_of_day(day + 1)
    return replace(
        query,
        since=begin if query.since is None else max(begin, query.since),
        until=end if query.until is None else min(end, query.until),
    )
