"""The tallies in PostgreSQL; what they are is in store/tallies.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from smsreceipt.errors import StoreUnavailable
from smsreceipt.language import _
from smsreceipt.store.counting import hour_sql, seconds_sql
from smsreceipt.store.postgres import call_tallies
from smsreceipt.store.postgres.arrays import Pack, int4s, int8s, texts
from smsreceipt.store.postgres.batch import columns
from smsreceipt.store.postgres.call_tallies import CallTallies, Write
from smsreceipt.store.postgres.session import Db, Reader
from smsreceipt.store.postgres.writer import Begun
from smsreceipt.store.tallies import KEY, SLICE, SUMS, Message, State, Sums

KINDS = "(SELECT id FROM smsreceipt.kind WHERE name IN ('SmsReport', 'DypnsSmsVerifyReport'))"  #: that are messages
PREFIX = "CASE WHEN length({0}.phone) = 11 AND {0}.phone ~ '^1[3-9]' THEN left({0}.phone, 7) ELSE '' END"

#: The values of a message; {} is its prefix.
MESSAGE = (
    f"day, kind.name, {hour_sql('sent_at')}, outcome, code, {seconds_sql('sent_at', exact=False)}, {{0}},"
    " greatest(billed_parts, 0)"
)
_TYPES = ("int4", "int4", "text", "int4", "text", "text", "text", "text", "int8", "int8", "int8", "int8")
_ADD = (
    f"INSERT INTO smsreceipt.day_tally AS known ({', '.join(KEY + SUMS)})"
    f" SELECT * FROM unnest({', '.join(f'%s::{name}[]' for name in _TYPES)})"
    " ON CONFLICT (view, day, kind, hour, outcome, md5(code), carrier, province, seconds) DO UPDATE"
    f" SET {', '.join(f'{name} = known.{name} + excluded.{name}' for name in SUMS)}"
)
_PACK: dict[str, Pack] = {"int4": int4s, "int8": int8s, "text": texts}
_NOTE = (
    "INSERT INTO smsreceipt.tally_change"
    " (seq, sign, kind, day, sent_at, reported_at, outcome, code, prefix, billed_parts)"
    " SELECT seq, %s, kind, day, sent_at, reported_at, outcome, code,"
    f" {PREFIX.format('statement')}, billed_parts FROM smsreceipt.statement"
    " WHERE seq = ANY(%s) AND seq <= (SELECT aim FROM smsreceipt.tally_state)"
    f" AND current AND NOT test AND kind IN {KINDS}"
)


def note(db: Db, sign: int, seqs: Sequence[int]) -> None:
    """Note statements that are counted already: before they change with sign -1, and afterwards with sign 1."""
    if seqs:
        db.execute(_NOTE, (sign, int8s(seqs)))
        call_tallies.note_changed(db, seqs)


def state(reader: Reader) -> State:
    """How far statements are counted."""
    for to_seq, place, turn in reader.rows("SELECT to_seq, place, turn FROM smsreceipt.tally_state"):
        return State(to_seq, place, max(to_seq, reader.horizon()), turn)
    return State(0, "", 0, 0)


def messages(reader: Reader, after: int, to: int) -> list[Message]:
    """The messages among the statements with seq > *after* and at most *to*."""
    found: Any = reader.stream(
        f"SELECT {MESSAGE.format(PREFIX.format('statement'))} FROM smsreceipt.statement"
        " JOIN smsreceipt.kind ON kind.id = statement.kind"
        f" WHERE seq > %s AND seq <= %s AND statement.kind IN {KINDS} AND current AND NOT test",
        (after, to),
    )
    return list(found)


def changes(reader: Reader, to: int) -> list[tuple[int, Message]]:
    """All noted changes up to *to*: 1 or -1, message."""
    found: Any = reader.stream(
        f"SELECT sign, {MESSAGE.format('prefix')} FROM smsreceipt.tally_change"
        " JOIN smsreceipt.kind ON kind.id = tally_change.kind WHERE seq <= %s",
        (to,),
    )
    return [(sign, tuple(message)) for sign, *message in found]


def add(db: Db, sums: Sums) -> None:
    """Add sums to the tallies."""
    if sums.rows:
        values = columns([(*key, *sums.rows[key]) for key in sorted(sums.rows)], len(_TYPES))
        db.execute(_ADD, [_PACK[name](column) for name, column in zip(_TYPES, values, strict=True)])


class Tallies:
    """Reads and writes the tallies."""

    def __init__(
        self, reader: Reader, snapshot: Callable[[], AbstractContextManager[None]], write: Write, *, readonly: bool
    ) -> None:
        self._reader = reader
        self.snapshot = snapshot
        self._write: Write = write
        if readonly:
            self._write = _refuse
        self.calls = CallTallies(reader, snapshot, self._write)

    def state(self) -> State:
        """How far statements are counted."""
        return state(self._reader)

    def messages(self, after: int, to: int) -> list[Message]:
        """The messages among the statements with seq > *after* and at most *to*."""
        return messages(self._reader, after, to)

    def changes(self, after: int, to: int) -> list[tuple[int, int, Message]]:
        """The noted changes up to *to*: number, 1 or -1, message. 0 for those after *after*: the slice has them.

        Of the others, only the first: there may be millions after many receipts were deleted.
        """
        found: Any = self._reader.stream(
            f"SELECT tally_change.id, CASE WHEN seq > %s THEN 0 ELSE sign END, {MESSAGE.format('prefix')}"
            " FROM smsreceipt.tally_change JOIN smsreceipt.kind ON kind.id = tally_change.kind WHERE seq <= %s"
            " AND (seq > %s OR tally_change.id <= (SELECT max(id) FROM (SELECT id FROM smsreceipt.tally_change"
            " ORDER BY id LIMIT %s) AS first))",
            (after, to, after, SLICE),
        )
        return [(each, sign, tuple(message)) for each, sign, *message in found]

    def waiting(self) -> int:
        """How many changes are noted, at most."""
        ids = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM smsreceipt.tally_change"
        ((count,),) = self._reader.rows(ids)
        return int(count)

    def announce(self, to: int) -> None:
        """From now on, changes of statements up to *to* are noted: writers that do not know yet have ended."""
        self._write(lambda db, _: _run(db, "UPDATE smsreceipt.tally_state SET aim = greatest(aim, %s)", to), alone=True)

    def advance(self, before: State, to: int, sums: Sums, changes: Sequence[int], place: str) -> None:
        """Add sums to the tallies and delete these changes, in one transaction."""

        def work(db: Db, _: Begun) -> None:
            now = db.execute("SELECT turn, to_seq FROM smsreceipt.tally_state FOR UPDATE").fetchone()
            if now != (before.turn, before.to_seq):
                return
            add(db, sums)
            if changes:
                db.execute("DELETE FROM smsreceipt.tally_change WHERE id = ANY(%s)", (int8s(changes),))
                _run(db, "DELETE FROM smsreceipt.day_tally WHERE messages = 0 AND parts = 0 AND untold = 0")
            _run(db, "UPDATE smsreceipt.tally_state SET to_seq = %s, place = %s, turn = turn + 1", to, place)

        self._write(work)

    def clear(self, place: str) -> None:
        """Delete all tallies and changes."""

        def work(db: Db, _: Begun) -> None:
            _run(db, "DELETE FROM smsreceipt.day_tally")
            _run(db, "DELETE FROM smsreceipt.tally_change")
            _run(db, "UPDATE smsreceipt.tally_state SET to_seq = 0, aim = 0, place = %s, turn = turn + 1", place)

        self._write(work, alone=True)


def _refuse(_work: Callable[[Db, Begun], None], *, alone: bool = False) -> None:  # noqa: ARG001 - a Write
    raise StoreUnavailable(_("the store was opened for reading only"))


def _run(db: Db, statement: str, *values: object) -> None:
    db.execute(statement, values or None)
