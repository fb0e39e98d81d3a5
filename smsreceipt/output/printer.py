"""Prints objects as a table, JSON lines or CSV, in pieces of bounded size.

No other module asks which of the three output formats is wanted.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from smsreceipt.output.columns import View
from smsreceipt.output.records import csv_lines, json_lines

if TYPE_CHECKING:
    from smsreceipt.output.display import Display
    from smsreceipt.output.terminal.table import Table

T = TypeVar("T")
U = TypeVar("U")
Both = tuple[Sequence[T], Sequence[U]]  #: rows of one object, then rows of another

TABLE = "table"  #: the value of --output for tables
EXCEL = "excel"  #: … and for CSV that Excel opens as it is meant
_CSV = ("csv", EXCEL)
_PIECE = 500  # rows that are written at once


class Target(Protocol):
    """Where a command prints, and in which format; the App of the command."""

    @property
    def output(self) -> str:
        """The output format: table, json, csv or excel."""

    @property
    def chinese(self) -> bool:
        """Whether people are written to in Chinese."""

    @property
    def mask(self) -> bool:
        """Whether phone numbers and texts are masked."""

    def display(self) -> Display:
        """The options that tables are drawn with."""

    def write(self, data: bytes) -> None:
        """Print lines. Raises ReaderGone or OutputError."""

    def encode(self, text: str) -> bytes:
        """A drawn table in the terminal's encoding."""


def tabular(target: Target) -> bool:
    """Whether the output is a table; without --limit, it then shows the newest rows only."""
    return target.output == TABLE


class Printer(Generic[T]):
    """Prints the rows of one view as they come, in the output format of the command; titles are printed once."""

    def __init__(
        self,
        target: Target,
        view: View[T],
        *,
        write: Callable[[bytes], None] | None = None,
        mask: bool | None = None,
        raw_csv: bool = False,
        live: bool = False,
        data: bool = False,
    ) -> None:
        """*write* and *mask* are those of the target unless given.

        *live*: later rows may be wider than the first ones, so a table leaves room for them. *data*: JSON lines instead
        of a table. *raw_csv*: fields that a spreadsheet would take for formulas are not escaped.
        """
        self.last: T | None = None  #: the last row printed so far
        self.printed = 0  #: rows
        self._target, self._view = target, view
        self._write = write or target.write
        self._format = "json" if data and tabular(target) else target.output
        self._mask = target.mask if mask is None else mask
        self._raw, self._live = raw_csv, live
        self._headed = False
        self._table: Table[T] | None = None

    def print(self, rows: Iterable[T]) -> int:
        """Print the rows; return their number."""
        printed = 0
        for piece in _pieces(rows):
            self._write(self._piece(piece))
            printed += len(piece)
            self.printed += len(piece)
            self.last = piece[-1]
        return printed

    def end(self) -> None:
        """Print the titles of a CSV without rows."""
        if self._format in _CSV and not self._headed:
            self._write(self._piece([]))

    def _piece(self, rows: Sequence[T]) -> bytes:
        if self._format == TABLE:
            return self._target.encode(self._drawn(rows))
        view = self._view
        records = [view.record(view.masked(row) if self._mask else row) for row in rows]
        if self._format == "json":
            return json_lines(records)
        excel = self._format == EXCEL
        heads = [] if self._headed else [view.titles(chinese=excel and self._target.chinese)]
        mark = BOM_UTF8 if heads and excel else b""
        self._headed = True
        values = ((getattr(record, key) for key in view.keys) for record in records)
        return mark + csv_lines(heads, guard=False, excel=excel) + csv_lines(values, guard=not self._raw, excel=excel)

    def _drawn(self, rows: Sequence[T]) -> str:
        if self._table is None:
            from smsreceipt.output.terminal.table import Table

            self._table = Table(self._target.display(), self._view)
        return self._table.draw(rows, more=self._live or len(rows) == _PIECE)


def _pieces(rows: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(rows)
    while piece := list(islice(rest, _PIECE)):
        yield piece


def print_rows(
    target: Target,
    view: View[T],
    rows: Sequence[T],
    draw: Callable[[Display], str] | None = None,
    *,
    write: Callable[[bytes], None] | None = None,
) -> None:
    """Print all rows of a view at once. *draw* replaces the table by a screen of its own."""
    if draw is not None and tabular(target):
        (write or target.write)(target.encode(draw(target.display())))
    else:
        Printer(target, view, write=write).print(rows)


def print_whole(
    target: Target, view: View[T], row: T, parts: tuple[View[U], Iterable[U]], draw: Callable[[Display], str]
) -> None:
    """Print one object: whole in JSON, only the rows of its *parts* in CSV, or as the screen that *draw* makes."""
    if target.output in _CSV:
        printer = Printer(target, parts[0])
        printer.print(parts[1])
        printer.end()
    else:
        print_rows(target, view, [row], draw)


def print_both(
    target: Target, view: View[T], other: View[U], rows: Iterable[Both[T, U]], draw: Callable[[Display], str]
) -> bool:
    """Print rows of two views in turn: as JSON lines, or as the screen that *draw* makes of all of them.

    CSV has the columns of *view* only. Returns whether rows of *other* were left out for that reason.
    """
    if tabular(target):
        target.write(target.encode(draw(target.display())))
        return False
    printer, second = Printer(target, view), Printer(target, other)
    left_out = False
    for some, others in rows:
        printer.print(some)
        if target.output in _CSV:
            left_out = left_out or bool(others)
        else:
            second.print(others)
    return left_out


class LinePrinter(Generic[T]):
    """Prints row by row as a Printer does; *draw* makes the lines of a table from row, display, is-first-row."""

    def __init__(
        self,
        target: Target,
        view: View[T],
        draw: Callable[[T, Display, bool], str],
        *,
        write: Callable[[bytes], None] | None = None,
    ) -> None:
        self._target, self._draw = target, draw
        self._write = write or target.write
        self._printer = Printer(target, view, write=write, mask=False)
        self._drawn = False

    def print(self, row: T) -> None:
        """Print one row."""
        if tabular(self._target):
            self._write(self._target.encode(self._draw(row, self._target.display(), not self._drawn)))
            self._drawn = True
        else:
            self._printer.print([row])
