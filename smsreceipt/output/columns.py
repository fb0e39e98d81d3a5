"""The objects that the program shows, as lists of columns that JSON, CSV and tables share.

A :class:`View` of an object (a receipt, a reject, a send, …) holds its columns and how it is masked. A :class:`Column`
has the key that JSON and CSV use and, if tables have it, its title in both languages, its cell and its width. To add a
column to an object, add one :class:`Column` to its view in output/objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

T = TypeVar("T")


class Cell(msgspec.Struct, frozen=True):
    """The text of one value in a table. It may hold active characters; drawing escapes them."""

    text: str
    style: str = ""  #: of the terminal's palette: red, dim, bold, …


class Type(Enum):
    """What the values of a column are, for files that have types (Parquet, .xlsx)."""

    TEXT = auto()
    CATEGORY = auto()  #: a text of which there are few, such as a kind
    INTEGER = auto()
    REAL = auto()
    BOOLEAN = auto()
    SECOND = auto()  #: an instant that JSON shows in whole seconds
    MILLISECOND = auto()  #: an instant that JSON shows in milliseconds
    LIST = auto()  #: of texts
    JSON = auto()  #: bytes that hold a JSON value


#: Types whose values in typed files are those of the attribute, instead of what *convert* makes of them.
_ATTRIBUTES = (Type.SECOND, Type.MILLISECOND, Type.JSON)


class Column(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One column of an object: *key*, *of*, *convert* for JSON and CSV; *head*, *cell* and the layout for tables."""

    key: str = ""  #: the JSON key and the CSV head; "": only tables have this column
    of: str = ""  #: the attribute of the row, as a dotted path; "": the row itself
    convert: Callable[[Any], object] | None = None  #: makes the JSON value of the attribute
    or_null: bool = False  #: an empty attribute is null in JSON
    type: Type = Type.TEXT  #: for files that have types
    meaning: tuple[str, str] = ("", "")  #: in English and in Chinese, for files that have room to tell it
    instant: Callable[[Any], int | None] | None = None  #: makes the instant of the attribute, where it is none itself
    head: tuple[str, str] = ("", "")  #: the title, in English and in Chinese; ("", ""): no table has this column
    cell: Callable[[T, Display], Cell | str] | None = None  #: None: the attribute itself
    priority: float = 5  #: on a narrow terminal the lowest is dropped first; from 5 on, columns are cut before that
    right: bool = False  #: right-aligned
    min_width: int = 0  #: terminal columns that it may be cut down to; 0: it is never cut
    live_width: int = 0  #: terminal columns that it gets at least while later rows, which may be wider, are unknown
    wrap: bool = False  #: long values go on in the next line instead of being cut
    narrow: Column[T] | None = None  #: the column that takes its place on a narrow terminal before it is dropped

    @property
    def in_tables(self) -> bool:
        """Whether tables have this column."""
        return self.head != ("", "")

    @property
    def title_zh(self) -> str:
        """The title of tables in Chinese, else the first words of what the column means."""
        if self.head[1] != self.head[0]:
            return self.head[1]
        return re.split("[，：；]", self.meaning[1], maxsplit=1)[0]

    def drawn(self, row: T, display: Display) -> Cell | str:
        """The cell of a row. Without a *cell* of its own: the attribute, numbers with thousands separators."""
        if self.cell is not None:
            return self.cell(row, display)
        value = attrgetter(self.of)(row)
        return f"{value:,}" if isinstance(value, int) else str(value)

    def expression(self, row: str, convert: str) -> str:
        """The Python expression of the JSON value, in which *row* and *convert* are the names to use."""
        value = f"{row}.{self.of}" if self.of else row
        if self.or_null:
            value = f"({value} or None)"
        return f"{convert}({value})" if self.convert else value

    def as_attribute(self) -> Column[T]:
        """The column whose JSON value is the value for typed files: an instant as a number, a body as bytes."""
        if self.type not in _ATTRIBUTES:
            return self
        return msgspec.structs.replace(self, convert=self.instant)


