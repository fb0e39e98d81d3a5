"""What the program shows, as lists of columns: JSON, CSV and tables read the same ones.

An object that users see (a receipt, a reject, a send, …) is a :class:`Shown`: its columns, and how it is masked. A
column says under which key JSON and CSV show it, and, where a table shows it too, its head in both languages, its cell,
and how much room it needs. Adding a column to an object is adding one :class:`Column` to its list in output/objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from smsreceipt.output.look import Look

T = TypeVar("T")


class Cell(NamedTuple):
    """What a table shows of one value. The text may come from outside: whoever draws it makes it harmless."""

    text: str
    style: str = ""  #: of the terminal's palette: red, dim, bold, …


@dataclass(frozen=True, kw_only=True)
class Column(Generic[T]):
    """One column of an object.

    *key* and *of* are for JSON and CSV; *head* and *cell* are for tables, with the layout below them.
    """

    key: str = ""  #: the JSON key and the CSV head; "": only tables have this column
    of: str = ""  #: which attribute of the row it is, as a dotted path; "": the row itself
    show: Callable[[Any], object] | None = None  #: from that attribute to the value that JSON shows
    or_null: bool = False  #: an attribute that is empty is shown as null
    head: tuple[str, str] = ("", "")  #: above the column, in English and in Chinese; ("", ""): no table has it
    cell: Callable[[T, Look], Cell | str] | None = None
    keep: float = 5  #: on a narrow terminal the lowest goes first; from 5 on, others are cut before this one goes
    right: bool = False  #: numbers stand at the right
    least: int = 0  #: columns of the terminal that it may be cut down to; 0: all or nothing
    roomy: int = 0  #: while rows are yet to come, as wide as this, for they may hold more than the first ones
    wrap: bool = False  #: it goes on in the next line instead of being cut
    narrow: Column[T] | None = None  #: what it becomes where there is less room, before it goes

    def source(self, row: str, show: str) -> str:
        """The Python expression of its value, for the row and the function *show* of these names."""
        value = f"{row}.{self.of}" if self.of else row
        if self.or_null:
            value = f"({value} or None)"
        return f"{show}({value})" if self.show else value


class Shown(Generic[T]):
    """An object that users see: its columns, in the order of its JSON keys."""

    def __init__(self, name: str, columns: Iterable[Column[T]], *, masked: Callable[[T], T] = lambda row: row) -> None:
        """*masked* returns a row with every number and text of a person masked."""
        self.name = name
        self.columns: Sequence[Column[T]] = tuple(columns)
        self.masked = masked

    def with_value(self, key: str, value: object) -> Shown[T]:
        """The same object with one more key, which has this value in every row."""
        return Shown(self.name, [*self.columns, Column(key=key, show=lambda _row: value)], masked=self.masked)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The JSON keys, which are the CSV heads too."""
        return tuple(column.key for column in self.columns if column.key)

    @cached_property
    def record(self) -> Callable[[T], msgspec.Struct]:
        """From a row to its record: the values that JSON shows, by key, in order.

        Made once as one Python expression over all columns: a call for each column would cost more than encoding does.
        """
        listed = [column for column in self.columns if column.key]
        made = msgspec.defstruct(self.name, [(column.key, Any) for column in listed], gc=False)
        names: dict[str, Any] = {f"show_{n}": column.show for n, column in enumerate(listed)}
        values = ", ".join(column.source("row", f"show_{n}") for n, column in enumerate(listed))
        maker: Callable[[T], msgspec.Struct] = eval(  # noqa: S307 - an expression of our own columns
            f"lambda row: made({values})", {"made": made, **names}
        )
        return maker


def mapping(name: str, keys: Iterable[str]) -> Shown[Mapping[str, object]]:
    """An object whose rows are mappings with these keys: for summaries, whose keys depend on what was asked."""
    return Shown(name, [Column(key=key, show=itemgetter(key)) for key in keys])
