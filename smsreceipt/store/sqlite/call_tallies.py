"""The tallies of calls and replies in SQLite; what they are is in store/call_tallies.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import apsw

from smsreceipt.store.call_tallies import KINDS, Body, Change, Day, InAdvance, State
from smsreceipt.store.sqlite.rows import rows

STEP = 9  #: the step of the schema that adds the tables and the triggers
_KINDS = f"(SELECT id FROM kind WHERE name IN {KINDS})"
_COUNTED = ("current", "test", "day", "outcome", "code", "digest")
_DIFFERS = " OR ".join(f"new.{name} <> old.{name}" for name in _COUNTED)


def _note(row: str) -> str:
    return (
        f"INSERT INTO call_change SELECT name, {row}.day, 1 FROM kind WHERE id = {row}.kind"
        " ON CONFLICT DO UPDATE SET mark = mark + 1;"
        f" DELETE FROM call_tally WHERE kind = (SELECT name FROM kind WHERE id = {row}.kind) AND day = {row}.day;"
    )


_CHANGED = (
    f"CREATE TRIGGER call_changed AFTER UPDATE OF {', '.join(_COUNTED)} ON statement"
    f" WHEN old.kind IN {_KINDS} AND (old.current OR new.current) AND ({_DIFFERS})"
    f" BEGIN {_note('old')} {_note('new')} END"
)
_DELETED = (
    f"CREATE TRIGGER call_deleted AFTER DELETE ON statement WHEN old.kind IN {_KINDS} AND old.current"
    f" BEGIN {_note('old')} END"
)
TRIGGERS = (("call_changed", _CHANGED), ("call_deleted", _DELETED))

#: The days of statements by a seek for each, and in them those of the kinds: other statements are not read.
_BODIES = (
    "WITH RECURSIVE days (day) AS (SELECT min(day) FROM statement UNION ALL"
    " SELECT (SELECT min(day) FROM statement WHERE day > days.day) FROM days WHERE day IS NOT NULL)"
    " SELECT kind.name, days.day, outcome, code, body FROM days CROSS JOIN kind CROSS JOIN statement INDEXED BY"
    " statement_day ON statement.day = days.day AND statement.kind = kind.id AND seq > ? AND seq <= ?"
    f" WHERE kind.name IN {KINDS} AND current AND NOT test"
)
_OF_DAY = (
    "SELECT kind.name, day, outcome, code, body FROM kind CROSS JOIN statement INDEXED BY statement_day"
    " ON statement.day = ? AND statement.kind = kind.id AND seq <= ? WHERE kind.name = ? AND current AND NOT test"
)


def state(db: apsw.Connection) -> State:
    """How far statements are counted."""
    ((to_seq, version, turn, last_seq),) = rows(
        db, "SELECT to_seq, version, turn, last_seq FROM call_state CROSS JOIN counter"
    )
    return State(to_seq, version, last_seq, turn)


def in_advance(db: apsw.Connection, kind: str, first_day: int, last_day: int) -> InAdvance:
    """What is counted of a kind on some days."""
    days = (kind, first_day, last_day)
    changed = {day for (day,) in rows(db, "SELECT day FROM call_change WHERE kind = ? AND day BETWEEN ? AND ?", days)}
    found = rows(db, "SELECT day, counts FROM call_tally WHERE kind = ? AND day BETWEEN ? AND ?", days)
    return InAdvance(state(db), [(day, counts) for day, counts in found if day not in changed], changed)


def bodies_of_day(db: apsw.Connection, kind: str, day: int, to: int) -> Iterable[Body]:
    """The states of a kind and day with seq at most *to*."""
    found: Iterable[Any] = rows(db, _OF_DAY, (day, to, kind))
    return found


def counted_days(db: apsw.Connection) -> list[Day]:
    """The kinds and days that have counts, or statements that do."""
    found: Iterable[Any] = rows(
        db,
        "SELECT kind, day FROM call_tally UNION SELECT DISTINCT name, day FROM kind CROSS JOIN statement"
        f" ON statement.kind = kind.id WHERE name IN {KINDS} AND seq <= (SELECT to_seq FROM call_state)",
    )
    return list(found)


def counted_again(db: apsw.Connection, kind: str, day: int) -> None:
    """Have a day counted again."""
    db.execute("INSERT INTO call_change VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET mark = mark + 1", (kind, day))


class CallTallies:
    """Reads and writes the tallies through one connection."""

    def __init__(
        self,
        db: apsw.Connection,
        snapshot: Callable[[], AbstractContextManager[None]],
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._db = db
        self.snapshot = snapshot
        self._transaction = transaction

    def state(self) -> State:
        """How far statements are counted."""
        return state(self._db)

    def bodies(self, after: int, to: int) -> Iterable[Body]:
        """The states of these kinds, test pushes left out, with seq > *after* and at most *to*."""
        found: Iterable[Any] = rows(self._db, _BODIES, (after, to))
        return found

    def bodies_of_day(self, kind: str, day: int, to: int) -> Iterable[Body]:
        """Those of a kind and day with seq at most *to*."""
        return bodies_of_day(self._db, kind, day, to)

    def changes(self, limit: int) -> list[Change]:
        """What has changed, at most so many."""
        found = rows(self._db, "SELECT mark, kind, day FROM call_change LIMIT ?", (limit,))
        return [Change((mark,), kind, day) for mark, kind, day in found]

    def known(self, kind: str, day: int) -> str:
        """The counts of a day, "" where there are none."""
        found = rows(self._db, "SELECT counts FROM call_tally WHERE kind = ? AND day = ?", (kind, day))
        return next((counts for (counts,) in found), "")

    def advance(self, before: State, to: int, counts: Mapping[Day, str], changes: Sequence[Change]) -> None:
        """Write counts, "" for none, and delete what was seen of these changes, in one transaction."""
        with self._transaction():
            now = self.state()
            if (now.turn, now.to_seq) != (before.turn, before.to_seq):
                return
            self._db.executemany(
                "DELETE FROM call_change WHERE kind = ? AND day = ? AND mark = ?",
                [(each.kind, each.day, *each.marks) for each in changes],
            )
            self._db.executemany("DELETE FROM call_tally WHERE kind = ? AND day = ?", list(counts))
            self._db.executemany(
                "INSERT INTO call_tally SELECT ?1, ?2, ?3"
                " WHERE NOT EXISTS (SELECT 1 FROM call_change WHERE kind = ?1 AND day = ?2)",
                [(*day, text) for day, text in counts.items() if text],
            )
            self._db.execute("UPDATE call_state SET to_seq = ?, turn = turn + 1", (to,))

    def clear(self, version: str) -> None:
        """Delete all counts and changes."""
        with self._transaction():
            self._db.execute("DELETE FROM call_tally")
            self._db.execute("DELETE FROM call_change")
            self._db.execute("UPDATE call_state SET to_seq = 0, version = ?, turn = turn + 1", (version,))
