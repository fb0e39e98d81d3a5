"""Messages of each Beijing day counted in advance, so that figures of a long time need no scan.

Statements up to a seq are counted in the table `day_tally`; that seq is moved on when somebody asks for figures, never
while receipts are stored. What changes in statements up to there is in the table `tally_change`, written by the
transaction that changes them, until it is added to the tallies. So tallies, changes and a count of the statements
after that seq are together the same as a count of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from typing import NamedTuple, Protocol

from smsreceipt.errors import StoreUnavailable
from smsreceipt.model.facts import Place
from smsreceipt.store.call_tallies import CallTallies
from smsreceipt.store.counts import By, Folded

SLICE = 100_000  #: statements that are read at once; they take some 50 MiB
REST = 1_000_000  #: statements that are not counted, from which on a lower Place counts everything again

#: The columns of day_tally that tell rows apart; what a view does not have is "" or -1.
KEY = ("view", "day", "kind", "hour", "outcome", "code", "carrier", "province", "seconds")
SUMS = ("messages", "parts", "untold")  #: untold: messages that do not tell their parts; they count 0 in parts

#: The columns of each view, beside the day.
VIEWS: dict[int, frozenset[By]] = {
    1: frozenset({By.KIND, By.HOUR, By.OUTCOME, By.CODE, By.SECONDS}),
    2: frozenset({By.CARRIER, By.HOUR, By.OUTCOME}),
    3: frozenset({By.CARRIER, By.OUTCOME, By.SECONDS}),
    4: frozenset({By.PROVINCE, By.OUTCOME, By.SECONDS}),
}
OF_PLACE = frozenset({2, 3, 4})  #: views that a Place decides

#: One message, or one change: day, kind, hour, outcome, code, seconds, prefix and billed parts (0: untold).
Message = tuple[int, str, int, str, str, int, str, int]
Key = tuple[int, int, str, int, str, str, str, str, int]


def view_of(wanted: Iterable[By]) -> int | None:
    """The view that has all these columns; None where none has."""
    columns = set(wanted) - {By.DAY}
    return next((view for view, known in VIEWS.items() if columns <= known), None)


class State(NamedTuple):
    """How far statements are counted."""

    to_seq: int  #: those up to this seq are
    place: str  #: the version of the Place that decided
    last_seq: int  #: those up to this seq could be
    turn: int  #: another one whenever the tallies have changed


class Tallies(Protocol):
    """The tallies of one engine."""

    @property
    def calls(self) -> CallTallies:
        """Those of calls and replies."""

    def state(self) -> State:
        """How far statements are counted."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one moment."""

    def messages(self, after: int, to: int) -> Sequence[Message]:
        """The messages among the statements with seq > *after* and at most *to*."""

    def changes(self, after: int, to: int) -> Sequence[tuple[int, int, Message]]:
        """The noted changes up to *to*: number, 1 or -1, message. 0 for those after *after*: the slice has them.

        Of the others, only the first: there may be millions after many receipts were deleted.
        """

    def waiting(self) -> int:
        """How many changes are noted, at most."""

    def announce(self, to: int) -> None:
        """From now on, changes of statements up to *to* are noted."""

    def advance(self, before: State, to: int, sums: Sums, changes: Sequence[int], place: str) -> None:
        """Add sums to the tallies and delete these changes, in one transaction.

        Does nothing where the state is not as *before* any more: another process did it.
        """

    def clear(self, place: str) -> None:
        """Delete all tallies and changes."""


class Sums:
    """What is to be added to day_tally."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._places: dict[str, tuple[str, str]] = {}
        self.rows: dict[Key, list[int]] = {}

    def add(self, messages: Sequence[Message], sign: int = 1) -> None:
        """Add messages, or subtract them. Loops of the interpreter run over distinct values only."""
        if not messages:
            return
        days, kinds, hours, outcomes, codes, seconds, prefixes, parts = zip(*messages, strict=True)
        for prefix in set(prefixes) - self._places.keys():
            self._places[prefix] = self._place(prefix)
        carriers, provinces = zip(*map(self._places.__getitem__, prefixes), strict=True)
        one, none, less = repeat(""), repeat(""), repeat(-1)
        for view, columns in (
            (1, (days, kinds, hours, outcomes, codes, one, none, seconds)),
            (2, (days, one, hours, outcomes, none, carriers, one, less)),
            (3, (days, one, less, outcomes, none, carriers, one, seconds)),
            (4, (days, one, less, outcomes, none, one, provinces, seconds)),
        ):
            for (*key, told), count in Counter(zip(*columns, parts, strict=False)).items():
                row = self.rows.setdefault((view, *key), [0, 0, 0])
                row[0] += sign * count
                row[1] += sign * count * told
                row[2] += 0 if told else sign * count


def fold(
    tallies: Tallies, place: Place, *, anew: bool, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Folded:
    """Count what is not counted yet, and note changes. *anew*: count everything again.

    A Place without a version cannot decide what is kept: nothing is counted for it. The same holds where a Place of a
    greater version has decided, where the store cannot be written, and where another process holds it: answers are the
    same, and slower.
    """
    state = tallies.state()
    try:
        if place.version:
            if anew or (state.place != place.version and _takes_over(state, place)):
                tallies.clear(place.version)
            for done in _slices(tallies, place):
                on_progress(done, state.last_seq)
    except StoreUnavailable:
        if anew:
            raise
    return folded(tallies)


def folded(tallies: Tallies) -> Folded:
    """How far statements are counted now."""
    state = tallies.state()
    rest = state.last_seq - state.to_seq + tallies.waiting()
    return Folded(state.to_seq, state.to_seq >= state.last_seq, rest, state.place)


def _takes_over(state: State, place: Place) -> bool:
    """Whether what another Place has decided is counted again by this one.

    Two programs with different Places would count everything in turns if both did. So the greater version does; the
    other one does only when so much is not counted that the first program is not used any more.
    """
    return not state.to_seq or place.version > state.place or state.last_seq - state.to_seq > REST


def _slices(tallies: Tallies, place: Place) -> Iterator[int]:
    """Count slice after slice; yield up to which seq. Ends where another Place decides."""
    while (before := tallies.state()).place == place.version:
        to = min(before.to_seq + SLICE, before.last_seq)
        if to > before.to_seq:
            tallies.announce(to)
        sums = Sums(place)
        with tallies.snapshot():
            changes = tallies.changes(before.to_seq, to)
            if to <= before.to_seq and not changes:
                return
            sums.add(tallies.messages(before.to_seq, to))
            for sign in (1, -1):
                sums.add([message for _, known, message in changes if known == sign], sign)
        tallies.advance(before, to, sums, [number for number, *_ in changes], place.version)
        yield to
