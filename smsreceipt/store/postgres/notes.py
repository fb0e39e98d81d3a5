"""Small state of commands, by topic and name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from smsreceipt.store.forgotten import TOPIC, Forgotten
from smsreceipt.store.postgres.session import Db, Reader

T = TypeVar("T")

_READ = "SELECT name, text FROM smsreceipt.note WHERE topic = %s ORDER BY name"
NAMED = "SELECT name FROM smsreceipt.note WHERE topic = %s AND name = ANY(%s)"  #: which of some names have a note
_WRITE = "INSERT INTO smsreceipt.note VALUES (%s, %s, %s) ON CONFLICT (topic, name) DO UPDATE SET text = excluded.text"
_LOCK = "SELECT pg_advisory_xact_lock(1936552562, hashtext('note ' || %s))"


def read(reader: Reader, topic: str) -> dict[str, str]:
    """The notes of a topic, by name."""
    return dict(reader.rows(_READ, (topic,)))


def write(db: Db, topic: str, changes: Mapping[str, str | None], expected: Mapping[str, str | None]) -> bool:
    """Write and delete notes inside the caller's transaction; False if one is not as *expected*.

    Other writers of the topic wait: an expected note that is not there has no row that could be locked.
    """
    db.execute(_LOCK, (topic,))
    if expected:
        there = dict(db.execute(_READ, (topic,)))
        if any(there.get(name) != text for name, text in expected.items()):
            return False
    for name, text in changes.items():
        if text is None:
            db.execute("DELETE FROM smsreceipt.note WHERE topic = %s AND name = %s", (topic, name))
        else:
            db.execute(_WRITE, (topic, name, text))
    return True


def topics(reader: Reader) -> list[str]:
    """The topics that have notes."""
    return [topic for (topic,) in reader.rows("SELECT DISTINCT topic FROM smsreceipt.note ORDER BY topic")]


class TurnedError(Exception):
    """Numbers were forgotten since the tombstones were read; the transaction is undone."""

    def __init__(self, turn: str) -> None:
        super().__init__(turn)
        self.turn = turn


def require_turn(turn: str, known: str) -> None:
    """Raise TurnedError unless the tombstones that are known are those of this turn."""
    if turn != known:
        raise TurnedError(turn)


def unturned(reader: Reader, forgotten: Forgotten, work: Callable[[], T]) -> T:
    """What *work* returns; it is done again with the tombstones of now where numbers were forgotten meanwhile."""
    while True:
        try:
            return work()
        except TurnedError as turned:
            forgotten.read(turned.turn, read(reader, TOPIC))
