"""Rows of SQLite with the types that the schema gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw


def rows(db: apsw.Connection, statement: str, values: Sequence[str | int | bytes] = ()) -> Iterable[tuple[Any, ...]]:
    """The rows of a query. The tables are STRICT, so the schema guarantees the types of the columns."""
    return db.execute(statement, values)


def number(db: apsw.Connection, statement: str, *values: str | int | bytes) -> int:
    """The number in the first column of the first row; 0 where there is no row."""
    for (found,) in rows(db, statement, values):
        return int(found)
    return 0
