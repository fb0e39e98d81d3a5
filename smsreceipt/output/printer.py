"""How objects are put on standard output: as a table, JSON lines or CSV, in pieces of bounded size.

Nothing else in the program asks which of the three it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from smsreceipt.output.columns import Shown
from smsreceipt.output.look import Look
from smsreceipt.output.records import csv_lines, json_lines

if TYPE_CHECKING:
    from smsreceipt.output.terminal.table import Table

T = TypeVar("T")
U = TypeVar("U")
Both = tuple[Sequence[T], Sequence[U]]  #: rows of one object, then rows of another

_PIECE = 500  # rows that are written at once


class Screen(Protocol):
    """Where a command prints, and in which form."""

    @property
    def output(self) -> str:
        """table, json or csv."""

    @property
    def mask(self) -> bool:
        """Whether numbers and texts of people are masked."""

    def look(self) -> Look:
        """For whom tables are drawn."""

    def write(self, data: bytes) -> None:
        """Print lines. Raises ReaderGone or OutputError."""

    def encode(self, text: str) -> bytes:
        """A drawn table in the terminal's encoding."""


def tabular(screen: Screen) -> bool:
    """Whether a person looks at a table: such a command shows the newest rows only, unless told."""
    return screen.output == "table"


class Printer(Generic[T]):
    """Prints the rows of one object as they come, in the output that was asked for. Heads come once."""

    def __init__(
        self,
        screen: Screen,
        shown: Shown[T],
        *,
        write: Callable[[bytes], None] | None = None,
        mask: bool | None = None,
        raw_csv: bool = False,
        live: bool = False,
        data: bool = False,
    ) -> None:
        """*write* is the screen's own unless given; *mask* likewise.

        *live*: the first rows are not all there are, so that the columns of a table leave room for others. *data*: JSON
        lines where a table would be drawn. *raw_csv*: fields that a spreadsheet takes for formulas stay as they are.
        """
        self.last: T | None = None  #: the last row printed so far
        self._screen, self._shown = screen, shown
        self._write = write or screen.write
        self._form = "json" if data and screen.output == "table" else screen.output
        self._mask = screen.mask if mask is None else mask
        self._raw, self._live = raw_csv, live
        self._headed = False
        self._table: Table[T] | None = None

    def print(self, rows: Iterable[T]) -> int:
        """Print them; return how many there were."""
        printed = 0
        for piece in _pieces(rows):
            printed += len(piece)
            self.last = piece[-1]
            self._write(self._piece(piece))
        return printed

    def end(self) -> None:
        """Print the head of a CSV that has no rows."""
        if self._form == "csv" and not self._headed:
            self._write(self._piece([]))

    def _piece(self, rows: Sequence[T]) -> bytes:
        if self._form == "table":
            return self._screen.encode(self._drawn(rows))
        shown = self._shown
        records = [shown.record(shown.masked(row) if self._mask else row) for row in rows]
        if self._form == "json":
            return json_lines(records)
        heads = [] if self._headed else [shown.keys]
        self._headed = True
        values = ((getattr(record, key) for key in shown.keys) for record in records)
        return csv_lines(heads, guard=False) + csv_lines(values, guard=not self._raw)

    def _drawn(self, rows: Sequence[T]) -> str:
        if self._table is None:
            from smsreceipt.output.terminal.table import Table

            self._table = Table(self._screen.look(), self._shown)
        return self._table.draw(rows, more=self._live or len(rows) == _PIECE)


def _pieces(rows: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(rows)
    while piece := list(islice(rest, _PIECE)):
        yield piece


def print_rows(
    screen: Screen,
    shown: Shown[T],
    rows: Sequence[T],
    draw: Callable[[Look], str] | None = None,
    *,
    write: Callable[[bytes], None] | None = None,
) -> None:
    """Print all rows of an object at once. *draw* makes a screen of its own of them where a table is wanted."""
    if draw is not None and tabular(screen):
        (write or screen.write)(screen.encode(draw(screen.look())))
    else:
        Printer(screen, shown, write=write).print(rows)


def print_whole(
    screen: Screen, shown: Shown[T], row: T, parts: tuple[Shown[U], Sequence[U]], draw: Callable[[Look], str]
) -> None:
    """Print one object as JSON, its *parts* as the rows of a CSV, or the screen that *draw* makes of it."""
    if screen.output == "csv":
        printer = Printer(screen, parts[0])
        printer.print(parts[1])
        printer.end()
    else:
        print_rows(screen, shown, [row], draw)


def print_both(
    screen: Screen, shown: Shown[T], other: Shown[U], rows: Iterable[Both[T, U]], draw: Callable[[Look], str]
) -> bool:
    """Print rows of two objects in turns: as JSON lines, or as the screen that *draw* makes of them.

    A CSV has the columns of the first object only. Returns whether rows of the other one were left out for that.
    """
    if tabular(screen):
        screen.write(screen.encode(draw(screen.look())))
        return False
    printer, second = Printer(screen, shown), Printer(screen, other)
    left_out = False
    for some, others in rows:
        printer.print(some)
        if screen.output == "csv":
            left_out = left_out or bool(others)
        else:
            second.print(others)
    return left_out


class LinePrinter(Generic[T]):
    """As Printer, row by row, for a table whose lines *draw* makes of row, look, and whether it is the first one."""

    def __init__(
        self,
        screen: Screen,
        shown: Shown[T],
        draw: Callable[[T, Look, bool], str],
        *,
        write: Callable[[bytes], None] | None = None,
    ) -> None:
        self._screen, self._draw = screen, draw
        self._write = write or screen.write
        self._printer = Printer(screen, shown, write=write, mask=False)
        self._drawn = False

    def print(self, row: T) -> None:
        """Print it."""
        if tabular(self._screen):
            self._write(self._screen.encode(self._draw(row, self._screen.look(), not self._drawn)))
            self._drawn = True
        else:
            self._printer.print([row])