class View(Generic[T]):
    """The columns of an object, in the order of its JSON keys."""

    def __init__(
        self,
        name: str,
        columns: Iterable[Column[T]],
        *,
        masked: Callable[[T], T] = lambda row: row,
        titles_zh: Mapping[str, str] | None = None,
    ) -> None:
        """*masked* returns a row in which every phone number and text of a person is masked.

        *titles_zh*: the titles of keys in Chinese, where the columns of tables, which have them, are left out.
        """
        self._titles_zh = titles_zh
        self.name = name
        self.columns: Sequence[Column[T]] = tuple(columns)
        self.masked = masked

    def with_value(self, key: str, value: object) -> View[T]:
        """The same view with one more key, which has this value in every row."""
        return View(self.name, [*self.columns, Column(key=key, convert=lambda _row: value)], masked=self.masked)

    def without(self, key: str) -> View[T]:
        """The same view without one of its keys."""
        return View(self.name, [column for column in self.columns if column.key != key], masked=self.masked)

    def only(self, keys: Sequence[str]) -> View[T]:
        """The same view with these keys only, in this order. Raises KeyError for one that it does not have."""
        columns = {column.key: column for column in self.columns if column.key}
        chosen = [columns[key] for key in keys]
        return View(self.name, chosen, masked=self.masked, titles_zh=self.titles_zh)

    @cached_property
    def keyed(self) -> Sequence[Column[T]]:
        """The columns that JSON and CSV have."""
        return tuple(column for column in self.columns if column.key)

    @cached_property
    def typed(self) -> Callable[[T], tuple[Any, ...]]:
        """The function that makes the values of a row for typed files, in the order of the keys."""
        values, names = _expressions([column.as_attribute() for column in self.keyed])
        maker: Callable[[T], tuple[Any, ...]] = eval(f"lambda row: ({values},)", names)  # noqa: S307 - as below
        return maker

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The JSON keys and CSV heads."""
        return tuple(column.key for column in self.keyed)

    def titles(self, *, chinese: bool) -> Sequence[str]:
        """The heads of a CSV for people: in Chinese the titles of tables, or what the columns mean; else the keys."""
        return [self.titles_zh[key] for key in self.keys] if chinese else self.keys

    @cached_property
    def titles_zh(self) -> Mapping[str, str]:
        """The titles in Chinese by key: those of the columns of tables that show the same, else their meaning."""
        if self._titles_zh is not None:
            return self._titles_zh
        of = {column.of: column.head[1] for column in self.columns if column.of and column.in_tables}
        return {column.key: of.get(column.of) or column.title_zh or column.key for column in self.keyed}

    @cached_property
    def record(self) -> Callable[[T], msgspec.Struct]:
        """The function that makes the record of a row: its JSON values by key, in order.

        It is compiled once from one Python expression over all columns: a call per column would take longer than the
        encoding of the record.
        """
        made = msgspec.defstruct(self.name, [(key, Any) for key in self.keys], gc=False)
        values, names = _expressions(self.keyed)
        maker: Callable[[T], msgspec.Struct] = eval(  # noqa: S307 - the expression holds only our own columns
            f"lambda row: made({values})", {"made": made, **names}
        )
        return maker


def _expressions(columns: Sequence[Column[Any]]) -> tuple[str, dict[str, Any]]:
    """The Python expressions of the values of `row`, and what their names stand for."""
    names: dict[str, Any] = {f"convert_{n}": column.convert for n, column in enumerate(columns)}
    return ", ".join(column.expression("row", f"convert_{n}") for n, column in enumerate(columns)), names


def mapping(name: str, keys: Iterable[str]) -> View[Mapping[str, object]]:
    """The view of mappings with these keys: for summaries, whose keys depend on the options."""
    return View(name, [Column(key=key, convert=itemgetter(key)) for key in keys])
