"""What a check asks of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from smsreceipt.store.call_tallies import Body, Day, InAdvance
from smsreceipt.store.checking.days import TalliedDay
from smsreceipt.store.checking.faults import Fault, ReadAgain
from smsreceipt.store.checking.statements import Member, Stored
from smsreceipt.store.checking.ties import Number
from smsreceipt.store.tallies import Key, Message, State


class Counters(NamedTuple):
    """The counters of one kind."""

    statements: int
    identities: int
    tests: int


class Audited(Protocol):
    """Reads what a check compares. A slice is the statements with seq > after and at most to."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one moment."""

    def damage(self) -> Iterator[Fault]:
        """The engine's own check of its files."""

    def begin(self) -> None:
        """Note what later looks refer to; called once, before the first slice."""

    def last_seq(self) -> int:
        """Up to which seq all statements are visible, and no other one will appear."""

    def statements(self, after: int, to: int) -> Iterable[Stored]:
        """The statements of a slice, in the order of seq."""

    def uneven(self, after: int, to: int) -> Iterable[Member]:
        """All statements of each identity of which the slice has one, but for those with a single, marked statement."""

    def numbers(self, phones: Sequence[str]) -> Iterable[Number]:
        """All that decides what is attributed about these numbers."""

    def slice_faults(self, after: int, to: int, read_again: ReadAgain) -> Iterator[Fault]:
        """What else is wrong with the statements of a slice: indexes, further bodies, references."""

    def other_faults(self) -> Iterator[Fault]:
        """What is wrong beside statements: sends, attributions, rows that belong to nothing."""

    def after(self, seq: int) -> int:
        """The largest seq of all statements that are visible now, if it is after *seq*; else *seq*."""

    def counters(self) -> Mapping[str, Counters]:
        """The stored counters of each kind."""

    def counted(self) -> Mapping[str, Counters]:
        """The same, counted in one look by the marks of the statements."""

    def totals(self) -> Iterator[Fault]:
        """Other counters that are wrong: the last seq, the number of sends."""

    def tallies(self) -> State:
        """How far messages are counted in advance, and by which table of places."""

    def messages(self, after: int, to: int) -> Sequence[Message]:
        """The messages of a slice."""

    def message(self, seq: int, *, current: bool) -> Message | None:
        """One statement as a message, whatever its mark: None where it could be none, or has not this mark."""

    def tally_rows(self) -> Iterator[tuple[Key, Sequence[int]]]:
        """All rows of the tallies."""

    def tally_changes(self) -> Iterator[tuple[int, Message]]:
        """What has changed and is not in the rows yet: 1 or -1, and a message."""

    def tallied_day(self, day: int) -> TalliedDay:
        """All that the tallies of one day are compared with."""

    def call_days(self) -> Sequence[Day]:
        """The kinds and days of calls and replies that have tallies, or should."""

    def calls_in_advance(self, kind: str, day: int) -> InAdvance:
        """The tally of one of them."""

    def bodies_of_day(self, kind: str, day: int, to: int) -> Iterable[Body]:
        """What it is compared with: the states with seq at most *to*."""
