"""Answers of SQLite with the types that the schema gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw


def rows(db: apsw.Connection, statement: str, values: Sequence[str | int | bytes] = ()) -> Iterable[tuple[Any, ...]]:
    """The rows of a query; what types its columns have is known from the schema (STRICT), not from here."""
    return db.execute(statement, values)


def number(db: apsw.Connection, statement: str, *values: str | int | bytes) -> int:
    """The one number that a query answers with; 0 where it has no row."""
    for (found,) in rows(db, statement, values):
        return int(found)
    return 0
