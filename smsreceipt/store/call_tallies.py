"""Calls, recordings and replies of each Beijing day counted in advance, by what their bodies tell.

The statements up to a seq are counted, in the table `call_tally`: a row for each kind and day. No column has what a
body tells, so a change of an older statement is not added and subtracted as it is for messages (see tallies.py): the
transaction that makes it notes the kind and the day in the table `call_change` and deletes what is counted of that day,
so that nothing stays of a reply that is forgotten. The day is counted again the next time; until then its bodies are
read, as are those of the statements after that seq.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import msgspec

from smsreceipt.errors import StoreUnavailable
from smsreceipt.store.counts import By, Readers

CALL, RECORDING, REPLY = "SecretReport", "SecretRecording", "SmsUp"
SLICE = 200_000  #: seqs that are looked through at one moment
_FEW = 4  #: days that are counted again at one moment

#: What outcome, code and body of a statement tell: the values of values_of(), in this order.
COLUMNS = (By.OUTCOME, By.CODE, By.POOL, By.SIDE, By.CALL_TYPE, By.SECONDS, By.RING, By.WORD, By.SIGN)
#: What each kind is counted by. Talk and ringing together would be nearly a row for each call.
VIEWS: dict[str, tuple[tuple[By, ...], ...]] = {
    CALL: ((By.OUTCOME, By.CODE, By.SIDE, By.CALL_TYPE, By.SECONDS), (By.CODE, By.CALL_TYPE, By.RING)),
    RECORDING: ((),),
    REPLY: ((By.WORD, By.SIGN),),
}

KINDS = tuple(VIEWS)

#: Kind, day, outcome, code and body of a statement.
Body = tuple[str, int, str, str, bytes]
Day = tuple[str, int]  #: a kind and a day


class State(NamedTuple):
    """How far statements are counted."""

    to_seq: int  #: those up to this seq are
    version: str  #: of the Readers that read their bodies
    last_seq: int  #: those up to this seq could be
    turn: int  #: another one whenever the tallies have changed


class Change(NamedTuple):
    """A kind and day in which statements have changed that are counted."""

    marks: tuple[int, ...]  #: the notes of it that are seen: others may have been added since
    kind: str
    day: int


class CallTallies(Protocol):
    """The tallies of one engine."""

    def state(self) -> State:
        """How far statements are counted."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one moment."""

    def bodies(self, after: int, to: int) -> Iterable[Body]:
        """The states of these kinds, test pushes left out, with seq > *after* and at most *to*."""

    def bodies_of_day(self, kind: str, day: int, to: int) -> Iterable[Body]:
        """Those of a kind and day with seq at most *to*."""

    def changes(self, limit: int) -> Sequence[Change]:
        """What has changed, at most so many."""

    def known(self, kind: str, day: int) -> str:
        """The counts of a day, "" where there are none."""

    def advance(self, before: State, to: int, counts: Mapping[Day, str], changes: Sequence[Change]) -> None:
        """Delete what was seen of these changes, and write counts, "" for none, in one transaction.

        Writes none of a day that has changed since. Does nothing where the state is not as *before* any more: another
        process did it.
        """

    def clear(self, version: str) -> None:
        """Delete all counts and changes."""


class InAdvance(NamedTuple):
    """What is counted of one kind on some days."""

    state: State
    counts: Sequence[tuple[int, str]]  #: the days that are as they were counted, and their counts
    changed: Collection[int]  #: days whose bodies must be read


def values_of(readers: Readers, kind: str, outcome: str, code: str, body: bytes) -> tuple[Any, ...]:
    """The values of COLUMNS; -1 for seconds that are not known."""
    if kind == REPLY:
        reply = readers.reply(body)
        return (outcome, code, "", "", "", -1, -1, reply.word, reply.sign)
    call = readers.call(body)
    talk, ring = call.talk_seconds, call.ring_seconds
    return (
        outcome, code, call.pool, call.side, call.call_type, -1 if talk is None else talk, -1 if ring is None else ring,
        "", "",
    )  # fmt: skip


def _picker(view: tuple[By, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    at = [COLUMNS.index(by) for by in view]
    if len(at) > 1:
        return itemgetter(*at)
    return lambda values: tuple(values[each] for each in at)


_PICKERS = {kind: tuple(map(_picker, views)) for kind, views in VIEWS.items()}


class Counts:
    """The counts of one kind on one day, a Counter for each view."""

    def __init__(self, kind: str, text: str = "") -> None:
        self._pickers = _PICKERS.get(kind, ())  # of a kind that is not counted, only a damaged row
        self.views: list[Counter[tuple[Any, ...]]] = [Counter() for _ in self._pickers]
        for view, rows in zip(self.views, msgspec.json.decode(text) if text else (), strict=False):
            view.update({tuple(values): count for *values, count in rows})

    def add(self, values: tuple[Any, ...]) -> None:
        """Add one statement by its values of COLUMNS."""
        for view, pick in zip(self.views, self._pickers, strict=True):
            view[pick(values)] += 1

    def text(self) -> str:
        """Them as JSON, always in the same order; "" where nothing is counted."""
        if not any(self.views):
            return ""
        return msgspec.json.encode(
            [[(*values, view[values]) for values in sorted(view)] for view in self.views]
        ).decode()


def rows_of(text: str, view: int) -> Iterator[tuple[Any, ...]]:
    """The values and the count of each row of one view of what text() made."""
    for rows in msgspec.json.decode(text)[view : view + 1]:
        yield from map(tuple, rows)


def counted(readers: Readers, kind: str, bodies: Iterable[Body]) -> str:
    """The counts of the bodies of one kind and day."""
    counts = Counts(kind)
    for _, _, outcome, code, body in bodies:
        counts.add(values_of(readers, kind, outcome, code, body))
    return counts.text()


def view_of(kind: str, wanted: Iterable[By]) -> int | None:
    """The place of the view that has all these columns; None where none has."""
    columns = set(wanted) - {By.DAY}
    return next((place for place, view in enumerate(VIEWS[kind]) if columns <= set(view)), None)


def fold(
    tallies: CallTallies,
    readers: Readers,
    *,
    anew: bool,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Count what is not counted yet, and the days that have changed. *anew*: count everything again.

    Readers of a lower version than those that have counted count nothing; nor is anything counted where the store
    cannot be written, or another process holds it: answers are the same, and slower.
    """
    try:
        if anew or readers.version > tallies.state().version:
            tallies.clear(readers.version)
        for done, total in _slices(tallies, readers):
            on_progress(done, total)
    except StoreUnavailable:
        if anew:
            raise


def _slices(tallies: CallTallies, readers: Readers) -> Iterator[tuple[int, int]]:
    """Count slice after slice; yield up to which seq, and up to which it goes, where a slice had anything."""
    while (before := tallies.state()).version == readers.version:
        to = min(before.to_seq + SLICE, before.last_seq)
        with tallies.snapshot():
            changes = tallies.changes(_FEW)
            if to <= before.to_seq and not changes:
                return
            again = {(each.kind, each.day) for each in changes}
            found: dict[Day, Counts] = {}
            for kind, day, outcome, code, body in tallies.bodies(before.to_seq, to):
                if (kind, day) not in again:
                    if (kind, day) not in found:
                        found[kind, day] = Counts(kind, tallies.known(kind, day))
                    found[kind, day].add(values_of(readers, kind, outcome, code, body))
            texts = {day: counts.text() for day, counts in found.items()}
            texts |= {day: counted(readers, day[0], tallies.bodies_of_day(*day, to)) for day in again}
        tallies.advance(before, to, texts, changes)
        if texts:
            yield to, before.last_seq
