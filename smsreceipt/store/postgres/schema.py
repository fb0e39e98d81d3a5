"""The schema's versions: making it, and proving that it is one that this program knows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import psycopg

from smsreceipt.errors import StoreDamaged, StoreUnavailable
from smsreceipt.language import _

SCHEMA = 1
_LOCK = "SELECT pg_advisory_xact_lock(1936552562, 2)"
_ALONE = "SELECT pg_advisory_xact_lock(1936552562, 1)"  # see begin_write(): no writing transaction spans a step


def sql(name: str) -> str:
    """A file of the folder sql."""
    return resources.files(__package__).joinpath("sql", name).read_text("utf-8")


def version_of(db: psycopg.Connection[Any], location: str) -> int:
    """The version of the schema in the database; 0 where there is none. Raises StoreDamaged for a foreign one."""
    tables = _tables(db) or set()
    if "meta" not in tables:
        if "statement" in tables:
            raise StoreDamaged(_("the store {store} has tables, but no schema version", store=location))
        return 0
    found = db.execute("SELECT version FROM smsreceipt.meta").fetchall()
    if len(found) != 1 or found[0][0] < 1:
        raise StoreDamaged(_("the store {store} has tables, but no schema version", store=location))
    return int(found[0][0])


def _tables(db: psycopg.Connection[Any]) -> set[str] | None:
    """The tables in our schema; None where there is no schema.

    Read from the catalog: to_regclass() may answer from a cache that another process has made stale.
    """
    found = db.execute(
        "SELECT relname FROM pg_catalog.pg_namespace LEFT JOIN pg_catalog.pg_class ON relnamespace = pg_namespace.oid"
        " WHERE nspname = 'smsreceipt'"
    ).fetchall()
    return {name for (name,) in found} if found else None


def require_known(version: int, location: str) -> None:
    """Raise for a schema that is newer or older than this program's."""
    if version > SCHEMA:
        raise StoreDamaged(
            _(
                "the store {store} has schema {version}, this program knows {known}",
                store=location,
                version=version,
                known=SCHEMA,
            ),
            hint=_("It was not touched. Use the newer smsreceipt that wrote it."),
        )
    if version < SCHEMA:
        raise StoreUnavailable(
            _("the store {store} has the older schema {version}", store=location, version=version),
            hint=_("Once no older smsreceipt uses it any more: smsreceipt store upgrade."),
        )


def set_up(db: psycopg.Connection[Any], location: str) -> None:
    """Make the schema in an empty database, in one transaction; other processes that do the same wait."""
    with db.transaction():
        db.execute(_LOCK)
        if version_of(db, location):
            return
        if _tables(db) is None:
            db.execute("CREATE SCHEMA smsreceipt")
        db.execute(sql("0001.sql"))
        db.execute("CREATE TABLE smsreceipt.meta (version integer NOT NULL)")
        db.execute("INSERT INTO smsreceipt.meta VALUES (%s)", (SCHEMA,))


def upgrade(
    db: psycopg.Connection[Any],
    location: str,
    *,
    to: int = SCHEMA,
    step: Callable[[int], str] = lambda number: sql(f"{number:04}.sql"),
) -> int:
    """Bring the schema up to date, or make it; return its version before. Raises StoreDamaged for a newer one.

    *step* gives the SQL that brings on the schema to a version. Each step and its number are in one transaction: a
    crash leaves all of it or none. Other processes that do the same wait.
    """
    before = version_of(db, location)
    if not before:
        set_up(db, location)
    version = version_of(db, location)
    while version < to:
        with db.transaction():
            db.execute(_LOCK)
            version = version_of(db, location)
            if version < to:
                db.execute(_ALONE)
                version += 1
                db.execute(step(version))
                db.execute("UPDATE smsreceipt.meta SET version = %s", (version,))
    require_known(version, location)
    return before
