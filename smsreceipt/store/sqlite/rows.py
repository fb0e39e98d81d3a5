"""Rows of SQLite with the types that the schema gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import apsw

_Member = TypeVar("_Member", bound=StrEnum)


def rows(db: apsw.Connection, statement: str, values: Sequence[str | int | bytes] = ()) -> Iterable[tuple[Any, ...]]:
    """The rows of a query. The tables are STRICT, so the schema guarantees the types of the columns."""
    return db.execute(statement, values)


def number(db: apsw.Connection, statement: str, *values: str | int | bytes) -> int:
    """The number in the first column of the first row; 0 where there is no row."""
    for (found,) in rows(db, statement, values):
        return int(found)
    return 0


class Members(dict[str, _Member]):
    """The members of an enumeration by their values, found in a tenth of the time that calling it takes."""

    def __init__(self, enumeration: type[_Member]) -> None:
        super().__init__((member.value, member) for member in enumeration)

    def __missing__(self, value: str) -> NoReturn:
        raise ValueError(f"{value!r} is not a valid value")
