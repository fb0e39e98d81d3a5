"""Notes what changes in statements that are in the tallies; triggers do it wherever a statement is changed or deleted.

Only a statement that is inserted with a seq that it had before needs a call: a trigger would slow every insert.
"""

from __future__ import annotations

import apsw

STEP = 8  #: the step of the schema that adds the triggers
KINDS = "(SELECT id FROM kind WHERE name IN ('SmsReport', 'DypnsSmsVerifyReport'))"  #: that are messages
PREFIX = "iif(length({0}.phone) = 11 AND {0}.phone GLOB '1[3-9]*', substr({0}.phone, 1, 7), '')"

_COUNTED = ("current", "test", "day", "sent_at", "reported_at", "outcome", "code", "phone", "billed_parts")
_COLUMNS = "seq, sign, kind, day, sent_at, reported_at, outcome, code, prefix, billed_parts"
_NAMES = ("kind", "day", "sent_at", "reported_at", "outcome", "code")


def _values(row: str, sign: int) -> str:
    named = ", ".join(f"{row}.{name}" for name in _NAMES)
    return f"SELECT {row}.seq, {sign}, {named}, {PREFIX.format(row)}, {row}.billed_parts"


def _note(row: str, sign: int) -> str:
    return f"INSERT INTO tally_change ({_COLUMNS}) {_values(row, sign)} WHERE {row}.current AND NOT {row}.test;"


_CONCERNS = f"old.seq <= (SELECT tally_aim FROM counter) AND old.kind IN {KINDS}"
_DIFFERS = " OR ".join(f"new.{name} <> old.{name}" for name in _COUNTED)
_CHANGED = (
    f"CREATE TRIGGER tally_changed AFTER UPDATE OF {', '.join(_COUNTED)} ON statement"
    f" WHEN {_CONCERNS} AND (old.current OR new.current) AND ({_DIFFERS})"
    f" BEGIN {_note('old', -1)} {_note('new', 1)} END"
)
_DELETED = f"CREATE TRIGGER tally_deleted AFTER DELETE ON statement WHEN {_CONCERNS} BEGIN {_note('old', -1)} END"
TRIGGERS = (("tally_changed", _CHANGED), ("tally_deleted", _DELETED))


def note_again(db: apsw.Connection, seq: int) -> None:
    """Note that a statement was inserted, in case it has a seq that is counted already."""
    db.execute(
        f"INSERT INTO tally_change ({_COLUMNS}) {_values('statement', 1)} FROM statement WHERE seq = ?"
        f" AND seq <= (SELECT tally_aim FROM counter) AND kind IN {KINDS} AND current AND NOT test",
        (seq,),
    )
