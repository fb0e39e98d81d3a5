"""The schema of the database, brought up to date one step at a time."""

from __future__ import annotations

from importlib import resources

import apsw

APPLICATION_ID = 0x534D5352  #: "SMSR"; a database with another one belongs to another program
SCHEMA = 4  #: the newest migration in sql/


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
    """Bring the schema up to date. Each step and its number are one transaction: a crash leaves all of it or none."""
    if pragma(connection, "user_version") == SCHEMA:
        return
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            step = pragma(connection, "user_version") + 1
            if step <= SCHEMA:
                connection.execute(sql(f"{step:04}.sql"))
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", step)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite has rolled back already when the disk was full
                connection.execute("ROLLBACK")
            raise
        if step >= SCHEMA:
            return
