"""The tallies in SQLite; what they are is in store/tallies.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import apsw

from smsreceipt.store.counting import hour_sql, seconds_sql
from smsreceipt.store.sqlite.call_tallies import CallTallies
from smsreceipt.store.sqlite.migrations import BACKFILLED
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.tally_changes import KINDS, PREFIX
from smsreceipt.store.tallies import KEY, SLICE, SUMS, Message, State, Sums

#: The values of a message; {} is its prefix.
MESSAGE = (
    f"day, kind.name, {hour_sql('sent_at')}, outcome, code, {seconds_sql('sent_at', exact=False)}, {{0}},"
    " max(billed_parts, 0)"
)
#: Adds one row.
ADD = (
    f"INSERT INTO day_tally ({', '.join(KEY + SUMS)}) VALUES ({', '.join('?' * len(KEY + SUMS))})"
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in SUMS)}"
)


def state(db: apsw.Connection) -> State:
    """How far statements are counted. One whose body must be read again for its parts is not counted."""
    ((to_seq, place, last_seq, turn),) = rows(db, "SELECT tally_to, tally_place, last_seq, tally_turn FROM counter")
    read_to = number(db, "SELECT read_to FROM backfill WHERE schema = ?", BACKFILLED)
    return State(to_seq, place, max(to_seq, min(last_seq, read_to)), turn)


def messages(db: apsw.Connection, after: int, to: int) -> list[Message]:
    """The messages among the statements with seq > *after* and at most *to*."""
    found: Iterable[Any] = rows(
        db,
        f"SELECT {MESSAGE.format(PREFIX.format('statement'))} FROM statement NOT INDEXED"
        " CROSS JOIN kind ON kind.id = statement.kind"
        f" WHERE seq > ? AND seq <= ? AND statement.kind IN {KINDS} AND current AND NOT test",
        (after, to),
    )
    return list(found)


def changes(db: apsw.Connection, to: int) -> list[tuple[int, Message]]:
    """All noted changes up to *to*: 1 or -1, message."""
    found: Iterable[Any] = rows(
        db,
        f"SELECT sign, {MESSAGE.format('prefix')} FROM tally_change JOIN kind ON kind.id = tally_change.kind"
        " WHERE seq <= ?",
        (to,),
    )
    return [(sign, tuple(message)) for sign, *message in found]


class Tallies:
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
        self.calls = CallTallies(db, snapshot, transaction)

    def state(self) -> State:
        """How far statements are counted."""
        return state(self._db)

    def messages(self, after: int, to: int) -> list[Message]:
        """The messages among the statements with seq > *after* and at most *to*."""
        return messages(self._db, after, to)

    def changes(self, after: int, to: int) -> list[tuple[int, int, Message]]:
        """The noted changes up to *to*: number, 1 or -1, message. 0 for those after *after*: the slice has them.

        Of the others, only the first: there may be millions after many receipts were deleted.
        """
        found: Iterable[Any] = rows(
            self._db,
            f"SELECT tally_change.id, iif(seq > ?1, 0, sign), {MESSAGE.format('prefix')} FROM tally_change"
            " JOIN kind ON kind.id = tally_change.kind WHERE seq <= ?2 AND (seq > ?1 OR tally_change.id <="
            " (SELECT max(id) FROM (SELECT id FROM tally_change ORDER BY id LIMIT ?3)))",
            (after, to, SLICE),
        )
        return [(each, sign, tuple(message)) for each, sign, *message in found]

    def waiting(self) -> int:
        """How many changes are noted, at most."""
        first, last = "(SELECT min(id) FROM tally_change)", "(SELECT max(id) FROM tally_change)"
        return number(self._db, f"SELECT ifnull({last} - {first} + 1, 0)")

    def announce(self, to: int) -> None:
        """From now on, changes of statements up to *to* are noted."""
        with self._transaction():
            self._db.execute("UPDATE counter SET tally_aim = max(tally_aim, ?)", (to,))

    def advance(self, before: State, to: int, sums: Sums, changes: Sequence[int], place: str) -> None:
        """Add sums to the tallies and delete these changes, in one transaction."""
        with self._transaction():
            now = self.state()
            if (now.turn, now.to_seq) != (before.turn, before.to_seq):
                return
            self._db.executemany(ADD, [(*key, *values) for key, values in sums.rows.items()])
            if changes:
                self._db.executemany("DELETE FROM tally_change WHERE id = ?", [(each,) for each in changes])
                self._db.execute("DELETE FROM day_tally WHERE messages = 0 AND parts = 0 AND untold = 0")
            self._db.execute(
                "UPDATE counter SET tally_to = ?, tally_place = ?, tally_turn = tally_turn + 1", (to, place)
            )

    def clear(self, place: str) -> None:
        """Delete all tallies and changes."""
        with self._transaction():
            self._db.execute("DELETE FROM day_tally")
            self._db.execute("DELETE FROM tally_change")
            self._db.execute(
                "UPDATE counter SET tally_to = 0, tally_aim = 0, tally_place = ?, tally_turn = tally_turn + 1", (place,)
            )
