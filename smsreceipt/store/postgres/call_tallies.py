"""The tallies of calls and replies in PostgreSQL; what they are is in store/call_tallies.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from smsreceipt.store.call_tallies import KINDS, Body, Change, Day, InAdvance, State
from smsreceipt.store.postgres.arrays import int4s, int8s, texts
from smsreceipt.store.postgres.session import Db, Reader
from smsreceipt.store.postgres.writer import Begun

_BODIES = (
    "SELECT kind.name, day, outcome, code, body FROM smsreceipt.statement JOIN smsreceipt.kind"
    " ON kind.id = statement.kind"
    " WHERE statement.kind = ANY(%s) AND seq > %s AND seq <= %s AND current AND NOT test"
)
_OF_DAY = (
    "SELECT kind.name, day, outcome, code, body FROM smsreceipt.statement JOIN smsreceipt.kind"
    " ON kind.id = statement.kind WHERE day = %s AND statement.kind = ANY(%s) AND seq <= %s AND current AND NOT test"
)
#: Nothing is read where nobody has counted yet: who counts first sets the version while no other writer is at work.
_NOTE = (
    "INSERT INTO smsreceipt.call_change (kind, day) SELECT DISTINCT name, day FROM smsreceipt.statement"
    " JOIN smsreceipt.kind ON kind.id = statement.kind"
    f" WHERE seq = ANY(%s) AND name IN {KINDS} AND current AND NOT test"
    " AND (SELECT version FROM smsreceipt.call_state) <> ''"
    " RETURNING kind, day"
)
_WRITE = (
    "INSERT INTO smsreceipt.call_tally SELECT %s, %s, %s"
    " WHERE NOT EXISTS (SELECT FROM smsreceipt.call_change WHERE kind = %s AND day = %s)"
)
_DELETE = "DELETE FROM smsreceipt.call_tally WHERE kind = %s AND day = %s"


class Write(Protocol):
    """Runs a writing transaction."""

    def __call__(self, work: Callable[[Db, Begun], None], /, *, alone: bool = False) -> None:
        """*alone*: no other writer may be at work."""


def note_changed(db: Db, seqs: Sequence[int]) -> None:
    """Note the kinds and days of statements, before they change and afterwards, and delete what was counted of them."""
    for day in sorted(db.execute(_NOTE, (int8s(seqs),)).fetchall()):
        db.execute(_DELETE, day)


def counted_again(db: Db, kind: str, day: int) -> None:
    """Have a day counted again."""
    db.execute("INSERT INTO smsreceipt.call_change (kind, day) VALUES (%s, %s)", (kind, day))


def state(reader: Reader) -> State:
    """How far statements are counted."""
    for to_seq, version, turn in reader.rows("SELECT to_seq, version, turn FROM smsreceipt.call_state"):
        return State(to_seq, version, max(to_seq, reader.horizon()), turn)
    return State(0, "", 0, 0)


def in_advance(reader: Reader, kind: str, first_day: int, last_day: int) -> InAdvance:
    """What is counted of a kind on some days."""
    of_days, days = "WHERE kind = %s AND day BETWEEN %s AND %s", (kind, first_day, last_day)
    changed = {day for (day,) in reader.rows(f"SELECT DISTINCT day FROM smsreceipt.call_change {of_days}", days)}
    found = reader.rows(f"SELECT day, counts FROM smsreceipt.call_tally {of_days}", days)
    return InAdvance(state(reader), [(day, counts) for day, counts in found if day not in changed], changed)


def bodies_of_day(reader: Reader, kind: str, day: int, to: int) -> Iterable[Body]:
    """The states of a kind and day with seq at most *to*."""
    found: Iterable[Any] = reader.stream(_OF_DAY, (day, _kinds(reader, [kind]), to))
    return found


def counted_days(reader: Reader) -> list[Day]:
    """The kinds and days that have counts, or statements that do."""
    found: Any = reader.rows(
        "SELECT kind, day FROM smsreceipt.call_tally UNION SELECT name, day FROM smsreceipt.statement"
        " JOIN smsreceipt.kind ON kind.id = statement.kind"
        " WHERE statement.kind = ANY(%s) AND seq <= (SELECT to_seq FROM smsreceipt.call_state)",
        (_kinds(reader, KINDS),),
    )
    return list(found)


def _kinds(reader: Reader, names: Iterable[str]) -> Any:
    """The numbers of the kinds that were received."""
    found = reader.rows("SELECT id FROM smsreceipt.kind WHERE name = ANY(%s)", (texts(list(names)),))
    return int4s([number for (number,) in found])


class CallTallies:
    """Reads and writes the tallies."""

    def __init__(self, reader: Reader, snapshot: Callable[[], AbstractContextManager[None]], write: Write) -> None:
        self._reader = reader
        self.snapshot = snapshot
        self._write = write

    def state(self) -> State:
        """How far statements are counted."""
        return state(self._reader)

    def bodies(self, after: int, to: int) -> Iterable[Body]:
        """The states of these kinds, test pushes left out, with seq > *after* and at most *to*."""
        found: Iterable[Any] = self._reader.stream(_BODIES, (_kinds(self._reader, KINDS), after, to))
        return found

    def bodies_of_day(self, kind: str, day: int, to: int) -> Iterable[Body]:
        """Those of a kind and day with seq at most *to*."""
        return bodies_of_day(self._reader, kind, day, to)

    def changes(self, limit: int) -> list[Change]:
        """What has changed, at most so many."""
        found = self._reader.rows(
            "SELECT array_agg(id), kind, day FROM smsreceipt.call_change GROUP BY kind, day LIMIT %s", (limit,)
        )
        return [Change(tuple(marks), kind, day) for marks, kind, day in found]

    def known(self, kind: str, day: int) -> str:
        """The counts of a day, "" where there are none."""
        found = self._reader.rows("SELECT counts FROM smsreceipt.call_tally WHERE kind = %s AND day = %s", (kind, day))
        return next((counts for (counts,) in found), "")

    def advance(self, before: State, to: int, counts: Mapping[Day, str], changes: Sequence[Change]) -> None:
        """Write counts, "" for none, and delete what was seen of these changes, in one transaction."""

        def work(db: Db, _: Begun) -> None:
            now = db.execute("SELECT turn, to_seq FROM smsreceipt.call_state FOR UPDATE").fetchone()
            if now != (before.turn, before.to_seq):
                return
            marks = [mark for each in changes for mark in each.marks]
            db.execute("DELETE FROM smsreceipt.call_change WHERE id = ANY(%s)", (int8s(marks),))
            for day, text in sorted(counts.items()):  # in the order of note_changed(), against deadlocks
                db.execute(_DELETE, day)
                if text:
                    db.execute(_WRITE, (*day, text, *day))
            db.execute("UPDATE smsreceipt.call_state SET to_seq = %s, turn = turn + 1", (to,))

        self._write(work)

    def clear(self, version: str) -> None:
        """Delete all counts and changes."""

        def work(db: Db, _: Begun) -> None:
            db.execute("DELETE FROM smsreceipt.call_tally")
            db.execute("DELETE FROM smsreceipt.call_change")
            db.execute("UPDATE smsreceipt.call_state SET to_seq = 0, version = %s, turn = turn + 1", (version,))

        self._write(work, alone=True)
