"""How far files are replayed: a checkpoint for each, written in the transaction that stores what was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from smsreceipt.model import Decoded, Reached
from smsreceipt.store.sqlite.rows import rows


def note(db: apsw.Connection, decoded: Sequence[Decoded]) -> None:
    """Note how far each file is read; delete the notes of files that are read to their end."""
    latest = {reached.file: reached for item in decoded if (reached := item.delivery.reached) is not None}
    write(db, latest.values())


def write(db: apsw.Connection, notes: Iterable[Reached]) -> None:
    """Write the checkpoints; delete those of files that are read to their end."""
    for reached in notes:
        if reached.done:
            db.execute("DELETE FROM replay WHERE file = ?", (reached.file,))
        else:
            db.execute("INSERT OR REPLACE INTO replay VALUES (?, ?, ?)", (reached.file, reached.offset, reached.mark))


def unfinished(db: apsw.Connection) -> dict[str, Reached]:
    """The files that were not read to their end, and how far each was read."""
    return {
        file: Reached(file, offset, mark, done=False)
        for file, offset, mark in rows(db, "SELECT file, reached, mark FROM replay")
    }
