"""Tables whose columns fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from smsreceipt.output.columns import Column, View
from smsreceipt.output.display import Display
from smsreceipt.output.terminal.screen import draw, plain_table, styled, widest

T = TypeVar("T")

_CUT_BEFORE = 5  # columns with a lower priority are dropped before any column is cut


class Table(Generic[T]):
    """A table that is drawn piece by piece: the first rows decide the layout, later rows follow it."""

    def __init__(self, display: Display, view: View[T]) -> None:
        self._display = display
        self._masked = view.masked if display.mask else None
        self._columns = [column for column in view.columns if column.in_tables]
        self._widths: list[int] = []

    def draw(self, rows: Sequence[T], *, more: bool = False) -> str:
        """The rows as text, with the titles above the first ones. *more*: other rows may follow."""
        parts: list[RenderableType] = []
        shown = [self._masked(row) for row in rows] if self._masked else rows
        if not self._widths:
            self._set_widths(shown, more=more)
            parts.append(self._table([[Text(self._head(column), "dim") for column in self._columns]]))
        if shown:
            parts.append(self._table([[self._cell(column, row) for column in self._columns] for row in shown]))
        return draw(self._display, *parts)

    def _head(self, column: Column[T]) -> str:
        return self._display.localized(*column.head)

    def _cell(self, column: Column[T], row: T) -> Text:
        return styled(column.drawn(row, self._display))

    def _table(self, rows: Sequence[Sequence[Text]]) -> RenderableType:
        columns = self._columns
        table = plain_table(self._widths, [column.right for column in columns], [column.wrap for column in columns])
        for row in rows:
            table.add_row(*row)
        return table

    def _set_widths(self, rows: Sequence[T], *, more: bool) -> None:
        """Replace, drop and cut columns, those of the lowest priority first, until the rest fits the terminal."""

        def width(column: Column[T]) -> int:
            seen = widest([self._cell(column, row) for row in rows])
            return max(seen, column.min_width, column.live_width) if more else seen

        self._columns = [column for column in self._columns if column.min_width or not rows or width(column)]
        widths = [max(width(column), cell_len(self._head(column))) for column in self._columns]
        while not self._cut(widths) and len(self._columns) > 1:
            at = min(range(len(widths)), key=lambda index: self._columns[index].priority)
            narrow = self._columns[at].narrow
            if narrow is None:
                del self._columns[at], widths[at]
            else:
                self._columns[at] = narrow
                widths[at] = max(width(narrow), cell_len(self._head(narrow)))
        self._widths = [min(each, self._display.width) for each in widths]

    def _cut(self, widths: list[int]) -> bool:
        """Cut columns until all fit; return whether that is possible without dropping a column."""
        over = sum(widths) + 2 * (len(widths) - 1) - self._display.width
        if over > 0 and min(column.priority for column in self._columns) < _CUT_BEFORE:
            return False
        spare = {
            index: max(widths[index] - max(column.min_width, cell_len(self._head(column))), 0)
            for index, column in enumerate(self._columns)
            if column.min_width
        }
        if over > sum(spare.values()):
            return False
        for index in sorted(spare, key=lambda index: -widths[index]):
            taken = min(spare[index], max(over, 0))
            widths[index] -= taken
            over -= taken
        return True
