"""The schema of the database, brought up to date one step at a time."""

from __future__ import annotations

from importlib import resources

import apsw

from smsreceipt.store.sqlite import call_tallies, tally_changes
from smsreceipt.store.sqlite.columns import COLUMNS, Column

APPLICATION_ID = 0x534D5352  #: "SMSR"; a database with another one belongs to another program
_FILES = frozenset({1, 2, 3, 4, 5, 7, 8, 9, 10})  # the steps that have a file in sql/
#: The tables that a store has.
TABLES = frozenset({
    *("kind", "road", "statement", "body", "phone", "reject", "send"),
    *("run", "counter", "comparison", "replay", "tie", "backfill", "note", "day_tally", "tally_change"),
    *("call_tally", "call_change", "call_state"),
})  # fmt: skip
BACKFILLED = max(column.since for column in COLUMNS)  #: the newest step that added columns
SCHEMA = max(*_FILES, BACKFILLED)


def sql(name: str) -> str:
    """The text of one file in sql/."""
    return resources.files("smsreceipt.store.sqlite").joinpath("sql", name).read_text("utf-8")


def pragma(connection: apsw.Connection, name: str) -> int:
    """The value of a pragma that is a number."""
    value = connection.pragma(name)
    return value if isinstance(value, int) else 0


def is_blank(connection: apsw.Connection) -> bool:
    """Whether nothing was ever written: a new file, or one whose first migration was cut off."""
    return pragma(connection, "user_version") == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchall()


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema up to date. A new one is made in one transaction, an old one is brought on by one for each step.

    Each step and its number are in the same transaction: a crash leaves all of it or none.
    """
    version = pragma(connection, "user_version")
    while version < SCHEMA:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = pragma(connection, "user_version")
            target = SCHEMA if version == 0 else version + 1
            for step in range(version + 1, min(target, SCHEMA) + 1):
                _take(connection, step)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite has rolled back already when the disk was full
                connection.execute("ROLLBACK")
            raise
        version = target


def _take(connection: apsw.Connection, step: int) -> None:
    """Take one step, inside the caller's transaction."""
    if step in _FILES:
        connection.execute(sql(f"{step:04}.sql"))
    for known in (tally_changes, call_tallies):
        if step == known.STEP:
            for _, trigger in known.TRIGGERS:
                connection.execute(trigger)
    if added := [column for column in COLUMNS if column.since == step > 1]:
        _add_columns(connection, step, added)
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", step)


def triggers() -> list[tuple[str, str]]:
    """The names and texts of the triggers that a store has, as SQLite keeps them."""
    unread = [(f"unread_{column.name}", _trigger(column)) for column in COLUMNS if column.since > 1]
    return [*unread, *tally_changes.TRIGGERS, *call_tallies.TRIGGERS]


def _trigger(column: Column) -> str:
    return (
        f"CREATE TRIGGER unread_{column.name} AFTER UPDATE OF digest ON statement"
        f" WHEN new.{column.name} = old.{column.name}"
        f" BEGIN UPDATE statement SET {column.name} = {column.form.unread} WHERE seq = new.seq; END"
    )


def _add_columns(connection: apsw.Connection, step: int, added: list[Column]) -> None:
    """Add columns to `statement` with the marker in every row; backfill.py replaces it later.

    ALTER TABLE would check every row of a STRICT table: minutes for a large store.
    """
    columns = [f"{each.name} {each.form.type} NOT NULL DEFAULT {each.form.unread}" for each in added]
    end = ") STRICT"
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = rtrim(substr(sql, 1, length(sql) - length(?1)), char(10)) || ?2"
        " WHERE type = 'table' AND name = 'statement'",
        (end, "".join(f",\n    {column}" for column in columns) + f"\n{end}"),
    )
    connection.execute("PRAGMA writable_schema = RESET")
    for column in added:
        # A program of an older version leaves the column as it is when it lets a statement show another body.
        connection.execute(_trigger(column))
    connection.execute("INSERT INTO backfill VALUES (?, 0)", (step,))
