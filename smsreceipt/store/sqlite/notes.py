"""Small state of commands, by topic and name."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from smsreceipt.store.forgotten import TOPIC, TURN, Forgotten
from smsreceipt.store.sqlite.rows import rows


def read(db: apsw.Connection, topic: str) -> dict[str, str]:
    """The notes of a topic, by name."""
    return dict(rows(db, "SELECT name, text FROM note WHERE topic = ? ORDER BY name", (topic,)))


def write(
    db: apsw.Connection, topic: str, changes: Mapping[str, str | None], expected: Mapping[str, str | None]
) -> bool:
    """Write and delete notes inside the caller's transaction; False if one is not as *expected*."""
    if expected:
        there = read(db, topic)
        if any(there.get(name) != text for name, text in expected.items()):
            return False
    for name, text in changes.items():
        if text is None:
            db.execute("DELETE FROM note WHERE topic = ? AND name = ?", (topic, name))
        else:
            db.execute("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", (topic, name, text))
    return True


def topics(db: apsw.Connection) -> list[str]:
    """The topics that have notes."""
    return [topic for (topic,) in rows(db, "SELECT DISTINCT topic FROM note ORDER BY topic")]


def renew(db: apsw.Connection, forgotten: Forgotten) -> Forgotten:
    """Forgotten numbers as they are now; inside the caller's transaction."""
    turn = next((text for (text,) in rows(db, "SELECT text FROM note WHERE topic = ? AND name = ?", TURN)), "")
    if turn != forgotten.turn:
        forgotten.read(turn, read(db, TOPIC))
    return forgotten
